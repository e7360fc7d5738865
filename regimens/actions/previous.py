"""The CMV-IGIV before a dose, here or elsewhere: its minimum interval counts from there, and so does a signature under a shorter one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from regimens.domain import intervals
from regimens.models import Administration, IntervalRelease, OutsideDose, PlannedDose

# What records are annotated with: the course and the number of the dose they belong to.
OF_DOSE = {"of_course": F("dose__course_id"), "of_number": F("dose__number")}


@dataclass(frozen=True, slots=True)
class Previous:
    """When it started, when that was recorded, and which dose of which course it was, if one of a course."""

    started_at: datetime
    recorded_at: datetime
    course_id: str = ""
    number: int | None = None

    def is_part_of(self, dose: PlannedDose) -> bool:
        """Whether a dose is what was left of this one."""
        return dose.is_remainder and (self.course_id, self.number) == (str(dose.course_id), dose.number)


def last_start(records: Iterable[Administration], elsewhere: Iterable[OutsideDose]) -> Previous | None:
    """The last start that counts; ``records`` with ``OF_DOSE``."""
    starts = [
        Previous(r.started_at, r.recorded_at, str(r.of_course), r.of_number)  # type: ignore[attr-defined]  # annotated
        for r in records
        if r.is_counted
    ]
    starts += [Previous(start, row.recorded_at) for row in elsewhere if (start := row.interval_from) is not None]
    return max(starts, key=lambda one: one.started_at, default=None)


def interval_of(dose: PlannedDose, previous: Previous | None, starts_at: datetime) -> intervals.Interval:
    """The minimum interval of a dose that would start at an instant.

    What is left of a stopped dose keeps none to the part that was given, and all of it to any other dose.
    """
    return intervals.check_interval(
        starts_at=starts_at,
        previous_started_at=previous.started_at if previous else None,
        min_interval_hours=dose.min_interval_hours,
        is_remainder=previous is not None and previous.is_part_of(dose),
    )


def signature_under(signed: Iterable[IntervalRelease], previous: Previous | None) -> IntervalRelease | None:
    """The signature under a shorter interval: to the start that was known as the last one when it was signed, and to no later one."""
    live = [row for row in signed if previous is None or row.released_at > previous.recorded_at]
    return max(live, key=lambda row: row.released_at, default=None)
