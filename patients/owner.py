"""The owner of the tables, who migrates and guards them. The app itself never connects as the owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.conninfo import conninfo_to_dict


@contextmanager
def as_owner(alias: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Let one connection sign in as the role of DATABASE_OWNER_URL; unchanged where that is not set.

    The database stays the connection's own, so that a test's copy is never mistaken for the real one.
    """
    if not settings.DATABASE_OWNER_URL:
        yield
        return
    connection = connections[alias]
    kept = dict(connection.settings_dict)
    url = conninfo_to_dict(settings.DATABASE_OWNER_URL)
    connection.close()
    connection.settings_dict.update(
        USER=url.pop("user", ""),
        PASSWORD=url.pop("password", ""),
        HOST=url.pop("host", ""),
        PORT=str(url.pop("port", "")),
        OPTIONS={name: value for name, value in url.items() if name != "dbname"},
    )
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.clear()
        connection.settings_dict.update(kept)
