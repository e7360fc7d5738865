"""`./dev mutation [mutmut arguments]`: change the rules one thing at a time and see whether a test notices.

Then the survivors are named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cmvig_site.local import project


def main(arguments: list[str]) -> int:
    """Run mutmut as pyproject.toml configures it, and list what survived. Takes about an hour; 1 when mutmut itself fails."""
    program = str(Path(sys.executable).parent / "mutmut")
    environment = project.environment()
    ran = subprocess.run([program, "run", *arguments], cwd=project.ROOT, env=environment).returncode
    listed = subprocess.run([program, "results"], cwd=project.ROOT, env=environment).returncode
    return 1 if ran or listed else 0
