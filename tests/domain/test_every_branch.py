"""Under ./dev test --full: the tests of the rules, run once more, take every branch of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import FULL

ROOT = Path(__file__).parents[2]
TESTS = ("tests/domain", "tests/regimens/test_check_cases.py")  # the second runs the reading of case files and their report
COVERAGE = ("--cov=regimens.domain", "--cov-branch", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100")

if FULL:

    def test_the_tests_of_the_rules_take_every_branch_of_them(tmp_path: Path) -> None:
        environment = os.environ | {"CMVIG_FULL": "", "CMVIG_TEST_OUTCOME": "", "COVERAGE_FILE": str(tmp_path / "coverage")}
        command = [sys.executable, "-m", "pytest", *TESTS, *COVERAGE, "-q", "-n0", "-m", "not django_db"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
