"""Changing a running course: another weight, a corrected transplant time, a moved dose."""

from __future__ import annotations

urls: list = []
