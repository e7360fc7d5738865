"""The table of ./dev's subcommands: one line each. Standard library only, because it is read before anything is installed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One subcommand: the module whose `main(arguments) -> exit code` does it, and what it needs installed.

    `needs` is "local" (requirements-local.txt), "dev" (requirements-dev.txt) or "browser" (that, and Chromium with fonts).
    """

    module: str
    needs: str
    summary: str


COMMANDS = {
    "run": Command("serve", "local", "serve on http://127.0.0.1:8000 (PORT=… for another port); data are kept in var/"),
    "test": Command("testing", "browser", "run every test, or those named: ./dev test [--full] [pytest arguments]"),
    "check": Command("check", "dev", "run every tool that reads the code: ruff, djade, mypy, import-linter, manage.py check"),
    "manage": Command("manage", "local", "run manage.py on the same database: ./dev manage COMMAND …"),
    "drill": Command(
        "drill", "local", "kill the site and its database while infusions are recorded, then count: ./dev drill crash"
    ),
    "bench": Command("bench", "dev", "time a whole course against bare decimal arithmetic, as a ratio in one run"),
    "mutation": Command("mutation", "dev", "change the rules one thing at a time and list what no test notices"),
    "lock": Command("lock", "local", "write the hash-locked requirement files anew from pyproject.toml"),
}


def usage() -> str:
    """The list that `./dev` alone prints."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  ./dev {name.ljust(width)}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(["Usage: ./dev COMMAND [arguments]", "", *lines])
