"""Several management commands in one process, because each start of Django takes a second.

`python -m cmvig_site.local.preparing migrate guard_database "load_monograph --shipped"` runs them in this order and stops
at the first that fails, with 1 and what it said. `prepare()` does that from the launcher.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys

DATABASE = ("migrate --skip-checks", "guard_database", "load_monograph --shipped")
STYLE_SHEETS = "collectstatic --skip-checks --noinput"


def prepare(commands: tuple[str, ...], environment: dict[str, str]) -> subprocess.Popen:
    """Start them in a process of their own; ask `failure()` for the outcome."""
    command = [sys.executable, "-m", "cmvig_site.local.preparing", *commands]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def failure(process: subprocess.Popen) -> str:
    """Wait for the end: all it said if a command failed, else an empty string. Interrupted, it is ended first."""
    try:
        said = process.communicate()[0]
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return f"preparation failed:\n{said}" if process.returncode else ""


def main(commands: list[str]) -> int:
    """Run the commands named, each a manage.py command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cmvig_site.settings")
    import django
    from django.core.management import CommandError, call_command

    django.setup()
    for line in commands:
        name, *arguments = shlex.split(line)
        said = io.StringIO()
        try:
            call_command(name, *arguments, stdout=said, stderr=said)
        except (CommandError, SystemExit) as error:
            if not isinstance(error, SystemExit) or error.code:
                print(f"{said.getvalue()}manage.py {line}: {error}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
