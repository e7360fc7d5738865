"""When each dose of a protocol may be given: windows from an anchor, in calendar days of a zone, or in elapsed hours.

Weeks are calendar days; 72 hours are elapsed time. A dose given late never moves another one: targets hang on the anchor alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from . import guards
from .clock import ONE_DAY, day_start, last_day, local_day
from .monograph import Anchor, Protocol, ProtocolDose
from .reasons import SITE_POLICY, Derivation, Part, Refused

REPEATS_PER_7_DAYS = 2  # "twice weekly"


@dataclass(frozen=True, slots=True)
class TransplantAnchor:
    """The transplant as the zero of a course: the instant of reperfusion, and the zone where it was done.

    The anchor day stays the day in that zone wherever the patient is treated later. With ``time_known`` False the instant is
    the start of the day.
    """

    at: datetime
    zone_name: str
    time_known: bool = True

    @property
    def day(self) -> date:
        """Day 0."""
        return local_day(self.at, self.zone_name)


@dataclass(frozen=True, slots=True)
class FirstDoseAnchor:
    """The first dose as the start of a course: its calendar day is day 1."""

    on: date
    zone_name: str

    @property
    def day(self) -> date:
        """Day 1."""
        return guards.day(self.on, "on")


CourseAnchor = TransplantAnchor | FirstDoseAnchor


@dataclass(frozen=True, slots=True)
class Window:
    """One dose to give: the instants between which it may start, in UTC. ``closes_at`` is exclusive.

    ``target_at`` is the start of the target day; for a window in hours it equals ``opens_at``, and ``overdue_at`` equals
    ``closes_at``, so that
    such a dose is never overdue.
    """

    number: int
    code: str
    title: str
    mg_per_kg: Decimal
    target_on: date
    opens_at: datetime
    target_at: datetime
    overdue_at: datetime
    closes_at: datetime
    min_interval_hours: int
    row: ProtocolDose
    zone_name: str
    working: Derivation

    @property
    def in_hours(self) -> bool:
        """True when the window runs in elapsed hours from the anchor's instant."""
        return self.row.closes_after_hours is not None

    @property
    def opens_on(self) -> date:
        """First calendar day of the window in its zone."""
        return local_day(self.opens_at, self.zone_name)

    @property
    def last_on(self) -> date:
        """Last calendar day of the window in its zone (the closing instant itself is outside)."""
        return last_day(self.closes_at, self.zone_name)


def plan_windows(
    protocol: Protocol,
    anchor: CourseAnchor,
    *,
    centre_zone: str,
    chosen_optional: Collection[str] = (),
    repeat_dates: Sequence[date] = (),
    review_on: date | None = None,
) -> tuple[Window, ...]:
    """Every dose of the protocol with its window, in order of target day.

    Optional rows appear only when their code is in ``chosen_optional``; a row that repeats takes its days from ``repeat_dates``
    and needs ``review_on``.
    Refused: an anchor of the wrong kind, an optional code the protocol lacks, two alternatives at once, dates too close or not
    in order.
    """
    zone = guards.zone(centre_zone, "centre_zone")
    if protocol.anchor is Anchor.TRANSPLANT:
        if not isinstance(anchor, TransplantAnchor):
            raise Refused(
                "wrong_anchor",
                f"{protocol.title} is counted from the transplant.",
                source=protocol.source,
                field="anchor",
                value="first dose",
                limit="transplant",
            )
    elif not isinstance(anchor, FirstDoseAnchor):
        raise Refused(
            "wrong_anchor",
            f"{protocol.title} is counted from the first dose.",
            source=protocol.source,
            field="anchor",
            value="transplant",
            limit="first dose",
        )
    day0 = anchor.day
    windows: list[Window] = []
    for row in _chosen_rows(protocol, chosen_optional):
        if row.repeats:
            _check_repeats(row, day0, repeat_dates, review_on, windows)
            for count, on in enumerate(repeat_dates, 1):
                windows.append(
                    _day_window(
                        row,
                        f"{row.code}.{count}",
                        len(windows) + 1,
                        on,
                        zone,
                        centre_zone,
                        "R-WIN-7",
                        "dates chosen, review on {}",
                        (review_on,),
                    )
                )
        elif row.closes_after_hours is not None:
            windows.append(_hour_window(row, len(windows) + 1, anchor, day0, centre_zone))
        else:
            on = day0 + timedelta(days=row.offset_days)
            if protocol.anchor is Anchor.TRANSPLANT:
                windows.append(
                    _day_window(
                        row,
                        row.code,
                        len(windows) + 1,
                        on,
                        zone,
                        centre_zone,
                        "R-WIN-2",
                        "transplant day {} plus {}",
                        (day0, (row.offset_days, "days")),
                    )
                )
            else:
                windows.append(
                    _day_window(
                        row,
                        row.code,
                        len(windows) + 1,
                        on,
                        zone,
                        centre_zone,
                        "R-WIN-3",
                        "day {} with day 1 on {}",
                        (row.offset_days + 1, day0),
                    )
                )
    if repeat_dates and not any(window.row.repeats for window in windows):
        raise Refused(
            "dates_without_repeats",
            "Dates were given, but no dose that repeats was chosen.",
            source=protocol.source,
            field="repeat_dates",
            value=repeat_dates[0],
            limit="a dose that repeats",
        )
    return tuple(windows)


