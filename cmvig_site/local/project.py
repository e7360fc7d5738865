"""Where the project is, what it keeps in var/, and the environment its own processes run in."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from cmvig_site.local.credentials import write_private

ROOT = Path(__file__).resolve().parents[2]
MANAGE = (sys.executable, str(ROOT / "manage.py"))


def state_directory() -> Path:
    """CMVIG_VAR, or var/ below the project: the embedded server's data, the secret key, what ./dev run generates."""
    return Path(os.environ.get("CMVIG_VAR") or ROOT / "var").resolve()


def make_state_directory(state: Path) -> None:
    """Make it if it is absent: closed to others, except that root's stepped-down server may pass through without looking."""
    if not state.exists():
        state.mkdir(parents=True)
        state.chmod(0o711 if os.geteuid() == 0 else 0o700)


def make_secret_key(state: Path) -> None:
    """Make `secret-key` (mode 0600) where neither it nor SECRET_KEY exists. The settings read it."""
    file = state / "secret-key"
    make_state_directory(state)
    if not os.environ.get("SECRET_KEY") and not file.exists():
        write_private(file, secrets.token_urlsafe(64))


def environment(**changes: str) -> dict[str, str]:
    """Our environment with `changes`, and the project importable from whatever directory we were called in."""
    search_path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": search_path, **changes}
