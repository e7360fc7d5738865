"""A server for one run of the tests or the drill: in a temporary directory, gone afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmvig_site.local.postgres import Server

PREFIX = "cmvig-throwaway-"
SCRATCH_PREFIX = "cmvig-tests-"  # what the tests write beside the server
ABANDONED_AFTER_S = 24 * 3600


@contextmanager
def throwaway_server(*, durable: bool = False) -> Iterator[Server]:
    """Start one, and remove it and its data at the end. What an earlier, killed run left behind is removed as well.

    It does not wait for the disk, as the tests need it, unless it is to be `durable` as a hospital's is.
    """
    _sweep()
    state = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    if os.geteuid() == 0:
        state.chmod(0o711)  # the server's account passes through; see placement.py
    server = Server(state, throwaway=not durable)
    directories = [state]
    try:
        with server:
            # Neither need be below `state`: see placement.py, and long paths in postgres.py.
            beside = (server.placement.data.parent, server.socket_directory())
            directories += [directory for directory in beside if state not in (directory, *directory.parents)]
            yield server
    finally:
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


def _sweep() -> None:
    """Remove the directories of our own runs that were killed: a day old, and in nobody's use."""
    for prefix in (PREFIX, SCRATCH_PREFIX):
        for state in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            status = state.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > ABANDONED_AFTER_S and not _in_use(state):
                shutil.rmtree(state, ignore_errors=True)


def _in_use(state: Path) -> bool:
    """Whether a server holds the lock; a directory without one has no server."""
    try:
        with (state / "postgres.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
