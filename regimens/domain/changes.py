"""What happens to a plan when something about it changes: a late referral, a corrected transplant time, a shift, a day on which
the clinic is closed.

Nothing here changes a dose that was given; differences are shown, people decide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from . import guards
from .clock import day_start
from .intervals import Timing, earliest_start, timing
from .reasons import SITE_POLICY, Derivation, Refused
from .schedule import Window
from .units import WEEKDAYS, day_text

BEFORE_TRANSPLANT_DAYS = 7  # site policy: immune globulin given this shortly before the graft may stand for the initial dose


@dataclass(frozen=True, slots=True)
class LateStart:
    """One dose of a patient who came late: to give here, given elsewhere, or not given before referral (never "missed" and
    never made up).
    """

    window: Window
    is_before_referral: bool
    was_given_outside: bool
    asks_now: bool
    working: Derivation


def mark_before_referral(
    windows: Sequence[Window], referred_at: datetime, given_outside: Collection[str] = ()
) -> tuple[LateStart, ...]:
    """Each window as it stands at referral. A window in hours that is already shut asks at once, unless its dose was given
    elsewhere.

    Refused: a code in ``given_outside`` that the plan lacks.
    """
    referred = guards.instant(referred_at, "referred_at")
    unknown = sorted(set(given_outside) - {window.code for window in windows})
    if unknown:
        raise Refused(
            "unknown_dose",
            f"The plan has no dose {unknown[0]}.",
            source="Late start",
            field="given_outside",
            value=unknown[0],
            limit=", ".join(w.code for w in windows),
        )
    rows = []
    for window in windows:
        given = window.code in given_outside
        shut = window.closes_at <= referred
        if given:
            sentence = "given elsewhere before referral"
        elif shut:
            sentence = "not given here, before referral"
        else:
            sentence = "to give here"
        rows.append(
            LateStart(
                window,
                shut and not given,
                given,
                shut and not given and window.in_hours,
                Derivation((("R-WIN-5", "referred on {}: " + sentence, (referred,), SITE_POLICY),)),
            )
        )
    return tuple(rows)


def may_count_as_initial(*, given_on: date, transplant_on: date) -> bool:
    """Whether CMV immune globulin given elsewhere asks if it counts as the initial dose (R-WIN-9): from 7 days before the
    transplant on, in calendar days, because often only the day is known.
    """
    return guards.day(given_on, "given_on") >= guards.day(transplant_on, "transplant_on") - timedelta(
        days=BEFORE_TRANSPLANT_DAYS
    )


@dataclass(frozen=True, slots=True)
class WindowChange:
    """How one dose's window differs between two plans. ``is_kept`` marks a dose that was given: its record stands, only its
    timing may read differently.
    """

    code: str
    old: Window | None
    new: Window | None
    is_kept: bool
    moved_days: int
    closes_moved_by: timedelta
    timing_before: Timing | None
    timing_after: Timing | None

    @property
    def is_changed(self) -> bool:
        """False when nothing about the dose moved."""
        return (
            self.old is None
            or self.new is None
            or bool(self.moved_days or self.closes_moved_by or self.old.opens_at != self.new.opens_at)
        )


def compare_windows(
    old: Sequence[Window],
    new: Sequence[Window],
    given_codes: Collection[str] = (),
    given_at: Mapping[str, datetime] | None = None,
) -> tuple[WindowChange, ...]:
    """The difference between two plans of one course, dose by dose in the order of the new plan, then what only the old one
    had.

    Doses in ``given_codes`` or ``given_at`` are kept; with ``given_at`` (start instants by code) the timing by either plan is
    told.
    """
    starts = given_at or {}
    before = {window.code: window for window in old}
    after = {window.code: window for window in new}
    codes = [*after, *(code for code in before if code not in after)]
    changes = []
    for code in codes:
        was, now, started = before.get(code), after.get(code), starts.get(code)
        moved_days, closes_moved_by = 0, timedelta(0)
        if was is not None and now is not None:
            moved_days, closes_moved_by = (now.target_on - was.target_on).days, now.closes_at - was.closes_at
        changes.append(
            WindowChange(
                code,
                was,
                now,
                code in given_codes or code in starts,
                moved_days,
                closes_moved_by,
                window_timing(was, started) if was is not None and started is not None else None,
                window_timing(now, started) if now is not None and started is not None else None,
            )
        )
    return tuple(changes)


def window_timing(window: Window, started_at: datetime) -> Timing:
    """Early, on time, late or outside, for a start in a window."""
    return timing(
        started_at=started_at,
        opens_at=window.opens_at,
        target_at=window.target_at,
        overdue_at=window.overdue_at,
        closes_at=window.closes_at,
    )


def shift_window(window: Window, days: int) -> Window:
    """The window moved by whole calendar days in its zone, target and edges together; a target that was moved inside its window
    stays where it is in it.
    """
    zone = guards.zone(window.zone_name)
    on = window.target_on + timedelta(days=days)
    if window.in_hours:
        raise Refused(
            "hours_do_not_shift",
            f"{window.title} runs in hours from the transplant and cannot be shifted.",
            source=window.row.window_source,
            field="days",
            value=days,
            limit="a window of days",
        )
    working = window.working + Derivation((("R-WIN-6", "moved by {} to {}", ((days, "days"), on), SITE_POLICY),))
    return replace(
        window,
        target_on=on,
        opens_at=day_start(window.opens_on + timedelta(days=days), zone),
        target_at=day_start(on, zone),
        overdue_at=day_start(on + timedelta(days=1), zone),
        closes_at=day_start(window.last_on + timedelta(days=days + 1), zone),
        working=working,
    )


def move_target(
    window: Window,
    on: date,
    *,
    before_on: date | None = None,
    after_on: date | None = None,
    after_interval_hours: int = 0,
) -> Window:
    """The window with another target day inside it; its first and last day stay.

    ``before_on`` and ``after_on`` are the days of the doses beside it, given or planned, and ``after_interval_hours`` the
    interval of the one after it. Refused with the day that would still do: a window in hours, a day outside the window, less
    than an interval to a dose beside it.
    """
    guards.day(on, "target_on")
    if window.in_hours:
        raise Refused(
            "hours_do_not_move",
            f"{window.title} runs in hours from the transplant: it has no other day.",
            source=window.row.window_source,
            field="target_on",
            value=on,
            limit="a window of days",
        )
    if not window.opens_on <= on <= window.last_on:
        raise Refused(
            "outside_window",
            f"{day_text(on)} is outside the window, {day_text(window.opens_on)} to {day_text(window.last_on)}.",
            source=window.row.window_source,
            field="target_on",
            value=on,
            limit=window.last_on if on > window.last_on else window.opens_on,
        )
    earliest_on = None if before_on is None else before_on + _whole_days(window.min_interval_hours)
    if earliest_on is not None and on < earliest_on:
        raise Refused(
            "too_near_before",
            f"Not before {day_text(earliest_on)}: the dose before is on {day_text(before_on or on)}.",
            source=SITE_POLICY,
            field="target_on",
            value=on,
            limit=earliest_on,
        )
    latest_on = None if after_on is None else after_on - _whole_days(after_interval_hours)
    if latest_on is not None and on > latest_on:
        raise Refused(
            "too_near_after",
            f"Not after {day_text(latest_on)}: the dose after is on {day_text(after_on or on)}.",
            source=SITE_POLICY,
            field="target_on",
            value=on,
            limit=latest_on,
        )
    zone = guards.zone(window.zone_name)
    moved = Derivation((("R-WIN-10", "target moved from {} to {} inside its window", (window.target_on, on), SITE_POLICY),))
    return replace(
        window,
        target_on=on,
        target_at=max(window.opens_at, day_start(on, zone)),
        overdue_at=min(window.closes_at, day_start(on + timedelta(days=1), zone)),
        working=window.working + moved,
    )


def _whole_days(hours: int) -> timedelta:
    """Calendar days that hold so many hours; the start itself is held to the hours."""
    return timedelta(days=-(-hours // 24))


@dataclass(frozen=True, slots=True)
class DayHint:
    """The weekday of a target, whether the clinic is closed then, and open days in the window instead, nearest first. Nothing
    moves by itself.
    """

    target_on: date
    weekday: str
    is_closed: bool
    alternatives: tuple[date, ...]


def day_hint(window: Window, *, closed_days: Collection[date] = (), closed_weekdays: Collection[int] = (5, 6)) -> DayHint:
    """The hint for one window; ``closed_weekdays`` count from Monday = 0. Days are the window's own: a dose in hours has its
    calendar days too.
    """

    def is_closed(on: date) -> bool:
        return on in closed_days or on.weekday() in closed_weekdays

    target = window.target_on
    span = (window.last_on - window.opens_on).days
    days = [window.opens_on + timedelta(days=count) for count in range(span + 1)]
    open_days = sorted((on for on in days if on != target and not is_closed(on)), key=lambda on: (abs((on - target).days), on))
    shut = is_closed(target)
    return DayHint(target, WEEKDAYS[target.weekday()], shut, tuple(open_days) if shut else ())


def latest_day_keeping_next(following: Window) -> date:
    """The last day on which a late dose still leaves the one that follows a day inside its window, with the interval between
    them kept.
    """
    return following.last_on - timedelta(days=-(-following.min_interval_hours // 24))


def pushed_opening(following: Window, late_start_at: datetime) -> datetime:
    """When the next dose may start after a late one: its own opening, or the interval after the late start if later."""
    return max(following.opens_at, earliest_start(late_start_at, following.min_interval_hours))
