"""Makes .venv and fills it from the hash-locked requirements. Run by any Python from 3.11 on, with its standard library alone.

`python3 -m cmvig_site.local.install COMMAND` installs what that subcommand needs, and says nothing when all is there.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cmvig_site.local.commands import COMMANDS
from cmvig_site.local.ports import refuse_taken_port
from cmvig_site.local.problems import Problem

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV_REQUIREMENTS = ROOT / "requirements-uv.txt"
# A set contains the one before it, in the same versions: what has dev has local.
SETS = {"local": ("requirements-local.txt", "requirements-dev.txt"), "dev": ("requirements-dev.txt",)}
# Chromium draws the pages in tests; the driver of Playwright needs libatomic; names of people are in many scripts.
DEBIAN_PACKAGES = ("chromium", "libatomic1", "fonts-noto-core")
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def main(arguments: list[str]) -> int:
    """Prepare for one subcommand; an unknown one needs nothing."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        return 0
    if arguments[0] == "run":
        refuse_taken_port()
    if command.needs == "browser":
        _debian_packages()
    wanted = "local" if command.needs == "local" else "dev"
    if not _is_installed(wanted):
        with (ROOT / SETS["dev"][0]).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two first starts at once
            if not _is_installed(wanted):
                _install(wanted)
    return 0


def _is_installed(wanted: str) -> bool:
    """Whether the requirements as they are now were installed: a copy is kept in .venv for comparison."""
    if not PYTHON.exists():
        return False
    copies = [(ROOT / name, VENV / name) for name in SETS[wanted]]
    return any(copy.exists() and filecmp.cmp(file, copy, shallow=False) for file, copy in copies)


def _install(wanted: str) -> None:
    requirements = ROOT / SETS[wanted][0]
    _say(f"Installing {requirements.name} into .venv")
    if not _works([PYTHON, "-m", "pip", "--version"], quiet=True) and not _works([PYTHON, "-m", "ensurepip"]):
        complaint = "Python cannot make a virtual environment (Debian: apt-get install python3-venv)"
        _run([sys.executable, "-m", "venv", "--clear", VENV], complaint)
    if not _with_uv(requirements):
        _say("uv could not install them; pip does, which takes a minute")
        _run([PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements], "pip could not install them")
    shutil.copyfile(requirements, VENV / requirements.name)


def _with_uv(requirements: Path) -> bool:
    """Install with the pinned uv. It trusts its own list of authorities unless told to trust the system's."""
    if not _works([PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", UV_REQUIREMENTS]):
        return False
    environment = {"UV_LINK_MODE": "copy", **os.environ}
    if SYSTEM_CERTIFICATES.exists():
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    install = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes", "-r", requirements]
    return _works(install, environment)


def _debian_packages() -> None:
    """Install what the browser tests need where we are root on Debian; elsewhere they say themselves what they miss."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    missing = [name for name in DEBIAN_PACKAGES if not _works(["dpkg-query", "--show", name], quiet=True)]
    if not missing:
        return
    _say(f"Installing {', '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _works(["apt-get", "update", "-qq"], environment)
    if not _works(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], environment):
        _say("apt-get could not install them: the tests in the browser will be reported as not run")


def _works(command: list, environment: dict[str, str] | None = None, *, quiet: bool = False) -> bool:
    if not Path(command[0]).exists() and not shutil.which(command[0]):
        return False
    errors = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors, cwd=ROOT).returncode == 0


def _run(command: list, complaint: str) -> None:
    if not _works(command):
        raise Problem(f"{complaint}.")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
