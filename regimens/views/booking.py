"""When and where a dose is to be given."""

from __future__ import annotations

urls: list = []
