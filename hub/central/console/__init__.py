"""The console: pages that a nurse can use at ten past three in the night, in the dark, with one thumb."""
