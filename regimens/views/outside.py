"""Immune globulin given elsewhere, and what the prescriber says it counts as."""

from __future__ import annotations

urls: list = []
