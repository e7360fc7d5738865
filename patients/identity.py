"""The identity check at signatures and at the bedside: typing it again cut wrong-patient sessions by 41 percent, a click by 16."""

from __future__ import annotations

from datetime import date


def identity_matches(mrn: str, birth_on: date, mrn_tail: str, birth_year: str) -> bool:
    """Whether the typed last 4 characters of the record number and the birth year are this patient's. Spaces and case do not count."""
    own = "".join(mrn.split()).casefold()
    typed = "".join(mrn_tail.split()).casefold()
    return len(typed) == min(4, len(own)) and own.endswith(typed) and birth_year.strip() == f"{birth_on.year:04d}"
