"""Starts and questions the processes of holder.py, as root, as ourselves or as somebody without rights."""

from __future__ import annotations

import json
import os
import pwd
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cmvig_site.local.project import ROOT
from tests.support import not_run

PATIENCE_S = 60
SITE_PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))


@dataclass(frozen=True)
class Person:
    """Somebody who starts a process: the words before its command, subprocess's options, and the Python they can run."""

    prefix: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)
    python: str = sys.executable
    uid: int = field(default_factory=os.geteuid)

    def can_hold(self) -> bool:
        """Whether they can run our code and a PostgreSQL server here."""
        probe = "import cmvig_site.local.postgres; from cmvig_site.local import binaries; binaries.find()"
        try:
            return (
                subprocess.run([*self.prefix, self.python, "-c", probe], **self.surroundings(), capture_output=True).returncode
                == 0
            )
        except (OSError, subprocess.SubprocessError):
            return False

    def surroundings(self) -> dict:
        """subprocess's options: the project importable, a neutral directory, the account."""
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{SITE_PACKAGES}"}
        return {"cwd": "/", "env": environment, **self.options}

    def popen(self, arguments: Sequence[object], **options: object) -> subprocess.Popen:
        """Start a Python process as this person."""
        merged = {**self.surroundings(), **options}
        return subprocess.Popen([*self.prefix, self.python, *map(str, arguments)], **merged)

    def owns(self, directory: Path) -> Path:
        """Give a directory to this person, closed to everybody else."""
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
        if "user" in self.options:
            os.chown(directory, self.options["user"], self.options["group"])
        return directory


def root(*, alone: bool = False) -> Person:
    """Root, if need be one of a namespace in which root can become somebody else; `alone`, one who need not."""
    if os.geteuid() == 0:
        return Person()
    inside = ("unshare", "--user", "--map-root-user", *([] if alone else ["--map-auto"]))
    return _first_able([Person(prefix=inside, uid=0)], "root, or a namespace with subordinate accounts")


def ordinary() -> Person:
    """Somebody who is not root: ourselves, `nobody`, or `daemon` in a namespace (where `nobody` owns what is not mapped)."""
    if os.geteuid() != 0:
        return Person()
    nobody = pwd.getpwnam("nobody")
    step_down = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    daemon = pwd.getpwnam("daemon")
    inside = ("unshare", "--user", f"--map-user={daemon.pw_uid}", f"--map-group={daemon.pw_gid}")
    return _first_able(
        [
            Person(options=step_down, uid=nobody.pw_uid),
            Person(options=step_down, uid=nobody.pw_uid, python="/usr/bin/python3"),
            Person(prefix=inside, uid=daemon.pw_uid),
        ],
        "an account without rights that can run this Python",
    )


def _first_able(people: list[Person], what: str) -> Person:
    for person in people:
        if person.can_hold():
            return person
    not_run(f"this machine does not offer {what}")


class Held:
    """One holder process and the server it holds. As a context manager, it is ended whatever happens."""

    def __init__(self, state: Path, *flags: object, person: Person | None = None, environment: dict[str, str] | None = None):
        person = person or Person()
        options = {"env": {**person.surroundings()["env"], **environment}} if environment else {}
        self.process = person.popen(
            ["-m", "tests.local.holder", state, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        self._unread = b""
        self._about: dict | None = None

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def about(self) -> dict:
        """What it said of the server at its start; read once, waiting for it."""
        if self._about is None:
            self._about = self._read()
        return self._about

    def ask(self, sql: str, role: str = "cmvig_app") -> list:
        """The rows of a query; AssertionError with the server's words if it refused."""
        answer = self.try_to(sql, role)
        assert "rows" in answer, answer["error"]
        return answer["rows"]

    def try_to(self, sql: str, role: str = "cmvig_app") -> dict:
        """The answer, be it rows or an error."""
        assert "problem" not in self.about, self.about["problem"]
        self.process.stdin.write(json.dumps({"sql": sql, "role": role}).encode() + b"\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> int:
        """Let it stop what it started, and end; the exit code."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def kill(self) -> None:
        """kill -9, as when memory runs out."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> dict:
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
            assert readable, "the holder says nothing"
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"the holder ended with {self.process.wait()}"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)


def wait_until_gone(pid: int) -> None:
    """Wait, within bounds, until a process that is not our child has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE_S)
    finally:
        os.close(handle)
    assert ended, f"process {pid} is still there"


def kill_at_once(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)
