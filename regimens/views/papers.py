"""Payer authorization, vials and consent of a course."""

from __future__ import annotations

urls: list = []