def _chosen_rows(protocol: Protocol, chosen: Collection[str]) -> list[ProtocolDose]:
    if not chosen:
        return [row for row in protocol.doses if not row.optional]
    optional = {row.code: row for row in protocol.doses if row.optional}
    for code in chosen:
        if code not in optional:
            raise Refused(
                "unknown_optional_dose",
                f"{protocol.title} has no optional dose {code}.",
                source=protocol.source,
                field="chosen_optional",
                value=code,
                limit=", ".join(optional),
            )
        if optional[code].alternative_of in chosen:
            raise Refused(
                "both_alternatives",
                f"{optional[code].title} stands in for {optional[code].alternative_of}: choose one.",
                source=optional[code].source,
                field="chosen_optional",
                value=code,
                limit="one of the two",
            )
    return [row for row in protocol.doses if not row.optional or row.code in chosen]


def _hour_window(row: ProtocolDose, number: int, anchor: CourseAnchor, day0: date, zone_name: str) -> Window:
    assert row.closes_after_hours is not None
    if not isinstance(anchor, TransplantAnchor):
        raise Refused(
            "needs_instant",
            f"{row.title} runs in hours and needs the time of the transplant.",
            source=row.window_source,
            field="anchor",
            value="a day",
            limit="an instant",
        )
    opens_at = guards.instant(anchor.at, "anchor.at")
    closes_at = opens_at + timedelta(hours=row.closes_after_hours)
    working = Derivation.later(_hour_window_parts, row, anchor, day0, zone_name, opens_at, closes_at)
    return Window(
        number,
        row.code,
        row.title,
        row.mg_per_kg,
        day0,
        opens_at,
        opens_at,
        closes_at,
        closes_at,
        row.min_interval_hours,
        row,
        zone_name,
        working,
    )


def _hour_window_parts(
    row: ProtocolDose, anchor: TransplantAnchor, day0: date, zone_name: str, opens_at: datetime, closes_at: datetime
) -> tuple[Part, ...]:
    edges = ((opens_at, zone_name), row.closes_after_hours, (closes_at, zone_name))
    parts: tuple[Part, ...] = (
        ("R-WIN-1", "open from the transplant, {}, for {} elapsed hours, until {}", edges, row.window_source),
    )
    if not anchor.time_known:
        parts += (("R-WIN-8", "the time of the transplant is not known: counted from the start of {}", (day0,), SITE_POLICY),)
    return parts


def _day_window(
    row: ProtocolDose,
    code: str,
    number: int,
    on: date,
    zone: tzinfo,
    zone_name: str,
    rule: str,
    why: str,
    values: tuple[object, ...],
) -> Window:
    """A window of whole days: opens, target day, closes; all three edges are starts of days in the centre's zone."""
    before, after = row.opens_days_before, row.closes_days_after
    target_at = day_start(on, zone)
    overdue_at = day_start(on + ONE_DAY, zone)
    opens_at = day_start(on - timedelta(days=before), zone) if before else target_at
    closes_at = day_start(on + timedelta(days=after + 1), zone) if after else overdue_at
    working = Derivation.later(_day_window_parts, row, on, zone_name, rule, why, values)
    return Window(
        number,
        code,
        row.title,
        row.mg_per_kg,
        on,
        opens_at,
        target_at,
        overdue_at,
        closes_at,
        row.min_interval_hours,
        row,
        zone_name,
        working,
    )


def _day_window_parts(
    row: ProtocolDose, on: date, zone_name: str, rule: str, why: str, values: tuple[object, ...]
) -> tuple[Part, ...]:
    edges = ((row.opens_days_before, "days"), (row.closes_days_after, "days"), zone_name)
    return (
        (rule, "target {}: " + why, (on, *values), row.source),
        ("R-WIN-4", "open {} before to {} after the target day, in {}", edges, row.window_source),
    )


def _check_repeats(
    row: ProtocolDose, day0: date, dates: Sequence[date], review_on: date | None, earlier: Sequence[Window]
) -> None:
    """Twice weekly has no days and no end in its source: someone must choose both."""
    if not dates:
        raise Refused(
            "repeat_dates_missing",
            f"{row.title}: enter the dates.",
            source=row.source,
            field="repeat_dates",
            value="none",
            limit="at least one date",
        )
    if review_on is None:
        raise Refused(
            "review_date_missing",
            f"{row.title}: enter the day on which it is reviewed or stopped.",
            source=row.source,
            field="review_on",
            value="none",
            limit="a date",
        )
    gap_days = -(-row.min_interval_hours // 24)
    known = [window.target_on for window in earlier]
    for place, on in enumerate(dates):
        previous = dates[place - 1] if place else (known[-1] if known else day0)
        if (on - previous).days < gap_days:
            raise Refused(
                "repeat_dates_too_close",
                f"{row.title}: doses are at least {gap_days} days apart, and after the dose before them.",
                source=row.window_source,
                field="repeat_dates",
                value=on,
                limit=previous + timedelta(days=gap_days),
            )
        if place >= REPEATS_PER_7_DAYS and (on - dates[place - REPEATS_PER_7_DAYS]).days < 7:
            raise Refused(
                "more_than_twice_weekly",
                f"{row.title}: no more than {REPEATS_PER_7_DAYS} doses in 7 days.",
                source=row.source,
                field="repeat_dates",
                value=on,
                limit=dates[place - REPEATS_PER_7_DAYS] + timedelta(days=7),
            )
    if review_on < dates[0]:
        raise Refused(
            "review_before_first",
            f"{row.title}: the review comes before the first dose.",
            source=row.source,
            field="review_on",
            value=review_on,
            limit=dates[0],
        )
