"""The SQL store: the truth for incidents, on SQLite or PostgreSQL."""
