"""The prescriber's order, before a course is built from it."""

from __future__ import annotations

urls: list = []
