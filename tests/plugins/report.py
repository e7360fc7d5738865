"""Counts what passed, failed and could not run, for `./dev test` (cmvig_site/local/testing.py) and for people."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

NOT_RUN_EXIT_CODE = 3


class Tally:
    """Test by test: failed in any phase is failed, left out for any reason is not run, the rest passed."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.not_run: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test."""
        self._note(report)
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not be read, or that left itself out."""
        self._note(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say aloud what did not run, where `./dev test` does not."""
        if not os.environ.get("CMVIG_TEST_OUTCOME"):
            for name, reason in self.not_run.items():
                terminalreporter.write_line(f"NOT RUN: {name}: {reason}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Leave the counts for `./dev test`; a run in which something could not run is not a success."""
        if report := os.environ.get("CMVIG_TEST_OUTCOME"):
            counts = {
                "passed": len(self.passed - self.failed),
                "failed": len(self.failed),
                "not_run": [(name, reason) for name, reason in self.not_run.items() if name not in self.failed],
            }
            Path(report).write_text(json.dumps(counts))
        elif session.exitstatus == pytest.ExitCode.OK and self.not_run:
            session.exitstatus = NOT_RUN_EXIT_CODE

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed or hasattr(report, "wasxfail"):  # an expected failure is a failure here
            self.failed.add(report.nodeid)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.not_run[report.nodeid] = reason.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """Count in the process that hears of every test, not in its workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tally(), "tally")
