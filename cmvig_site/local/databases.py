"""What is inside the embedded server: its two lesser roles and its databases. Every function may be repeated."""

from __future__ import annotations

import psycopg
from psycopg import sql

from cmvig_site.local.credentials import APP, OWNER

DATABASE = "cmvig"


def prepare(superuser_url: str, passwords: dict[str, str], *, makes_databases: bool) -> None:
    """Make the roles and the database `cmvig`, and close everything to everyone else.

    `makes_databases` lets the owner clone databases and end their sessions: the throw-away server of the tests alone.
    """
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for role in (OWNER, APP):
            _make_role(connection, role, passwords[role])
        if makes_databases:
            connection.execute(sql.SQL("ALTER ROLE {0} CREATEDB; GRANT pg_signal_backend TO {0}").format(sql.Identifier(OWNER)))
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not known:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))
        connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
        _close_to_others(connection, DATABASE)


def clone(owner_url: str, *, template: str, name: str) -> None:
    """Copy a database in which nobody is signed in. For the tests, as the owner."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        _close_to_others(connection, name)


def drop(owner_url: str, name: str) -> None:
    """Remove a database, ending whatever is still connected to it."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def seal(owner_url: str, name: str) -> None:
    """Let nobody into a database any more, so that it can always be cloned."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))


def _make_role(connection: psycopg.Connection, role: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    # The server is sent the SCRAM verifier, never the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    verb = sql.SQL("ALTER ROLE" if known else "CREATE ROLE")
    rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD")
    connection.execute(sql.SQL("{} {} {} {}").format(verb, sql.Identifier(role), rights, sql.Literal(verifier)))


def _close_to_others(connection: psycopg.Connection, database: str) -> None:
    # Rights on a database, unlike those inside it, do not follow a clone.
    names = {"database": sql.Identifier(database), "app": sql.Identifier(APP)}
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {database} TO {app}").format(**names))
