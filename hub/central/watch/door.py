"""The address of the store for who must never wait long for it."""

import sqlalchemy as sa

# Seconds, of libpq; a statement's limit is PostgreSQL's own, in milliseconds. SQLite has its own limit of 10 s.
_PATIENCE = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "options": "-c statement_timeout=10000 -c lock_timeout=10000",
}


def impatient(url: str) -> str:
    """Return the store's URL with limits: a server that says nothing more is an error within seconds."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return url
    limits = {name: value for name, value in _PATIENCE.items() if name not in parsed.query}
    return parsed.update_query_dict(limits).render_as_string(hide_password=False)
