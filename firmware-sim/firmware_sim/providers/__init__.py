"""Message providers: each speaks its real API over HTTP, and all of them reach the same phones."""
