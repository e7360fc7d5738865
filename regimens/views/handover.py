"""Handing a patient's care to somebody elsewhere."""

from __future__ import annotations

urls: list = []
