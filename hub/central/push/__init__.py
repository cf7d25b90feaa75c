"""Web push to the browsers of phones: which browser belongs to which phone, and the page where that is said."""
