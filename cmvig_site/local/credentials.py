"""The roles of the embedded server, their passwords, and the addresses made from them."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from urllib.parse import quote, urlencode

SUPERUSER = "postgres"  # the launcher alone: it makes the roles and the database
OWNER = "cmvig_owner"  # owns the database and its tables: migrations, guards
APP = "cmvig_app"  # serves the pages: may only what it was granted
ROLES = (SUPERUSER, OWNER, APP)


def read_or_make(file: Path) -> tuple[dict[str, str], bool]:
    """The password of each role from `file`, made (mode 0600) if it is absent. The flag says that they are new."""
    if file.exists():
        return json.loads(file.read_text()), False
    passwords = {role: secrets.token_urlsafe(32) for role in ROLES}
    write_private(file, json.dumps(passwords, indent=1))
    return passwords, True


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    unfinished.replace(file)


def url(*, role: str, password: str, database: str, socket_directory: Path) -> str:
    """A postgresql:// address through a Unix socket, as libpq and Django's settings read it."""
    return f"postgresql://{quote(role)}:{quote(password)}@/{quote(database)}?{urlencode({'host': str(socket_directory)})}"
