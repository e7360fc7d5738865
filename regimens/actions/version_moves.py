"""Moving what is left of a running course to the published monograph: a pharmacist's signed act, seen dose by dose.

Publishing moves nothing (hazard H17). What was given, omitted or decided stays with the version it was made by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from patients import audit
from patients.models import Membership, Precaution
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import orders, planning
from regimens.actions.charting import Chart, lock_dose
from regimens.actions.courses import is_anchor_outdated
from regimens.actions.missed_case import codes_of
from regimens.actions.replanning import STALE, Line, as_it_stands, drop_lost_booking, fitted, planned_windows
from regimens.actions.revisions import save_revision, set_amount, set_window, successor
from regimens.domain.changes import compare_windows
from regimens.domain.clock import local_day
from regimens.domain.monograph import Protocol
from regimens.domain.schedule import CourseAnchor, FirstDoseAnchor, TransplantAnchor, Window
from regimens.domain.units import with_unit
from regimens.models import Course, Monograph, Order, PlannedDose, ProtocolDose, WeightBasis

RULE = "Monograph publication: running courses keep their version"


@dataclass(frozen=True, slots=True)
class VersionMove:
    """A course by its own version beside the published one. ``course`` is pinned to the new one already, and not saved.

    ``order`` is a prescriber's order that waits and that the course takes over; None where the standing one covers every dose.
    """

    course: Course
    before: Monograph
    to: Monograph
    order: Order | None
    lines: tuple[Line, ...]
    answers: list[Precaution]

    @property
    def changed(self) -> tuple[Line, ...]:
        """The doses that get a new revision: all that are left."""
        return tuple(line for line in self.lines if line.new is not None)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything a person sees before they sign: one changed value gives another one."""
        seen = [str(self.course.version), str(self.to.pk), str(self.order.pk if self.order else "")]
        seen += [planning.content_hash(line.new) for line in self.changed if line.new is not None]
        return hashlib.sha256("|".join(seen).encode()).hexdigest()


def draft_move(chart: Chart, *, at: datetime) -> VersionMove:
    """Every live dose of the chart's course old beside new, by the published monograph. Reads and computes; saves nothing.

    Refused: a stopped course, nothing left, planning that is stopped, a running infusion, a corrected transplant time not taken
    over, the published version already; another product; a protocol that is gone or has other rows; mg per kg that nobody ordered;
    and what the rules refuse of the new values.
    """
    course = chart.course
    assert course is not None  # a move is always of a course
    live = [row for row in chart.doses if row.settled_as != "superseded"]
    answers = _check_may_move(chart, live)
    before, to = course.monograph, planning.published()
    if before == to:
        raise Refusal("same_version", f"This course is on version {to.version}, the published one, already.", source=RULE)
    old, new = before.to_domain(), to.to_domain()
    if (old.product.code, old.product.concentration_mg_per_ml) != (new.product.code, new.product.concentration_mg_per_ml):
        raise Refusal("other_product", "The published version is of another product: stop this course and build a new one.")
    was = old.protocol(course.protocol.code)
    protocol = next((row for row in new.protocols if row.code == was.code and row.enabled), None)
    if protocol is None:
        raise Refusal("protocol_gone", f"Version {to.version} has no protocol {was.title} in use.", source=RULE)
    _check_rows(live, protocol, to)
    anchor: CourseAnchor = FirstDoseAnchor(course.anchor_on, course.anchor_zone_name)
    if course.anchor_at is not None:
        anchor = TransplantAnchor(course.anchor_at, course.anchor_zone_name, course.transplant.is_time_known)
    by_old, by_new = (planned_windows(chart, live, rows, anchor) for rows in (was, protocol))
    rows_of_version = ProtocolDose.objects.filter(protocol__monograph=to, protocol__code=protocol.code)
    saved = {row.code: row for row in rows_of_version.select_related("protocol")}
    course.monograph, course.protocol = to, next(iter(saved.values())).protocol
    codes = codes_of(live)
    lines = []
    for row in live:
        code = codes[row.number]
        line = Line(row, None, None)
        if not row.settled_at:
            new_row = successor(row, course)
            new_row.protocol_dose = saved[row.protocol_dose.code]
            line = _moved(row, new_row, was, protocol, by_old[code], by_new[code])
        lines.append(line)
    order = _order_of(course, lines, protocol, local_day(at, chart.centre.time_zone))
    if order is not None:
        for line in lines:
            if line.new is not None:
                line.new.ceiling_mg_per_kg_per_h = order.ceiling_mg_per_kg_per_h
                planning.infusion_plan_of(line.new)
    return VersionMove(course, before, to, order, tuple(lines), answers)


def _check_may_move(chart: Chart, live: Sequence[PlannedDose]) -> list[Precaution]:
    """The live answers about risk. Refused as :func:`draft_move` says."""
    assert chart.course is not None
    if chart.course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    if all(row.settled_at for row in live):
        raise Refusal("nothing_left", "No dose of this course is left to move.")
    answers = planning.check_may_plan(chart.patient)
    if chart.running() is not None:
        raise Refusal("infusion_running", "An infusion of this patient is running: move the course when it has ended.")
    if is_anchor_outdated(chart.course):
        raise Refusal("anchor_changed", "The transplant's time was corrected after this plan was built: recalculate it first.")
    return answers


