"""`./dev drill crash`: is what was acknowledged still there, whole and once, whoever is killed meanwhile?

A durable server and the site on data of their own. Nurses record infusions while the site's processes and the database's are
killed without warning (SIGKILL) in the middle of it. Every kill waits for infusions that are under way, and the number of
infusions let loose before it keeps step with the number of kills, so that both end together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cmvig_site.local import credentials, drill_count, preparing, project
from cmvig_site.local.drill_clients import Nurse, Work
from cmvig_site.local.ports import HOST
from cmvig_site.local.postgres import Server
from cmvig_site.local.problems import Problem
from cmvig_site.local.processes import stop
from cmvig_site.local.serve import web_server
from cmvig_site.local.throwaway import throwaway_server

NURSES = 8
SITE_LOG = "site.log"
WHOLE_SITE_EVERY = 10  # else one of its serving processes
LONGEST_WAIT_BEFORE_KILL_S = 0.3
MOST_UNDER_WAY = 2 * NURSES
LOOK_AGAIN_S = 0.02


@dataclass
class Drill:
    """One drill: what is asked of it, what it works on, and what was killed."""

    kills: int
    db_kills: int
    logs: int
    deadline: float
    server: Server
    environment: dict[str, str]
    work: Work
    web: subprocess.Popen
    killed: int = 0
    db_killed: int = 0
    released: int = 0
    doses: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline

    def run(self) -> None:
        """Release, wait a moment, kill; and at the end wait for everything that is under way."""
        for share, kill in sorted(
            [*_spread(self.kills, self._kill_site), *_spread(self.db_kills, self._kill_database)], key=_by_share
        ):
            self._release(round(share * self.logs))
            time.sleep(random.uniform(0, LONGEST_WAIT_BEFORE_KILL_S))  # noqa: S311  the moment need not be secret
            self._keep_site_alive()
            if self.is_late:
                return
            kill()
            self._progress()
        self._release(self.logs)
        self._wait_until_under_way_is(0)

    def _release(self, until: int) -> None:
        """Let nurses begin with more doses, when those before are nearly done."""
        if until > self.released:
            self._wait_until_under_way_is(MOST_UNDER_WAY)
        while self.released < until:
            self.work.waiting.put(self.doses[self.released])
            self.released += 1

    def _wait_until_under_way_is(self, most: int) -> None:
        while self.released - self._answered() > most and not self.is_late:
            self._keep_site_alive()
            time.sleep(LOOK_AGAIN_S)

    def _answered(self) -> int:
        return len(self.work.acknowledged) + self.work.refused.total()

    def _kill_site(self) -> None:
        serving = _descendants(self.web.pid)[1:]
        if serving and self.killed % WHOLE_SITE_EVERY:
            _kill([random.choice(serving)])  # noqa: S311
        else:
            os.killpg(self.web.pid, signal.SIGKILL)  # a session that we began: its leader and all it started
            self.web.wait()
        self.killed += 1

    def _kill_database(self) -> None:
        process = self.server.process
        if process is None:
            raise Problem("The drill's database was not started by the drill.")
        _kill(_descendants(process.pid))
        process.wait()
        self.db_killed += 1
        self.server.start()

    def _keep_site_alive(self) -> None:
        """Its own service manager: what was killed is started again."""
        if self.web.poll() is not None:
            self.web = _start_site(self.environment, self.work.port, self.server.state)

    def _progress(self) -> None:
        if (self.killed + self.db_killed) % 23 == 0:
            told = len(self.work.acknowledged)
            print(f"killed {self.killed} and {self.db_killed}, acknowledged {told}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run the drill; 0 if every figure is met, else 1."""
    asked = _arguments(arguments)
    with ExitStack() as stack:
        deadline = time.monotonic() + asked.minutes * 60
        server = stack.enter_context(throwaway_server(durable=True))
        environment = _environment(server)
        print(f"Preparing {asked.logs} patients on a server of the drill's own", file=sys.stderr, flush=True)
        for commands in (preparing.DATABASE, (preparing.STYLE_SHEETS,)):
            if failure := preparing.failure(preparing.prepare(commands, environment)):
                raise Problem(failure)
        facts = _patients(asked.logs, environment)
        work = Work(facts, _free_port())
        web = _start_site(environment, work.port, server.state)
        drill = Drill(asked.kills, asked.db_kills, asked.logs, deadline, server, environment, work, web, doses=facts["doses"])
        stack.callback(lambda: stop(drill.web, signal.SIGTERM, patience_s=15))
        nurses = [Nurse(work, account) for account in facts["accounts"]]
        stack.callback(_end, work, nurses)
        _wait_until_answering(web, work.port, server.state)
        for nurse in nurses:
            nurse.start()
        drill.run()
        _end(work, nurses)
        return _report(drill, asked)


