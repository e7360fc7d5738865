"""`./dev check`: every tool that reads the code without running it. All of them run; then 1 if any complained. No database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cmvig_site.local import project

PROGRAMS = Path(sys.executable).parent
# Production settings as a hospital has them, with nothing real in them.
PRODUCTION = {
    "SECRET_KEY": "only-for-the-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
    "ALLOWED_HOSTS": "cmvig.hospital.example",
    "DATABASE_URL": "",
    "DATABASE_OWNER_URL": "",
    "CMVIG_PLAIN_HTTP": "",
    "CMVIG_BEHIND_PROXY": "1",
    "DEBUG": "",
}


def main(arguments: list[str]) -> int:
    """Run every tool (with --fix, let those that can repair do so) and name the ones that complained."""
    environment = project.environment(**PRODUCTION)
    failed = []
    for name, command in _tools(fix="--fix" in arguments):
        print(f"== {name}", flush=True)
        if subprocess.run(command, env=environment, cwd=project.ROOT).returncode:
            failed.append(name)
    print(f"Failed: {', '.join(failed)}" if failed else "All checks passed.", flush=True)
    return 1 if failed else 0


def _tools(*, fix: bool) -> list[tuple[str, list[str]]]:
    templates = [str(path) for folder in ("templates",) for path in sorted((project.ROOT / folder).rglob("*.html"))]
    manage = [sys.executable, "-W", "error", str(project.ROOT / "manage.py")]
    return [
        ("ruff check", [_program("ruff"), "check", *(["--fix"] if fix else [])]),
        ("ruff format", [_program("ruff"), "format", *([] if fix else ["--check"])]),
        ("djade", [_program("djade"), "--target-version", "5.2", *([] if fix else ["--check"]), *templates]),
        ("mypy", [_program("mypy")]),
        ("import-linter", [_program("lint-imports")]),
        ("manage.py check --deploy", [*manage, "check", "--deploy", "--fail-level", "WARNING"]),
        ("makemigrations --check", [*manage, "makemigrations", "--check", "--dry-run"]),
    ]


def _program(name: str) -> str:
    return str(PROGRAMS / name)
