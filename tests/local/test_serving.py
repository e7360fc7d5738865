"""`./dev run` from an empty var/, again on its own data, and every way it ends; `./dev manage` beside it."""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmvig_site.local.project import ROOT
from cmvig_site.local.serve import of_the_app_alone
from tests.local.holding import kill_at_once, wait_until_gone

# They share one first start, which is slow: in one process.
pytestmark = pytest.mark.xdist_group("serving")
PATIENCE_S = 300
DEV = (sys.executable, "-m", "cmvig_site.local")


def environment(var: Path, **changes: str) -> dict[str, str]:
    """As a person has it: nothing of the tests' own database."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("CMVIG_", "DATABASE_", "SECRET_KEY"))}
    return {**theirs, "PYTHONPATH": str(ROOT), "CMVIG_VAR": str(var), **changes}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Site:
    """One `./dev run` on `var`, on a port of its own."""

    def __init__(self, var: Path, **changes: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [*DEV, "run"],
            env=environment(var, PORT=str(self.port), **changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._unread = b""

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        self.process.stdout.close()

    def read_until(self, start: str) -> list[str]:
        """All lines up to the one that begins so."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(line.startswith(start) for line in self.lines):
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert readable, f"no line {start!r} in time, only {self.lines}"
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"it ended: {self.lines}"
            *complete, self._unread = (self._unread + more).split(b"\n")
            self.lines += [line.decode() for line in complete]
        return self.lines

    def health(self) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def end(self, sent: signal.Signals) -> int:
        """Send a signal to it alone, and wait for its end."""
        self.process.send_signal(sent)
        return self.process.wait(60)

    def descendants(self) -> list[int]:
        """The processes it started, and theirs."""
        found, asked = [], [self.process.pid]
        while asked:
            pid = asked.pop()
            children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            found += children
            asked += children
        return found


def manage(var: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*DEV, "manage", *arguments], env=environment(var), capture_output=True, text=True, timeout=PATIENCE_S
    )


def patients(var: Path) -> str:
    answer = manage(var, "shell", "--no-imports", "-c", "from patients.models import Patient; print(Patient.objects.count())")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[Path, list[str]]]:
    """A var/ whose first start is over, and what that printed."""
    directory = Path(tempfile.mkdtemp(prefix="cmvig-test-", dir="/tmp"))
    directory.chmod(0o755)
    with Site(directory / "var") as site:
        lines = site.read_until("ready ")
        assert lines[-1] == f"ready http://127.0.0.1:{site.port}"
        assert site.health()[0] == 200
        assert site.end(signal.SIGINT) == 0
    assert not (directory / "var" / "postgres" / "postmaster.pid").exists()
    yield directory / "var", lines
    shutil.rmtree(directory, ignore_errors=True)


def test_the_first_start_prints_the_demonstration_accounts_and_keeps_them_private(started: tuple[Path, list[str]]) -> None:
    var, lines = started
    accounts = json.loads((var / "demo-accounts.json").read_text())
    roles = [account["role"].lower() for account in accounts]
    for role, number in {"pharmacist": 2, "nurse": 2, "prescriber": 1, "auditor": 1, "administrator": 1}.items():
        assert roles.count(role) >= number, role
    for account in accounts:
        assert any(account["username"] in line and account["password"] in line for line in lines)
    for file in ("demo-accounts.json", "secret-key", "postgres-passwords.json"):
        assert stat.S_IMODE((var / file).stat().st_mode) == 0o600, file


def test_the_next_start_keeps_all_data_and_a_request_to_end_stops_all_it_started(started: tuple[Path, list[str]]) -> None:
    var, first = started
    before = patients(var)
    with Site(var) as site:
        again = site.read_until("ready ")
        assert patients(var) == before  # through the server that runs
        processes = site.descendants()
        assert len(processes) >= 4  # the database, gunicorn and its two workers
        assert site.end(signal.SIGTERM) == 0
    accounts = first[first.index(next(line for line in first if "accounts" in line)) : -1]
    assert set(accounts) <= set(again)
    for pid in processes:
        wait_until_gone(pid)


def test_a_killed_database_is_started_again_and_a_killed_launcher_leaves_no_process(started: tuple[Path, list[str]]) -> None:
    var = started[0]
    with Site(var) as site:
        site.read_until("ready ")
        kill_at_once(int((var / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
        site.read_until("The database has stopped")
        deadline = time.monotonic() + 60
        while (answer := site.health())[0] != 200:
            assert time.monotonic() < deadline, answer
        processes = site.descendants()
        site.end(signal.SIGKILL)
    for pid in processes:
        wait_until_gone(pid)


def test_who_serves_pages_is_not_told_the_password_of_the_owner() -> None:
    told = of_the_app_alone({"DATABASE_URL": "the app's", "DATABASE_OWNER_URL": "the owner's", "PORT": "8000"})
    assert told == {"DATABASE_URL": "the app's", "PORT": "8000"}


def test_a_taken_port_is_named_before_anything_is_done(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        answer = subprocess.run([*DEV, "run"], env=environment(tmp_path / "var", PORT=port), capture_output=True, text=True)
    assert answer.returncode == 1
    assert port in answer.stderr
    assert not (tmp_path / "var").exists()


def test_manage_passes_on_output_and_exit_code_and_stops_what_it_started(started: tuple[Path, list[str]]) -> None:
    var = started[0]
    answer = manage(var, "shell", "--no-imports", "-c", "import sys; print('only this'); sys.exit(7)")
    assert (answer.returncode, answer.stdout, answer.stderr) == (7, "only this\n", "")
    assert not (var / "postgres" / "postmaster.pid").exists()


def test_a_command_that_needs_no_database_starts_none(tmp_path: Path) -> None:
    answer = manage(tmp_path / "var", "check_cases", "--library", "no-such-file.csv")
    assert answer.returncode == 2
    assert not (tmp_path / "var" / "postgres").exists()
