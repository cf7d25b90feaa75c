"""The rota in other people's calendars: the feed of a zone, and lists that are taken into the site file."""