def _check_rows(live: Sequence[PlannedDose], protocol: Protocol, to: Monograph) -> None:
    """Refused: rows that one of the two does not have. A course that gains or loses a dose is built anew."""
    here = {row.protocol_dose.code for row in live}
    there = {row.code for row in protocol.doses}
    fixed = {row.code for row in protocol.doses if not row.optional}
    other = sorted(here - there) + sorted(fixed - here)
    if other:
        raise Refusal(
            "other_rows",
            f"Version {to.version} has other doses in this protocol ({', '.join(other)}): stop this course and build a new one.",
            source=RULE,
        )


def _moved(old: PlannedDose, new: PlannedDose, was: Protocol, protocol: Protocol, by_old: Window, by_new: Window) -> Line:
    """One dose that is left, by the new version: window, amount and limits. A remainder keeps its window and amount; mg per kg
    that a prescriber changed stays as changed.
    """
    row_before, row = was.dose(old.protocol_dose.code), protocol.dose(old.protocol_dose.code)
    own = as_it_stands(old, by_old)
    window = own if old.is_remainder else fitted(own, old.shifted_days, by_old, by_new)
    (change,) = compare_windows([own], [window])
    set_window(new, window)
    new.title, new.min_interval_hours, new.cap_mg_per_kg = row.title, row.min_interval_hours, protocol.cap_mg_per_kg
    if not old.is_remainder and old.mg_per_kg == row_before.mg_per_kg:
        new.mg_per_kg = row.mg_per_kg
    amount = planning.amount_of(new)
    set_amount(new, amount)
    planning.infusion_plan_of(new)  # refuses rates the pump cannot be set to
    new.working = window.working.to_json() + amount.working.to_json()
    return Line(old, new, change, drop_lost_booking(new))


def _order_of(course: Course, lines: Sequence[Line], protocol: Protocol, on: date) -> Order | None:
    """The order that covers the new plan where the standing one does not; refused when mg per kg change that nobody ordered."""
    differs = [
        line
        for line in lines
        if line.new is not None and not line.new.is_remainder and line.new.mg_per_kg != line.dose.mg_per_kg
    ]
    if not differs:
        return None
    rows = Order.objects.filter(Q(course=course) | Q(course=None, transplant=course.transplant), superseded_at=None)
    found = {order.course_id: order for order in rows.select_related("prescriber__user")}
    standing, waiting = found.get(course.pk), found.get(None)
    if waiting is None:
        first = differs[0]
        assert first.new is not None
        was, now = (with_unit(row.mg_per_kg, "mg per kg") for row in (first.dose, first.new))
        raise Refusal(
            "order_needed",
            f"Dose {first.dose.number} would be {now} instead of the {was} that were ordered: the prescriber orders the published "
            "version for this transplant first.",
            source=orders.ORDER_SOURCE,
        )
    orders.check_built_as_ordered(waiting, protocol, bases=WeightBasis.values, on=on)
    if standing is not None and waiting.allows_vial_rounding != standing.allows_vial_rounding:
        raise Refusal("order_rounding", "The new order says otherwise about rounding to vials: build a new course by it.")
    return waiting


@transaction.atomic
def move_course(*, course: Course, shown: str, seen: Collection[int], by: Membership, at: datetime) -> Course:
    """What is left of a course as a new, unsigned revision by the published monograph; another pharmacist verifies it.

    ``shown`` is the fingerprint of the draft the person saw ("stale" when anything changed since), ``seen`` the numbers of the doses
    they ticked one by one: all of them, or refused ("dose_not_seen"). The view has checked the password. Otherwise refused as
    :func:`draft_move` says.
    """
    require(by, "move_version")
    chart = lock_dose(course.doses.earliest("number"))
    draft = draft_move(chart, at=at)
    if shown != draft.fingerprint:
        raise Refusal("stale", STALE)
    for line in draft.changed:
        if line.dose.number not in seen:
            raise Refusal(
                "dose_not_seen", f"Compare dose {line.dose.number} and tick it.", source=RULE, field=f"dose_{line.dose.number}"
            )
    locked = draft.course
    audit.event(
        "move_course",
        by=by,
        patient=chart.patient,
        course=str(locked.pk),
        before=draft.before.version,
        after=draft.to.version,
        doses=[line.dose.number for line in draft.changed],
        bookings_dropped=[line.dose.number for line in draft.lines if line.booking_is_dropped],
        order=draft.order.pk if draft.order else None,
    )
    if draft.order is not None:
        course.orders.filter(superseded_at=None).update(superseded_at=at)
        draft.order.course = locked
        draft.order.save(update_fields=["course"])
    save_revision(locked, [line.new for line in draft.changed if line.new is not None], by=by, at=at)
    return locked
