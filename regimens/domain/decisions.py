"""The dose to decide about, and what one decision would yield."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from .exposure import GivenDose
from .monograph import Protocol
from .reasons import Derivation, Refused
from .schedule import Window


class Decision(StrEnum):
    """Every decision a prescriber can sign."""

    GIVE_LATE = "give_late"
    GIVE_LATE_AND_SHIFT = "give_late_and_shift"
    GIVE_REMAINDER = "give_remainder"
    ACCEPT_PARTIAL = "accept_partial"
    OMIT = "omit"
    CHANGE_DOSE = "change_dose"
    HOLD = "hold"
    STOP = "stop"
    CHANGE_PROTOCOL = "change_protocol"


@dataclass(frozen=True, slots=True)
class Case:
    """What is known about the dose to decide on.

    ``anchor_on`` is day 0 or day 1; ``windows`` are all doses of the course with ``code`` among them; ``given`` every infusion
    so far, given elsewhere included; ``settled_codes`` doses that were
    omitted or cancelled. ``given_mg`` is set when the dose was begun and stopped. ``allows_shift`` is the centre's switch,
    ``shifted_days`` what it has used. ``is_remainder``: the dose is what was left of a stopped one.
    ``organs`` are those of the graft (empty: the protocol's own).
    """

    code: str
    protocol: Protocol
    anchor_on: date
    windows: tuple[Window, ...]
    given: tuple[GivenDose, ...]
    ordered_mg: Decimal
    weight_kg: Decimal
    settled_codes: frozenset[str] = frozenset()
    given_mg: Decimal | None = None
    allows_shift: bool = False
    shifted_days: int = 0
    is_on_hold: bool = False
    is_remainder: bool = False
    organs: frozenset[str] = frozenset()

    @property
    def window(self) -> Window:
        """The dose's own window; Refused when the course has none of that code."""
        for window in self.windows:
            if window.code == self.code:
                return window
        raise Refused(
            "unknown_dose",
            f"The course has no dose {self.code}.",
            source="Missed doses",
            field="code",
            value=self.code,
            limit=", ".join(window.code for window in self.windows),
        )

    @property
    def later(self) -> tuple[Window, ...]:
        """The doses after it that are still to be given, in order."""
        done = self.settled_codes | {dose.code for dose in self.given}
        number = self.window.number
        return tuple(window for window in self.windows if window.number > number and window.code not in done)


@dataclass(frozen=True, slots=True)
class Option:
    """One decision and what it would yield. ``needs_signature`` marks a departure from a limit that only a signed decision
    releases.
    """

    decision: Decision
    is_available: bool
    needs_signature: bool
    give_at: datetime | None
    latest_on: date | None
    dose_mg: Decimal | None
    mg_per_kg: Decimal | None
    days_since_last: int | None
    days_to_next: int | None
    next_code: str
    next_opens_at: datetime | None
    new_targets: tuple[tuple[str, date], ...]
    mg_per_kg_in_7_days: Decimal
    mg_per_kg_in_28_days: Decimal
    reasons_for: tuple[str, ...]
    reasons_against: tuple[str, ...]
    working: Derivation
