"""A pharmacist's go for one dose, and a prescriber's for a shorter interval."""

from __future__ import annotations

urls: list = []