def _start_site(environment: dict[str, str], port: int, state: Path) -> subprocess.Popen:
    """The site's server; what it says, much of it about killed connections, goes to a file beside the data."""
    with os.fdopen(os.open(state / SITE_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)) as log:
        return web_server(environment, port, log=log.fileno())


def _wait_until_answering(web: subprocess.Popen, port: int, state: Path) -> None:
    while True:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        if web.poll() is not None:
            raise Problem(f"The site did not start:\n{(state / SITE_LOG).read_text()}")
        time.sleep(LOOK_AGAIN_S)


def _report(drill: Drill, asked: argparse.Namespace) -> int:
    work = drill.work
    told = list(work.acknowledged)
    figures = drill_count.count(drill.server.url(role=credentials.OWNER), told)
    broken = preparing.failure(preparing.prepare(("verify_audit",), drill.environment))
    print(f"history: {broken.splitlines()[-1] if broken else 'every entry fits the one before it'}")
    print(f"sent again after: {dict(work.retried)}; refused: {dict(work.refused)}")
    if drill.is_late:
        print(f"Ended after {asked.minutes} minutes, before all was done.")
    reached = (drill.killed, drill.db_killed, len(told), figures.present, figures.half, figures.duplicates)
    names = ("kills", "db_kills", "acknowledged", "present", "half", "duplicates")
    print(" ".join(f"{name}={value}" for name, value in zip(names, reached, strict=True)), flush=True)
    return 0 if not broken and reached == (asked.kills, asked.db_kills, asked.logs, asked.logs, 0, 0) else 1


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("drill", choices=["crash"])
    parser.add_argument("--kills", type=int, default=200, help="kills of the site's processes")
    parser.add_argument("--db-kills", type=int, default=30, help="kills of the database with all its processes")
    parser.add_argument("--logs", type=int, default=1000, help="infusions to record")
    parser.add_argument("--minutes", type=float, default=30, help="after these it ends, and says what was reached")
    return parser.parse_args(arguments)


def _environment(server: Server) -> dict[str, str]:
    """Ours, with nothing in it that leads to a real database or a real var/."""
    return project.environment(
        **server.environment(),
        SECRET_KEY=secrets.token_urlsafe(64),
        CMVIG_VAR=str(server.state),
        CMVIG_PLAIN_HTTP="1",
        CMVIG_THROWAWAY="",
        ALLOWED_HOSTS=HOST,
        DEBUG="",
        EMAIL_URL="",
    )


def _patients(count: int, environment: dict[str, str]) -> dict:
    command = [sys.executable, "-m", "cmvig_site.local.drill_data", str(count), str(NURSES)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True)
    if answer.returncode:
        raise Problem(f"The drill's patients could not be made:\n{answer.stderr}")
    return json.loads(answer.stdout)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def _spread(count: int, kill: object) -> list:
    """The kill so many times, each with the share of the infusions that is let loose before it."""
    return [((number + 1) / count, kill) for number in range(count)]


def _by_share(step: tuple) -> float:
    return step[0]


def _descendants(pid: int) -> list[int]:
    """The process and all it started, parents first; itself alone where /proc cannot tell."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state parent …, where the name may hold anything
            words = entry.read_text().rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(entry.parent.name))
    found = [pid]
    for known in found:
        found += parents.get(known, [])
    return found


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end(work: Work, nurses: list[Nurse]) -> None:
    work.over.set()
    for nurse in nurses:
        nurse.join(60)
