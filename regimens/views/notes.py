"""Notes and queries in a chart."""

from __future__ import annotations

urls: list = []
