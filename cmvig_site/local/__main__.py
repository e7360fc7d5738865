"""`python -m cmvig_site.local COMMAND …`, which the script `dev` calls with the Python of .venv."""

from __future__ import annotations

import importlib
import sys

from cmvig_site.local.commands import COMMANDS, usage


def main(arguments: list[str]) -> int:
    """Run the subcommand named first; without one, list them. 2 for a word that is no subcommand."""
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(usage())
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        print(f"./dev has no command {arguments[0]!r}.\n\n{usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"cmvig_site.local.{command.module}")
    try:
        return module.main(arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
