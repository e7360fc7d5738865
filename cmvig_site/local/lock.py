"""`./dev lock`: write the requirement files anew from pyproject.toml, every package with the hashes of its files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cmvig_site.local.install import ROOT, SYSTEM_CERTIFICATES, UV_REQUIREMENTS, VENV
from cmvig_site.local.problems import Problem

UV = "uv==0.13.9"
# Widest first: the smaller sets take the versions of the larger.
FILES = {
    "requirements-dev.txt": ("--extra", "local", "--extra", "dev"),
    "requirements-local.txt": ("--extra", "local", "-c", "requirements-dev.txt"),
    "requirements.txt": ("-c", "requirements-dev.txt"),
}
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-config --no-emit-index-url --no-emit-find-links --quiet"
OTHER_SOURCES = ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def main(arguments: list[str]) -> int:
    """Write all four files. With --upgrade, take the newest versions that pyproject.toml allows; without, keep what fits."""
    upgrade = ["--upgrade"] if "--upgrade" in arguments else []
    for file, choice in FILES.items():
        _compile("pyproject.toml", file, [*choice, *upgrade])
    _compile("-", UV_REQUIREMENTS.name, upgrade, stdin=UV)
    return 0


def _compile(source: str, file: str, options: Sequence[str], *, stdin: str = "") -> None:
    asked = ["--custom-compile-command", "./dev lock", *options]
    command = [str(VENV / "bin" / "uv"), "pip", "compile", *OPTIONS.split(), *asked, source, "-o", file]
    # No package source of this machine may leak into the files.
    environment = {name: value for name, value in os.environ.items() if name not in OTHER_SOURCES}
    if SYSTEM_CERTIFICATES.exists():
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    if subprocess.run(command, env=environment, cwd=ROOT, input=stdin, text=True, stdout=subprocess.DEVNULL).returncode:
        raise Problem(f"uv could not write {file}.")
    text = Path(ROOT / file).read_text()
    if leaked := [word for word in ("http:", "https:", "file:", "--index", "--find-links") if word in text]:
        raise Problem(f"{file} names a place of this machine ({', '.join(leaked)}).")
    print(f"{file}: {text.count('==')} packages", file=sys.stderr)
