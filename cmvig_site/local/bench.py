"""`./dev bench [rounds]`: how fast a whole course is computed, against the same decimal arithmetic written bare.

Ratios of one run, never seconds.
"""

from __future__ import annotations

import subprocess
import sys

from cmvig_site.local import project


def main(arguments: list[str]) -> int:
    """Run the benchmark of the rules in a process of its own; its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.domain", *arguments], cwd=project.ROOT, env=project.environment()
    ).returncode
