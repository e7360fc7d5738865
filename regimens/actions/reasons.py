"""Reasons chosen from the monograph's lists: editors keep the lists, and what is chosen is kept as it read on that day."""

from __future__ import annotations

from patients.refusal import Refusal
from regimens.domain.monograph import Monograph, ReasonCode


def chosen(
    value: Monograph, kind: str, code: str, words: str, *, sentence: str = "Choose a reason from the list."
) -> ReasonCode:
    """The listed reason with this code.

    Refused: "unknown_reason" for a code that is not in the list of its kind; "reason_text" where the reason needs words and has none.
    """
    known = next((row for row in value.listed(kind) if row.code == code), None)
    if known is None:
        raise Refusal("unknown_reason", sentence, field="reason_code")
    if known.needs_text and not words.strip():
        raise Refusal("reason_text", "This reason needs words.", field="reason")
    return known
