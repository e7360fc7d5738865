"""`./dev run`: the whole site on this machine, from an empty var/ to the line `ready http://127.0.0.1:8000`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from cmvig_site.local import preparing, project
from cmvig_site.local.ports import HOST, port, refuse_taken_port
from cmvig_site.local.postgres import Server
from cmvig_site.local.problems import Problem
from cmvig_site.local.processes import dies_with_us, stop

PREPARATION = (*preparing.DATABASE, "load_demo --if-empty", preparing.STYLE_SHEETS)
READY_WITHIN_S = 60
GRACEFUL_STOP_S = 10
LOOK_AGAIN_S = 1.0


class StopRequested(BaseException):
    """Ctrl-C, or a request to end from another program."""


def main(arguments: list[str]) -> int:
    """Serve until told to stop; 0 then, and everything that was started has been stopped."""
    if arguments:
        raise Problem(f"./dev run takes no arguments (was given {' '.join(arguments)}).")
    refuse_taken_port()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop_once)
    try:
        with ExitStack() as stack:
            _serve(stack)
    except StopRequested:
        print("Stopped.", file=sys.stderr)
    return 0


def _stop_once(_number: int, _frame: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the tidying up
    raise StopRequested


def _serve(stack: ExitStack) -> None:
    state = project.state_directory()
    server = None if os.environ.get("DATABASE_URL") else Server(state)
    if server:
        stack.callback(server.stop)
        server.start()
    project.make_secret_key(state)
    environment = project.environment(**server.environment() if server else {})
    environment.setdefault("CMVIG_PLAIN_HTTP", "1")
    print("Preparing the database and the pages (the first time takes a minute)", flush=True)
    if failure := preparing.failure(preparing.prepare(PREPARATION, environment)):
        raise Problem(failure)
    web = web_server(environment, port())
    stack.callback(stop, web, signal.SIGTERM, patience_s=GRACEFUL_STOP_S + 5)
    _wait_until_healthy(web)
    print(_accounts(state / "demo-accounts.json"))
    print(f"ready http://{HOST}:{port()}", flush=True)
    _watch(web, server)


def web_server(environment: dict[str, str], on_port: int, *, log: int | None = None) -> subprocess.Popen:
    """The site's own server, in a session of its own: two processes that serve, and the one that started them.

    What it says goes to our standard error, or to the file descriptor `log`.
    """
    options = {
        "--bind": f"{HOST}:{on_port}",
        "--chdir": str(project.ROOT),
        "--graceful-timeout": str(GRACEFUL_STOP_S),
        "--log-level": "warning",
        "--threads": "4",
        "--worker-class": "gthread",
        "--workers": "2",
    }
    flags = [part for option in options.items() for part in option]
    # Its control socket lies in the home directory and is shared by every gunicorn of the account: off.
    command = [sys.executable, "-m", "gunicorn", *flags, "--preload", "--no-control-socket", "cmvig_site.wsgi:application"]
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,  # Ctrl-C in the terminal reaches us alone
        preexec_fn=dies_with_us(signal.SIGTERM),
    )


def of_the_app_alone(environment: dict[str, str]) -> dict[str, str]:
    """The environment without the owner's address: who serves pages never knows that password."""
    return {name: value for name, value in environment.items() if name != "DATABASE_OWNER_URL"}


def _wait_until_healthy(web: subprocess.Popen) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while (answer := _health()) is None or answer[0] != http.client.OK:
        if web.poll() is not None:
            raise Problem(f"The web server ended with {web.returncode}; what it said is above.")
        if time.monotonic() > deadline:
            raise Problem(f"The site is not healthy after {READY_WITHIN_S} s: {answer[1] if answer else 'no answer'}")
        time.sleep(0.1)


def _health() -> tuple[int, str] | None:
    connection = http.client.HTTPConnection(HOST, port(), timeout=10)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _accounts(file: Path) -> str:
    if not file.exists():
        return "No demonstration accounts here: this database holds other data."
    accounts = json.loads(file.read_text())
    rows = [[account[name] for name in ("username", "role", "centre", "password")] for account in accounts]
    widths = [max(len(value) for value in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"Demonstration accounts (user name, role, centre, password), also in {file}:", *lines])


def _watch(web: subprocess.Popen, server: Server | None) -> None:
    """Until the web server ends. A database that is gone (killed, or stopped by who started it) is started again."""
    while True:
        try:
            web.wait(LOOK_AGAIN_S)
        except subprocess.TimeoutExpired:
            if server and not server.is_running():
                print("The database has stopped; starting it again.", file=sys.stderr)
                server.start()
        else:
            raise Problem(f"The web server ended with {web.returncode}.")
