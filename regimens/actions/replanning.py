"""Changing a running course: a new, unsigned revision of what is still to be given. What was given stays as it is.

A newer weight and a corrected transplant time are taken over by a person who has seen old beside new; recording either changes
no dose. A dose may be moved to another day of its own window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from patients import audit, facts
from patients.models import Membership, Patient, Precaution, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import planning
from regimens.actions.charting import Chart, lock_dose
from regimens.actions.courses import is_anchor_outdated
from regimens.actions.missed_case import codes_of, read_case
from regimens.actions.revisions import drop_booking, save_revision, set_amount, set_window, successor
from regimens.domain.changes import WindowChange, compare_windows, move_target, shift_window
from regimens.domain.clock import day_start, local_day
from regimens.domain.decisions import Case
from regimens.domain.guards import zone
from regimens.domain.monograph import Protocol
from regimens.domain.reasons import Refused
from regimens.domain.schedule import CourseAnchor, TransplantAnchor, Window, plan_windows
from regimens.models import Course, Order, PlannedDose

STALE = (
    "Something about this course changed after you opened the page. What you saw stands beside what holds now: read it again."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One live dose beside what it would become; ``new`` is None where nothing about it changes.

    ``change`` tells how its window differs where the transplant's time was corrected; None where it was not.
    """

    dose: PlannedDose
    new: PlannedDose | None
    change: WindowChange | None
    booking_is_dropped: bool = False

    @property
    def is_left(self) -> bool:
        """Whether the dose is still to be given, or to be decided about."""
        return self.dose.settled_at is None


