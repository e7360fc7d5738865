"""`./dev test`: every test, on a throw-away server, with what could not run said aloud.

Exit code 0 all passed, 1 something failed, 3 something could not run. The last line is `N passed, M failed, K not run`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cmvig_site.local import credentials, databases, preparing, project
from cmvig_site.local.postgres import Server
from cmvig_site.local.problems import Problem
from cmvig_site.local.processes import run_in_foreground
from cmvig_site.local.throwaway import SCRATCH_PREFIX, throwaway_server

TEMPLATE = "template_cmvig"
WORKERS = 2
PYTEST_PASSED, PYTEST_FAILED = 0, 1


@dataclass
class Outcome:
    """What became of the tests: counts, and (name, reason) of each that could not run."""

    passed: int = 0
    failed: int = 0
    not_run: list[tuple[str, str]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 something could not run."""
        return 1 if self.failed else 3 if self.not_run else 0

    def lines(self) -> list[str]:
        """What is printed at the very end."""
        missing = [f"NOT RUN: {name}: {reason}" for name, reason in self.not_run]
        return [*missing, f"{self.passed} passed, {self.failed} failed, {len(self.not_run)} not run"]


def main(arguments: list[str]) -> int:
    """Run pytest with `arguments` (and --full, which is ours) and report."""
    full = "--full" in arguments
    arguments = [argument for argument in arguments if argument != "--full"]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX)))
        environment = _environment(scratch, full=full)
        missing = []
        try:
            server = stack.enter_context(throwaway_server())
        except Problem as problem:
            missing.append(("every test that needs the database", " ".join(str(problem).split())))
        else:
            if failure := _prepare(server, environment):
                print(f"The tests could not be prepared: {failure}", file=sys.stderr)
                return _report(Outcome(failed=1))
            environment |= {**server.environment(), "CMVIG_TEST_TEMPLATE": TEMPLATE}
        outcome = _pytest(arguments, environment, scratch / "outcome.json")
    outcome.not_run[:0] = missing
    return _report(outcome)


def _report(outcome: Outcome) -> int:
    print("\n".join(outcome.lines()), flush=True)
    return outcome.exit_code


def _environment(scratch: Path, *, full: bool) -> dict[str, str]:
    """Ours, with nothing in it that leads to a real database or a real var/."""
    return project.environment(
        SECRET_KEY="only-for-the-tests-" + "x" * 40,
        CMVIG_PLAIN_HTTP="1",
        CMVIG_VAR=str(scratch),
        CMVIG_FULL="1" if full else "",
        CMVIG_TEST_TEMPLATE="",
        DATABASE_URL="",
        DATABASE_OWNER_URL="",
        CMVIG_THROWAWAY="1",
        EMAIL_URL="",
        DEBUG="",
    )


def _prepare(server: Server, environment: dict[str, str]) -> str:
    """Make the template: a migrated, guarded database with the shipped monograph; and collect the style sheets meanwhile.

    Returns what went wrong, or an empty string.
    """
    styles = preparing.prepare((preparing.STYLE_SHEETS,), environment)
    owner = server.url(role=credentials.OWNER)
    databases.clone(owner, template=databases.DATABASE, name=TEMPLATE)
    database = preparing.prepare(preparing.DATABASE, {**environment, **server.environment(database=TEMPLATE)})
    failures = [preparing.failure(database), preparing.failure(styles)]
    databases.seal(owner, TEMPLATE)
    return "\n".join(filter(None, failures))


def _pytest(arguments: list[str], environment: dict[str, str], report: Path) -> Outcome:
    command = [sys.executable, "-m", "pytest", *_spread(arguments), *arguments]
    code = run_in_foreground(command, {**environment, "CMVIG_TEST_OUTCOME": str(report)}, directory=project.ROOT)
    outcome = Outcome(**json.loads(report.read_text())) if report.exists() else Outcome()
    if code not in (PYTEST_PASSED, PYTEST_FAILED) or (code and not outcome.failed):
        print(f"pytest itself ended with {code}: interrupted, misused, or no test was found.", file=sys.stderr)
        outcome.failed = max(outcome.failed, 1)
    return outcome


def _spread(arguments: list[str]) -> list[str]:
    """Over two processes, unless one file alone was named or the caller says how many."""
    if any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in arguments):
        return []
    named = [project.ROOT / argument.partition("::")[0] for argument in arguments if not argument.startswith("-")]
    files = [path for path in named if path.is_file()]
    workers = "0" if len(files) == 1 and not any(path.is_dir() for path in named) else str(WORKERS)
    return ["-n", workers, "--dist", "loadgroup"]
