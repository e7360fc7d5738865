"""Results, antibody removal and the checklist of risks."""

from __future__ import annotations

urls: list = []