@dataclass(frozen=True, slots=True)
class Replan:
    """A whole course, old beside new. ``weight`` is None where each dose keeps the weight it has."""

    course: Course
    order: Order | None
    weight: WeightMeasurement | None
    is_anchor_moved: bool
    lines: tuple[Line, ...]

    @property
    def changed(self) -> tuple[Line, ...]:
        """The doses that get a new revision."""
        return tuple(line for line in self.lines if line.new is not None)

    @property
    def revision(self) -> int:
        """The number the course's next revision has."""
        return self.course.revision + 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything a person sees before they press: one changed value gives another one."""
        graft = self.course.transplant
        seen = [str(self.course.version), graft.reperfusion_at.isoformat(), graft.zone_name]
        seen += [planning.content_hash(line.new) for line in self.changed if line.new is not None]
        return hashlib.sha256("|".join(seen).encode()).hexdigest()


def older_open_courses(patient: Patient) -> list[Course]:
    """Courses with doses still to give whose transplant is not the patient's latest: after a re-transplant somebody says whether
    each is stopped (reason "retransplant") or goes on beside the new one. Oldest first, in one statement.
    """
    later = Transplant.objects.filter(patient=patient, reperfusion_at__gt=OuterRef("transplant__reperfusion_at"))
    waiting = PlannedDose.objects.filter(course=OuterRef("pk"), settled_at=None)
    rows = Course.objects.filter(Exists(later), Exists(waiting), patient=patient, stopped_at=None)
    return list(rows.select_related("transplant", "protocol").order_by("built_at"))


# A new weight, a corrected time ------------------------------------------------------------------------------------------------


def differs_in_weight(doses: Sequence[PlannedDose], weight: WeightMeasurement) -> bool:
    """Whether any dose still to give would be another amount at this weight; what is left of a stopped dose never is."""
    return any(dose.weight_kg != weight.weight_kg for dose in doses if not dose.settled_at and not dose.is_remainder)


def draft_replan(
    chart: Chart, *, weight: WeightMeasurement | None, at: datetime, answers: Sequence[Precaution] | None = None
) -> Replan:
    """Every live dose of the chart's course old beside new, at ``weight`` and counted from the transplant as it is recorded now.
    ``answers`` are the live ones about risk, where they have been read.

    Reads and computes; saves nothing. Refused: a stopped course, nothing left to give, nothing that would change, planning that
    is stopped, a weight that is not the latest valid one or is out of date; and what the rules refuse of the new values.
    """
    course = chart.course
    assert course is not None  # a replan is always of a course
    live = [row for row in chart.doses if row.settled_as != "superseded"]
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    if all(row.settled_at for row in live):
        raise Refusal("nothing_left", "No dose of this course is left to recalculate.")
    planning.check_may_plan(chart.patient, answers)
    if weight is not None:
        planning.check_weight(weight, chart.patient, at)
        if not differs_in_weight(live, weight):
            weight = None
    is_anchor_moved = is_anchor_outdated(course)
    if weight is None and not is_anchor_moved:
        raise Refusal("same_weight", "Nothing changes: the doses are computed from this weight and this time already.")
    order = course.orders.filter(superseded_at=None).first()
    codes = codes_of(live)
    moves = _moves(chart, live, codes) if is_anchor_moved else {}
    lines = [_line(course, row, moves.get(codes[row.number]), weight) for row in live]
    return Replan(course, order, weight, is_anchor_moved, tuple(lines))


def _moves(chart: Chart, live: Sequence[PlannedDose], codes: Mapping[int, str]) -> dict[str, WindowChange]:
    """By code: the window as it stands, the window by the corrected time, and how a given dose lay in either."""
    course = chart.course
    assert course is not None and course.anchor_at is not None
    graft = course.transplant
    protocol = course.monograph.to_domain().protocol(course.protocol.code)
    before = planned_windows(chart, live, protocol, TransplantAnchor(course.anchor_at, course.anchor_zone_name))
    corrected = TransplantAnchor(graft.reperfusion_at, graft.zone_name, graft.is_time_known)
    after = planned_windows(chart, live, protocol, corrected)
    standing, moved = [], []
    for row in live:
        code = codes[row.number]
        own = as_it_stands(row, before[code])
        standing.append(own)
        moved.append(own if row.is_remainder else fitted(own, row.shifted_days, before[code], after[code]))
    numbers = {row.pk: row.number for row in chart.doses}
    starts = {codes[numbers[r.dose_id]]: r.started_at for r in chart.counted() if r.dose_id in numbers}
    return {change.code: change for change in compare_windows(standing, moved, given_at=starts)}


def planned_windows(chart: Chart, live: Sequence[PlannedDose], protocol: Protocol, anchor: CourseAnchor) -> dict[str, Window]:
    """By code: the windows of the rows that a course has, by a protocol and an anchor."""
    assert chart.course is not None
    windows = plan_windows(
        protocol,
        anchor,
        centre_zone=chart.centre.time_zone,
        chosen_optional=[row.protocol_dose.code for row in live if row.protocol_dose.optional],
        repeat_dates=[row.target_on for row in live if row.protocol_dose.repeats],
        review_on=chart.course.review_on,
    )
    return {window.code: window for window in windows}


def as_it_stands(row: PlannedDose, planned: Window) -> Window:
    """The window that a saved row has now, whatever was decided about it since it was planned."""
    target_at = max(row.opens_at, day_start(row.target_on, zone(planned.zone_name)))
    return replace(
        planned,
        target_on=row.target_on,
        opens_at=row.opens_at,
        target_at=row.opens_at if planned.in_hours else target_at,
        overdue_at=row.overdue_at,
        closes_at=row.closes_at,
    )


def fitted(own: Window, shifted_days: int, before: Window, after: Window) -> Window:
    """The window by the corrected time, with what people chose for this dose since: a decided day stays, a shift goes along, a
    day moved inside the window stays where the new window still holds it.
    """
    if shifted_days:
        before, after = shift_window(before, shifted_days), shift_window(after, shifted_days)
    if own.closes_at != before.closes_at:
        return own
    if after.opens_at < own.opens_at < after.overdue_at and own.opens_at > before.opens_at:
        after = replace(after, opens_at=own.opens_at, target_at=max(after.target_at, own.opens_at))
    if own.target_on != before.target_on and after.opens_on <= own.target_on <= after.last_on:
        after = move_target(after, own.target_on)
    return after


def _line(course: Course, dose: PlannedDose, change: WindowChange | None, weight: WeightMeasurement | None) -> Line:
    is_reweighed = weight is not None and not dose.is_remainder and dose.weight_kg != weight.weight_kg
    is_moved = change is not None and change.is_changed
    if dose.settled_at or not (is_reweighed or is_moved):
        return Line(dose, None, change)
    new = successor(dose, course)
    working = list(dose.working)
    if change is not None and change.new is not None and is_moved:
        set_window(new, change.new)
        working = [*change.new.working.to_json(), *(step for step in working if not step["rule"].startswith("R-WIN-"))]
    if weight is not None and is_reweighed:
        new.weight, new.weight_kg = weight, weight.weight_kg
        amount = planning.amount_of(new)  # rounded to vials where the old row was
        set_amount(new, amount)
        working = [step for step in working if not step["rule"].startswith("R-DOSE-")] + amount.working.to_json()
        planning.infusion_plan_of(new)  # refuses a weight whose rates the pump cannot be set to
    new.working = working
    return Line(dose, new, change, drop_lost_booking(new))


def drop_lost_booking(new: PlannedDose) -> bool:
    """Forget a booking that the new window no longer holds."""
    if new.booked_for is None or new.opens_at <= new.booked_for < new.closes_at:
        return False
    drop_booking(new)
    return True


@transaction.atomic
def recalculate_course(
    *, course: Course, weight: WeightMeasurement | None = None, shown: str = "", by: Membership, at: datetime
) -> Course:
    """A new, unsigned revision of every dose that changes: at another weight, by the corrected time of the transplant, or both.

    What was given, omitted or decided stays; so do the rate table, the ceiling and the chosen days of each row. A booking the new
    window no longer holds is dropped, as the draft's lines say. ``shown`` is the fingerprint of the draft the person saw: "stale"
    when the course, the weight or the time changed since. Otherwise refused as :func:`draft_replan` says.
    """
    require(by, "build")
    chart = lock_dose(course.doses.earliest("number"))
    latest = facts.current_weight(chart.patient)
    if weight is not None and (latest is None or latest.pk != weight.pk):
        if shown:
            raise Refusal("stale", STALE)
        raise Refusal("weight_not_usable", "This is not the latest valid weight of this patient.", field="weight_kg")
    try:
        draft = draft_replan(chart, weight=weight, at=at)
    except Refusal as refusal:
        # Who saw a change, and there is none any more: somebody else was first.
        raise Refusal("stale", STALE) if shown and refusal.code == "same_weight" else refusal from None
    if shown and shown != draft.fingerprint:
        raise Refusal("stale", STALE)
    locked = draft.course
    graft = locked.transplant
    audit.event(
        "recalculate_course",
        by=by,
        patient=chart.patient,
        course=str(locked.pk),
        weight=draft.weight.pk if draft.weight else None,
        counted_from=graft.reperfusion_at if draft.is_anchor_moved else None,
        doses=[line.dose.number for line in draft.changed],
        bookings_dropped=[line.dose.number for line in draft.lines if line.booking_is_dropped],
    )
    if draft.is_anchor_moved:
        locked.anchor_at, locked.anchor_zone_name = graft.reperfusion_at, graft.zone_name
        locked.anchor_on = local_day(graft.reperfusion_at, graft.zone_name)
    save_revision(locked, [line.new for line in draft.changed if line.new is not None], by=by, at=at)
    return locked


# Another day ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayChoice:
    """A day of a dose's window: whether the center is closed then and why, and why it cannot be chosen ("" where it can)."""

    on: date
    is_closed: bool
    closed_for: str
    refusal: str


