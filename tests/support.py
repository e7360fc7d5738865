"""What any test may call: say that it cannot run here, and choose how much it tries."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

FULL = os.environ.get("CMVIG_FULL") == "1"


def not_run(reason: str) -> NoReturn:
    """End the test as NOT RUN, with the reason, because this machine lacks something. Never counted as passed:
    `./dev test` names it and exits with 3. This is the only way to leave a test out."""
    pytest.skip(reason)


def count(quick: int, full: int) -> int:
    """How many rounds, rows or processes: `quick` as a rule, `full` under `./dev test --full`."""
    return full if FULL else quick
