"""The embedded PostgreSQL server: made, started, found running, and stopped, whatever happened to it before.

Who holds the lock file beside the data is using them: a starting process first, then the server itself, which inherits
the open file with all its own processes. So one lock says that a start is under way, that a server runs, or that the
last processes of a killed server have not left yet; and no process number left in a file is ever believed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from cmvig_site.local import credentials, databases
from cmvig_site.local.placement import Placement, place
from cmvig_site.local.problems import Problem
from cmvig_site.local.processes import dies_with_us, stop, works_in
from cmvig_site.local.project import make_state_directory

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 30
LOG_KEPT_BYTES = 5_000_000
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # bytes; Linux allows 107, macOS 103

# Nothing listens on the network. Server messages carry values of rows in their details ("Key (mrn)=(…)"): they are cut.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}
# For tests alone: a power cut may lose everything, and nothing is lost.
THROWAWAY_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "256MB"}
ACCESS_RULES = "# Every role by its password, through the socket alone.\nlocal all all scram-sha-256\n"


class Server:
    """One PostgreSQL server on the directory `state`/postgres, reached through a Unix socket.

    Use it as a context manager, from the main thread. `start()` starts the server, or attaches to the one that already
    runs on these data: then `attached` is true and `stop()` leaves it alone. The process that started it owns it: when
    that one stops, the server stops, even if others are attached. They may call `start()` again.

    A `throwaway` server does not wait for the disk, and lets the owner make databases: see `throwaway()`.
    """

    def __init__(self, state: Path, *, throwaway: bool = False, patience_s: float = START_PATIENCE_S) -> None:
        self.state = Path(state).resolve()
        self.log = self.state / "postgres.log"
        self._password_file = self.state / "postgres-passwords.json"
        self.throwaway = throwaway
        self.patience_s = patience_s
        self.attached = False
        self.process: subprocess.Popen | None = None
        self._placement: Placement | None = None
        self._passwords: dict[str, str] = {}

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def placement(self) -> Placement:
        """Where the server runs, and as whom; known once it has been started."""
        if self._placement is None:
            raise RuntimeError("the server has not been started")
        return self._placement

    def url(self, *, role: str = credentials.APP, database: str = databases.DATABASE) -> str:
        """The address of a database for one of the roles."""
        return credentials.url(
            role=role, password=self._passwords[role], database=database, socket_directory=self.socket_directory()
        )

    def environment(self, *, database: str = databases.DATABASE) -> dict[str, str]:
        """The two variables the settings read."""
        return {
            "DATABASE_URL": self.url(database=database),
            "DATABASE_OWNER_URL": self.url(role=credentials.OWNER, database=database),
        }

    def socket_directory(self, *, make: bool = False) -> Path:
        """The data directory, which is private; a short private directory of /tmp where its path is too long for a socket."""
        data = self.placement.data
        if len(os.fsencode(data / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return data
        note = self.state / "postgres-socket"
        if note.exists() and (directory := Path(note.read_text())) and self._is_private(directory):
            return directory
        if not make:
            return data
        directory = Path(tempfile.mkdtemp(prefix="cmvig-", dir="/tmp"))
        self.placement.make_private(directory)
        credentials.write_private(note, str(directory))
        return directory

    def start(self) -> None:
        """Return once the server answers and holds the database `cmvig` with its roles. Raises Problem."""
        make_state_directory(self.state)
        self._placement = place(self.state / "postgres")
        self.attached = False
        deadline = time.monotonic() + self.patience_s
        with os.fdopen(os.open(self.state / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            while not _locked(lock.fileno()):
                if self.answers():
                    self.attached = True
                    return
                if time.monotonic() > deadline:
                    raise Problem(f"Another process still uses {self.placement.data} and does not answer. Its log: {self.log}")
                time.sleep(0.05)
            self._start(lock.fileno(), deadline)

    def answers(self) -> bool:
        """Whether the app's role can sign in to the database now."""
        if not self._password_file.exists():
            return False
        self._read_passwords()
        return not _refusal(self.url())

    def is_running(self) -> bool:
        """Whether the server we started or attached to is still there."""
        return self.process.poll() is None if self.process else self.answers()

    def stop(self) -> None:
        """Stop the server if this object started it: sessions are ended, data are written. Otherwise do nothing."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, patience_s=STOP_PATIENCE_S)
            self.process = None

    # -- steps of a start, in their order ------------------------------------------------------------------------

    def _start(self, lock: int, deadline: float) -> None:
        data = self.placement.data
        passwords_are_new = self._read_passwords()
        if not data.exists():
            self._make_data(data)
        elif passwords_are_new:
            self._reset_superuser(data)
        self._clear_leftovers(data)
        self.process = self._spawn(lock, data)
        try:
            superuser = self.url(role=credentials.SUPERUSER, database="postgres")
            while refusal := _refusal(superuser):
                if "password authentication failed" in refusal:
                    raise Problem(
                        f"{self._password_file} does not fit these data. Without the file, the next start makes new passwords."
                    )
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Problem(f"PostgreSQL did not start. The end of {self.log}:\n{self._end_of_log()}")
                time.sleep(0.02)
            databases.prepare(superuser, self._passwords, makes_databases=self.throwaway)
        except BaseException:
            self.stop()
            raise

    def _read_passwords(self) -> bool:
        self._passwords, are_new = credentials.read_or_make(self._password_file)
        return are_new

    def _make_data(self, data: Path) -> None:
        """initdb beside the final place, then one rename: an interrupted initdb leaves nothing that looks like data."""
        unfinished = data.with_name(f"{data.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.placement.make_private(unfinished)
        password = unfinished / "password"
        credentials.write_private(password, self._passwords[credentials.SUPERUSER])
        if self.placement.account:
            os.chown(password, self.placement.account.pw_uid, self.placement.account.pw_gid)
        locale = ["--locale=C.UTF-8"]
        if self.placement.major >= 17:  # its own Unicode rules, the same on every system
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["-U", credentials.SUPERUSER, f"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8", "--data-checksums"]
        if self.throwaway:
            options.append("--no-sync")
        self._run("initdb", "-D", unfinished / "data", *options, *locale)
        (unfinished / "data" / "pg_hba.conf").write_text(ACCESS_RULES)
        (unfinished / "data").rename(data)
        shutil.rmtree(unfinished)

    def _reset_superuser(self, data: Path) -> None:
        """The file of passwords was lost, or never written: set the new one without a server."""
        statement = f"ALTER ROLE {credentials.SUPERUSER} PASSWORD '{self._passwords[credentials.SUPERUSER]}'\n"
        self._clear_leftovers(data)
        self._run("postgres", "--single", "-D", data, "postgres", stdin=statement)

    def _clear_leftovers(self, data: Path) -> None:
        """Remove the files in which a killed server named its process; the number may be anybody's by now."""
        pid_file = data / "postmaster.pid"
        if pid_file.exists():
            first_line = pid_file.read_text().partition("\n")[0]
            if first_line.isdigit() and works_in(int(first_line), data):
                raise Problem(f"A PostgreSQL that ./dev did not start (process {first_line}) runs on {data}. Stop it first.")
        for file in (pid_file, self.socket_directory() / f"{SOCKET_NAME}.lock", self.socket_directory() / SOCKET_NAME):
            file.unlink(missing_ok=True)

    def _spawn(self, lock: int, data: Path) -> subprocess.Popen:
        settings = SETTINGS | {"unix_socket_directories": str(self.socket_directory(make=True))}
        if self.throwaway:
            settings |= THROWAWAY_SETTINGS
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)) as log:
            return subprocess.Popen(
                self.placement.command("postgres", "-D", data, *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone
                preexec_fn=dies_with_us(signal.SIGINT),
                **self.placement.popen_options(),
            )

    # -- small things --------------------------------------------------------------------------------------------

    def _is_private(self, directory: Path) -> bool:
        with suppress(OSError):
            status = directory.lstat()
            expected = self.placement.account.pw_uid if self.placement.account else os.geteuid()
            return stat.S_ISDIR(status.st_mode) and status.st_uid == expected and stat.S_IMODE(status.st_mode) == 0o700
        return False

    def _run(self, program: str, *arguments: object, stdin: str = "") -> None:
        command = self.placement.command(program, *arguments)
        answer = subprocess.run(command, capture_output=True, text=True, input=stdin, **self.placement.popen_options())
        if answer.returncode:
            raise Problem(f"{program} failed:\n{answer.stdout}{answer.stderr}")

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(url: str) -> str:
    """Why one cannot sign in with this address, or an empty string."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return str(error) or "no answer"
    return ""