def refuse_move(chart: Chart, dose: PlannedDose) -> None:
    """Refused: a closed chart, a stopped course, a revision that was replaced, a dose that is settled, a window in hours."""
    assert chart.course is not None
    if chart.patient.closed_at:
        raise Refusal("patient_closed", f"Nothing moves: {chart.patient.get_closed_reason_display().lower()}.")
    if chart.course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    own = next(row for row in chart.doses if row.pk == dose.pk)
    if own.settled_as == "superseded":
        raise Refusal("superseded", "This dose was changed meanwhile. Open its current version.")
    if own.settled_at:
        raise Refusal("dose_settled", f"Nothing to move: {own.get_settled_as_display().lower()}.")


def moved_window(case: Case, on: date, at: datetime) -> Window:
    """The window of the case's dose with another target day, the interval kept to what was given and is planned beside it."""
    window, zone_name = case.window, case.window.zone_name
    today = local_day(at, zone_name)
    done = case.settled_codes | {dose.code for dose in case.given}
    waiting = [w for w in case.windows if w.code not in done and w.closes_at > at]
    before = [local_day(dose.started_at, zone_name) for dose in case.given if dose.code != case.code]
    before += [w.target_on for w in waiting if w.number < window.number]
    after = next((w for w in waiting if w.number > window.number), None)
    moved = move_target(
        window,
        on,
        before_on=max(before, default=None),
        after_on=after.target_on if after else None,
        after_interval_hours=after.min_interval_hours if after else 0,
    )
    if on == window.target_on:
        raise Refusal("same_day", "The dose is planned for this day already.", field="target_on")
    if on < today:
        raise Refusal("day_is_past", "A dose is not moved to a day that is over.", field="target_on")
    return moved


def days_of(chart: Chart, at: datetime) -> list[DayChoice]:
    """Every day of the dose's window that is not over, but the present one: closed days named, refused ones with the sentence."""
    case = read_case(chart, at).case
    window = case.window
    listed = chart.centre.closed_days.filter(removed_at=None, on__range=(window.opens_on, window.last_on))
    closed = dict(listed.values_list("on", "title"))
    first = max(window.opens_on, local_day(at, chart.centre.time_zone))
    days = [date.fromordinal(number) for number in range(first.toordinal(), window.last_on.toordinal() + 1)]
    choices = []
    for on in days:
        if on == window.target_on:
            continue
        refusal = ""
        try:
            moved_window(case, on, at)
        except (Refusal, Refused) as refused:
            refusal = refused.sentence
        is_closed = on in closed or on.weekday() in chart.centre.closed_weekdays
        choices.append(DayChoice(on, is_closed, closed.get(on, ""), refusal))
    return choices


@transaction.atomic
def move_dose(*, dose: PlannedDose, to_on: date, by: Membership, at: datetime) -> PlannedDose:
    """The dose on another day of its own window: a new, unsigned revision of it alone. Window, amount and booking stay.

    Refused: what :func:`refuse_move` names; a day outside the window, past, or too near to a dose beside it, with the day that
    would do (``Refused`` of the domain).
    """
    require(by, "build")
    chart = lock_dose(dose)
    refuse_move(chart, dose)
    course, own = chart.course, chart.dose
    assert course is not None and own is not None
    window = moved_window(read_case(chart, at).case, to_on, at)
    audit.event("move_dose", by=by, patient=chart.patient, dose=str(own.pk), before=own.target_on, after=to_on)
    new = successor(own, course)
    set_window(new, window)
    earlier = [step for step in own.working if step["rule"] != "R-WIN-10"]
    new.working = [*earlier, window.working.to_json()[-1]]
    save_revision(course, [new], by=by, at=at)
    return new
