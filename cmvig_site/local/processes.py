"""Child processes that end when they are told to, and when whoever started them is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1


def dies_with_us(sent: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn`: the kernel sends `sent` to the child when the thread that started it ends, even by kill -9.

    Start such children from the main thread. None where the system has no such thing (macOS): there a child outlives
    a killed parent, and the next start finds it running.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(sent))
        if os.getppid() != parent:  # the parent died between fork and here
            os._exit(1)

    return ask


def stop(process: subprocess.Popen, sent: signal.Signals, *, patience_s: float) -> int:
    """Ask one process to end with `sent`, kill it after `patience_s` seconds, and return its exit code."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            process.send_signal(sent)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def works_in(pid: int, directory: Path) -> bool:
    """Whether a live process has `directory` as its working directory; False where /proc cannot tell."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory
    except OSError:
        return False


def run_in_foreground(command: Sequence[str], environment: dict[str, str], *, directory: Path | None = None) -> int:
    """Run a command with our own terminal and streams, and return its exit code as a shell would (128 + signal).

    We outlive it whatever happens: Ctrl-C reaches it through the terminal, and other requests to end are passed on.
    """
    process = subprocess.Popen(command, env=environment, cwd=directory, preexec_fn=dies_with_us(signal.SIGTERM))

    def pass_on(number: int, _frame: object) -> None:
        if number != signal.SIGINT or not _has_terminal():
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _has_terminal() -> bool:
    """Whether we are in the foreground of a terminal, where Ctrl-C reaches our children by itself."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
