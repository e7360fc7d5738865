"""What may be decided about a dose that was missed, or stopped part way: every decision with the dates, gaps and mg it yields,
and what speaks for and against.

It never decides and never recommends; the order is fixed. A late dose moves no other target, nothing is doubled, mg per kg
belongs to the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from . import guards
from .changes import pushed_opening, shift_window
from .clock import local_day
from .decisions import Case, Decision, Option
from .dosing import calculate_dose
from .exposure import rolling
from .intervals import earliest_start
from .monograph import Monograph, Protocol
from .reasons import SITE_POLICY, Derivation, Part, Refused
from .units import day_text, instant_text, with_unit

__all__ = ["Case", "Decision", "Option", "options", "other_protocols"]


def other_protocols(case: Case, monograph: Monograph) -> tuple[Protocol, ...]:
    """What the course may change to: protocols in use for an organ of the same graft, counted from the same kind of day."""
    return tuple(
        row
        for row in monograph.protocols
        if row.enabled
        and row.code != case.protocol.code
        and row.anchor is case.protocol.anchor
        and set(row.organs) & set(case.organs or case.protocol.organs)
    )


def options(
    case: Case, *, at: datetime, monograph: Monograph, give_at: datetime | None = None, mg_per_kg: Decimal | None = None
) -> tuple[Option, ...]:
    """All nine decisions, in fixed order, at an instant; ``give_at`` is the start considered for giving late (by default the
    earliest that keeps the interval), ``mg_per_kg`` the dose considered for changing it.

    Refused: an unknown dose, a naive instant, a start considered in the past, a considered dose above the cap.
    """
    now = guards.instant(at, "at")
    sheet = _Sheet(case, now, monograph, _start_considered(case, now, give_at), mg_per_kg)
    return (
        sheet.give_late(),
        sheet.give_late_and_shift(),
        sheet.give_remainder(),
        sheet.accept_partial(),
        sheet.omit(),
        sheet.change_dose(),
        sheet.hold(),
        sheet.stop(),
        sheet.change_protocol(),
    )


def _start_considered(case: Case, now: datetime, give_at: datetime | None) -> datetime:
    if give_at is not None:
        chosen = guards.instant(give_at, "give_at")
        if chosen < now:
            raise Refused(
                "start_in_the_past",
                "A dose cannot be given in the past; record it as already given instead.",
                source="Missed doses",
                field="give_at",
                value=chosen,
                limit=now,
            )
        return chosen
    last = _last_start(case)
    start = max(now, case.window.opens_at)
    return start if last is None else max(start, earliest_start(last, case.window.min_interval_hours))


def _last_start(case: Case) -> datetime | None:
    return max((dose.started_at for dose in case.given if dose.code != case.code), default=None)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The figures that several options share."""

    case: Case
    asked_at: datetime
    monograph: Monograph
    start: datetime
    mg_per_kg: Decimal | None = None

    def _option(
        self,
        decision: Decision,
        rule: str,
        pattern: str,
        values: tuple[object, ...],
        *,
        blocked: Sequence[str] = (),
        pros: Sequence[str] = (),
        cons: Sequence[str] = (),
        departs: bool = False,
        give_at: datetime | None = None,
        latest_on: date | None = None,
        dose_mg: Decimal | None = None,
        new_targets: tuple[tuple[str, date], ...] = (),
        next_opens_at: datetime | None = None,
        also: tuple[Part, ...] = (),
    ) -> Option:
        case = self.case
        zone = case.window.zone_name
        per_kg = None if dose_mg is None else dose_mg / case.weight_kg
        seven, twenty_eight = self._rolling(7, per_kg, give_at), self._rolling(28, per_kg, give_at)
        following = case.later[0] if case.later else None
        last = _last_start(case)
        seen_from = local_day(give_at or self.asked_at, zone)
        next_on = None if following is None else dict(new_targets).get(following.code, following.target_on)
        return Option(
            decision,
            not blocked,
            departs and not blocked,
            give_at,
            latest_on,
            dose_mg,
            per_kg,
            None if last is None else (seen_from - local_day(last, zone)).days,
            None if next_on is None else (next_on - seen_from).days,
            "" if following is None else following.code,
            next_opens_at if next_opens_at is not None or following is None else following.opens_at,
            new_targets,
            seven,
            twenty_eight,
            tuple(pros),
            (*blocked, *cons),
            Derivation(((rule, pattern, values, SITE_POLICY), *also)),
        )

    def _rolling(self, days: int, per_kg: Decimal | None, give_at: datetime | None) -> Decimal:
        load = rolling(
            self.case.given,
            at=give_at or self.asked_at,
            days=days,
            concentration_mg_per_ml=self.monograph.product.concentration_mg_per_ml,
            plus_mg_per_kg=per_kg or Decimal(0),
        )
        return load.mg_per_kg

    def _late_limits(self) -> tuple[list[str], list[str], bool, date | None]:
        """What blocks giving late, what speaks against it, whether it departs from a limit, and the site's last day for it."""
        case, window = self.case, self.case.window
        blocked, cons = [*self._begun(), *self._stands_in_the_way()], []
        departs = False
        on = local_day(self.start, window.zone_name)
        limit_day = window.row.latest_late_day
        latest_on = None if limit_day is None else case.anchor_on + timedelta(days=limit_day)
        if latest_on is not None and on > latest_on:
            departs = True
            cons.append(f"After the site's last day for it, {day_text(latest_on)}.")
        last = _last_start(case)
        if last is not None and self.start < earliest_start(last, window.min_interval_hours):
            departs = True
            cons.append(f"Less than {with_unit(window.min_interval_hours, 'h')} after the start of the last dose.")
        if window.in_hours and self.start >= window.closes_at:
            departs = True
            cons.append("Outside the label's window for the initial dose.")
        return blocked, cons, departs, latest_on

    def _number(self, code: str) -> int:
        return next((window.number for window in self.case.windows if window.code == code), 0)

    def _stands_in_the_way(self) -> list[str]:
        """Why nothing of this dose may be given now: a later one was started since, or the course is on hold."""
        own = self.case.window.number
        later = [f"{dose.code} has been started since." for dose in self.case.given if self._number(dose.code) > own]
        return later[:1] + (["The course is on hold: resume it first."] if self.case.is_on_hold else [])

    def _begun(self) -> list[str]:
        return ["The dose was begun: decide about the rest of it."] if self.case.given_mg is not None else []

    def _what_follows(self, start: datetime, pros: list[str], cons: list[str]) -> datetime | None:
        """When the next dose opens after a start; what that means for it goes to ``pros`` or ``cons``."""
        case, zone = self.case, self.case.window.zone_name
        opens_at = None
        if case.later:
            following = case.later[0]
            opens_at = pushed_opening(following, start)
            if opens_at >= following.closes_at:
                cons.append(f"Leaves {following.code} no time inside its window.")
            elif opens_at > following.opens_at:
                cons.append(f"{following.code} opens later, {instant_text(opens_at, zone)}.")
            else:
                pros.append(f"{following.code} keeps its window.")
        days = self.monograph.limit("initial_table_after_days").value
        last = _last_start(case)
        if last is not None and (local_day(start, zone) - local_day(last, zone)).days > days:
            cons.append(f"More than {with_unit(days, 'days')} since the last dose: initial rate table.")
        return opens_at

    def give_late(self) -> Option:
        case, window = self.case, self.case.window
        blocked, cons, departs, latest_on = self._late_limits()
        pros = [f"The dose is given, {with_unit(case.ordered_mg, 'mg')}; no later target moves."]
        opens_at = self._what_follows(self.start, pros, cons)
        return self._option(
            Decision.GIVE_LATE,
            "R-MISS-1",
            "{} from {}, not before the interval to the last dose has passed",
            (window.code, (self.start, window.zone_name)),
            blocked=blocked,
            pros=pros,
            cons=cons,
            departs=departs,
            give_at=self.start,
            latest_on=latest_on,
            dose_mg=case.ordered_mg,
            next_opens_at=opens_at,
            also=(
                (
                    "R-MISS-2",
                    "the next dose opens no sooner than {} after the late start",
                    (("-" if not case.later else (case.later[0].min_interval_hours, "h")),),
                    SITE_POLICY,
                ),
            ),
        )

    def give_late_and_shift(self) -> Option:
        case, window = self.case, self.case.window
        blocked, cons, _, latest_on = self._late_limits()
        on = local_day(self.start, window.zone_name)
        days = (on - window.target_on).days
        if not case.allows_shift:
            blocked.append("This center does not shift courses.")
        if window.in_hours:
            blocked.append("The initial dose is never shifted: the label counts from the transplant.")
        if case.is_remainder:
            blocked.append("What is left of a stopped dose has no place in the schedule to shift from.")
        limit, last_day = self.monograph.limit("shift_limit_days"), self.monograph.limit("shift_last_day")
        if case.shifted_days + days > limit.value:
            blocked.append(
                f"Shifts come to {with_unit(case.shifted_days + days, 'days')}, more than {with_unit(limit.value, 'days')}."
            )
        final = case.later[-1] if case.later else window
        if (final.target_on - case.anchor_on).days + days > last_day.value:
            blocked.append(f"{final.code} would come after day {last_day.value}.")
        cons.insert(0, "Departs from the label schedule: every shifted dose is verified again.")
        targets = () if blocked else tuple((row.code, shift_window(row, days).target_on) for row in (window, *case.later))
        opens_at = (
            None
            if blocked or not case.later
            else max(shift_window(case.later[0], days).opens_at, earliest_start(self.start, case.later[0].min_interval_hours))
        )
        return self._option(
            Decision.GIVE_LATE_AND_SHIFT,
            "R-MISS-3",
            "all later targets move by {}, {} at most in all",
            ((days, "days"), (limit.value, "days")),
            blocked=blocked,
            pros=["The gaps between doses stay as planned."],
            cons=cons,
            departs=True,
            give_at=self.start,
            latest_on=latest_on,
            dose_mg=case.ordered_mg,
            new_targets=targets,
            next_opens_at=opens_at,
        )

    def give_remainder(self) -> Option:
        case = self.case
        given = case.given_mg
        if given is None or given >= case.ordered_mg:
            reason = "The dose was not begun." if given is None else "Nothing is left of the ordered dose."
            return self._option(Decision.GIVE_REMAINDER, "R-MISS-4", "no remainder to give", (), blocked=[reason])
        rest = case.ordered_mg - given
        pros = ["The ordered dose is completed; the remainder keeps no interval."]
        cons = ["New vials, a new vial clock and the initial rate table."]
        opens_at = self._what_follows(self.asked_at, pros, cons)
        return self._option(
            Decision.GIVE_REMAINDER,
            "R-MISS-4",
            "{} ordered − {} given = {}",
            ((case.ordered_mg, "mg"), (given, "mg"), (rest, "mg")),
            blocked=self._stands_in_the_way(),
            pros=pros,
            cons=cons,
            give_at=self.asked_at,
            dose_mg=rest,
            next_opens_at=opens_at,
        )

    def accept_partial(self) -> Option:
        given = self.case.given_mg
        if given is None:
            return self._option(
                Decision.ACCEPT_PARTIAL, "R-MISS-5", "no part was given", (), blocked=["The dose was not begun."]
            )
        lost = max(Decimal(0), self.case.ordered_mg - given)
        return self._option(
            Decision.ACCEPT_PARTIAL,
            "R-MISS-5",
            "{} of {} count as the dose",
            ((given, "mg"), (self.case.ordered_mg, "mg")),
            pros=["Nothing more is infused now."],
            cons=[f"{with_unit(lost, 'mg')} are not given, and are not added to another dose."],
        )

    def omit(self) -> Option:
        case = self.case
        cons = [f"{with_unit(case.ordered_mg, 'mg')} are not given, and are not added to another dose."]
        last, days = _last_start(case), self.monograph.limit("initial_table_after_days").value
        if last is not None and case.later:
            gap = (case.later[0].target_on - local_day(last, case.window.zone_name)).days
            table = ": initial rate table" if gap > days else ""
            cons.append(f"{with_unit(gap, 'days')} between the last dose and {case.later[0].code}{table}.")
        return self._option(
            Decision.OMIT,
            "R-MISS-6",
            "{} is not given; no other dose changes",
            (case.code,),
            blocked=self._begun(),
            pros=["Every later dose keeps its target and its amount."],
            cons=cons,
        )

    def change_dose(self) -> Option:
        protocol = self.case.protocol
        cap = protocol.cap_mg_per_kg
        blocked, cons, departs, latest_on = self._late_limits()
        if self.case.is_remainder:
            blocked.append("What is left of a stopped dose is its own amount: give it late, or omit it.")
        pros = ["The amount can follow the patient's state."]
        opens_at = self._what_follows(self.start, pros, cons)
        dose_mg = None
        if self.mg_per_kg is not None:
            dose_mg = calculate_dose(
                mg_per_kg=self.mg_per_kg,
                weight_kg=self.case.weight_kg,
                cap_mg_per_kg=cap,
                monograph=self.monograph,
                cap_source=protocol.cap_source,
            ).dose_mg
        return self._option(
            Decision.CHANGE_DOSE,
            "R-MISS-7",
            "a new order of {} at most, verified again; a missed amount is never added",
            ((cap, "mg per kg"),),
            blocked=blocked,
            pros=pros,
            cons=[
                "Needs a new order and a new verification.",
                f"Not above {with_unit(cap, 'mg per kg')} in one infusion.",
                *cons,
            ],
            departs=departs,
            give_at=self.start,
            latest_on=latest_on,
            dose_mg=dose_mg,
            next_opens_at=opens_at,
        )

    def hold(self) -> Option:
        return self._option(
            Decision.HOLD,
            "R-MISS-8",
            "on hold with a reason and a review date",
            (),
            blocked=["The course is on hold already."] if self.case.is_on_hold else [],
            pros=["Nothing is given until a prescriber has looked again."],
            cons=["This dose still waits for its decision.", "Windows go on closing; each one that does must be decided."],
        )

    def stop(self) -> Option:
        case = self.case
        rest = sum((window.mg_per_kg for window in case.later), case.window.mg_per_kg if case.given_mg is None else Decimal(0))
        return self._option(
            Decision.STOP,
            "R-MISS-9",
            "the course ends; {} of the protocol are not given",
            ((rest, "mg per kg"),),
            pros=["No further infusion."],
            cons=[f"{with_unit(rest, 'mg per kg')} of the protocol are not given."],
        )

    def change_protocol(self) -> Option:
        case = self.case
        others = [row.title for row in other_protocols(case, self.monograph)]
        return self._option(
            Decision.CHANGE_PROTOCOL,
            "R-MISS-10",
            "another protocol of the monograph: {}",
            (", ".join(others) or "none",),
            blocked=[] if others else ["The monograph has no other protocol for this graft."],
            pros=["The course follows another table from here."],
            cons=["Needs a new order and a new verification; what was given stays."],
        )
