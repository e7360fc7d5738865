"""Every open dose whose weight is old or no longer true."""

from __future__ import annotations

urls: list = []
