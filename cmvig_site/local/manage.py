"""`./dev manage …`: manage.py on the database that `./dev run` uses; its output and exit code untouched."""

from __future__ import annotations

import os

from cmvig_site.local import project
from cmvig_site.local.postgres import Server
from cmvig_site.local.processes import run_in_foreground

WITHOUT_DATABASE = frozenset({"check", "collectstatic", "diffsettings", "findstatic", "help", "version"})


def main(arguments: list[str]) -> int:
    """Run manage.py with `arguments`. A server is started if the command needs one and none runs, and stopped afterwards."""
    state = project.state_directory()
    project.make_secret_key(state)
    command = [*project.MANAGE, *arguments]
    if os.environ.get("DATABASE_URL") or not _needs_database(arguments):
        os.execve(command[0], command, project.environment())  # becomes manage.py
    with Server(state) as server:
        return run_in_foreground(command, project.environment(**server.environment()))


def _needs_database(arguments: list[str]) -> bool:
    if not arguments or arguments[0].startswith("-") or arguments[0] in WITHOUT_DATABASE:
        return False
    if arguments[0] == "check_cases" and "--library" in arguments:
        return False
    # --version alone is Django's; behind a number it is a version of the monograph (export_monograph --version 2).
    return not {"-h", "--help"} & set(arguments) and arguments[-1] != "--version"
