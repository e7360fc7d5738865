"""Holding a course and resuming it."""

from __future__ import annotations

urls: list = []
