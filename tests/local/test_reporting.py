"""A test that could not run is named and never counted as passed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cmvig_site.local.project import ROOT
from cmvig_site.local.testing import Outcome

PASSES = "def test_passes(): pass\n"
FAILS = "def test_fails(): assert 1 == 2\n"
LACKS = "from tests.support import not_run\ndef test_lacks(): not_run('no such machine')\n"
FAILS_AFTERWARDS = (
    "import pytest\n@pytest.fixture\ndef broken():\n    yield\n    raise RuntimeError\ndef test_seems_fine(broken): pass\n"
)
LACKS_ALL = "import pytest\npytest.importorskip('no_such_module')\n"
EXPECTS_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_hides(): assert 1 == 2\n"


def run(directory: Path, source: str, *, as_dev: bool = True) -> tuple[int, dict, str]:
    (directory / "test_it.py").write_text(source)
    report = directory / "report.json"
    environment = {**os.environ, "CMVIG_TEST_OUTCOME": str(report) if as_dev else "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "-p", "tests.plugins.report", directory]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return answer.returncode, json.loads(report.read_text()) if report.exists() else {}, answer.stdout


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        (PASSES, (1, 0, 0)),
        (PASSES + FAILS, (1, 1, 0)),
        (PASSES + LACKS, (1, 0, 1)),
        (FAILS_AFTERWARDS, (0, 1, 0)),
        (LACKS_ALL, (0, 0, 1)),
        (EXPECTS_FAILURE, (0, 1, 0)),
        ("this is no Python", (0, 1, 0)),
    ],
)
def test_each_test_is_counted_once_and_as_what_it_was(tmp_path: Path, source: str, counts: tuple[int, int, int]) -> None:
    _, found, _ = run(tmp_path, source)
    assert (found["passed"], found["failed"], len(found["not_run"])) == counts


def test_plain_pytest_names_what_did_not_run_and_is_no_success(tmp_path: Path) -> None:
    code, _, said = run(tmp_path, PASSES + LACKS, as_dev=False)
    assert code == 3
    assert "test_lacks: no such machine" in said


@pytest.mark.parametrize(
    ("outcome", "code", "last"),
    [
        (Outcome(passed=2), 0, "2 passed, 0 failed, 0 not run"),
        (Outcome(passed=2, not_run=[("a", "b")]), 3, "2 passed, 0 failed, 1 not run"),
        (Outcome(passed=2, failed=1, not_run=[("a", "b")]), 1, "2 passed, 1 failed, 1 not run"),
    ],
)
def test_the_exit_code_and_the_last_line_say_the_same(outcome: Outcome, code: int, last: str) -> None:
    assert outcome.exit_code == code
    assert outcome.lines()[-1] == last
    assert ("NOT RUN: a: b" in outcome.lines()) == bool(outcome.not_run)
