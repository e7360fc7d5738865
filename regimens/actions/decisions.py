"""What each decision about a missed or stopped dose does, once it is signed. No other dose changes unless it says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from patients.models import Membership
from patients.refusal import Refusal
from regimens.actions import departures, planning
from regimens.actions.charting import Chart
from regimens.actions.courses import close_course
from regimens.actions.holds import hold_course
from regimens.actions.orders import OrderFacts, place_order
from regimens.actions.revisions import drop_booking, save_revision, set_amount, set_window, successor
from regimens.domain import missed
from regimens.domain.changes import shift_window
from regimens.domain.clock import day_start
from regimens.domain.guards import at_most_decimals, zone
from regimens.domain.intervals import earliest_start
from regimens.domain.monograph import Protocol
from regimens.domain.units import number
from regimens.models import Course, Decision, Mode, Order, PlannedDose

SOURCE = "Site policy: missed doses"
# Decisions that plan an infusion, and what is asked where its day is missing.
NEEDS_A_DAY = {
    Decision.GIVE_LATE: "Choose the day on which it is to be given.",
    Decision.GIVE_LATE_AND_SHIFT: "Choose the day on which it is to be given.",
    Decision.GIVE_REMAINDER: "Choose the day by which the rest is to be given.",
    Decision.CHANGE_DOSE: "Choose the day on which it is to be given.",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One signed choice, with all that its effect needs."""

    chart: Chart
    dose: PlannedDose
    case: missed.Case
    option: missed.Option
    give_on: date | None
    mg_per_kg: Decimal | None
    review_on: date | None
    protocol_code: str
    reason_code: str
    reason: str
    by: Membership
    at: datetime

    @property
    def course(self) -> Course:
        """The locked course."""
        assert self.chart.course is not None
        return self.chart.course

    @property
    def on(self) -> date:
        """The day chosen."""
        assert self.give_on is not None  # asked for before any effect
        return self.give_on

    def ends(self, on: date) -> datetime:
        """The first instant after a day, where the patient is treated."""
        return day_start(on + timedelta(days=1), zone(self.chart.centre.time_zone))


def _successor(choice: Choice, old: PlannedDose) -> PlannedDose:
    """A new, unsigned row in a dose's place; its day is another one, so it is not booked."""
    new = successor(old, choice.course)
    drop_booking(new)
    return new


def _on_its_day(choice: Choice) -> PlannedDose:
    """A new row for one day alone, but never inside the interval to the last dose."""
    assert choice.option.give_at is not None
    new = _successor(choice, choice.dose)
    begins, ends = day_start(choice.on, zone(choice.chart.centre.time_zone)), choice.ends(choice.on)
    new.opens_at = choice.option.give_at if choice.option.give_at > choice.at else begins
    new.target_on, new.overdue_at, new.closes_at = choice.on, ends, ends
    return new


def _set_rates(choice: Choice, new: PlannedDose) -> None:
    assert choice.option.give_at is not None
    new.rate_table = departures.rate_table_for(choice.chart, new, choice.option.give_at).code


def _save(choice: Choice, rows: list[PlannedDose]) -> None:
    """The course's next revision with these rows; refused where planning is stopped, or the pump cannot be set to their rates."""
    planning.check_may_plan(choice.chart.patient)
    for new in rows:
        planning.infusion_plan_of(new)
    save_revision(choice.course, rows, by=choice.by, at=choice.at)


def _give_late(choice: Choice) -> None:
    """A new row in the old one's place, for one day, unsigned: a pharmacist verifies it first. No other dose moves."""
    new = _on_its_day(choice)
    new.working = [*choice.dose.working, *choice.option.working.to_json()]
    _set_rates(choice, new)
    _save(choice, [new])


def _give_late_and_shift(choice: Choice) -> None:
    """New, unsigned rows for this dose and every later one that waits, all moved by the same days; their bookings are dropped."""
    days = (choice.on - choice.dose.target_on).days
    moved = {code for code, _ in choice.option.new_targets}
    windows = {window.number: window for window in choice.case.windows if window.code in moved}
    rows = [row for row in choice.chart.doses if row.number in windows and not row.settled_as]
    made = []
    for row in rows:
        window = shift_window(windows[row.number], days)
        new = _successor(choice, row)
        set_window(new, window)
        new.shifted_days = row.shifted_days + days
        new.working = [*window.working.to_json(), *choice.option.working.to_json()]
        made.append(new)
        if row.pk != choice.dose.pk:
            continue
        last = max((dose.started_at for dose in choice.case.given if dose.code != choice.case.code), default=None)
        kept = [window.opens_at, choice.at, *([] if last is None else [earliest_start(last, row.min_interval_hours)])]
        new.opens_at = max(kept)  # the window around the new target, but neither in the past nor inside the interval
        _set_rates(choice, new)
    _save(choice, made)


def _give_remainder(choice: Choice) -> None:
    """What is left of the stopped dose as a row of its own: exact mg, initial rates, no interval, until the end of a day."""
    assert choice.option.dose_mg is not None
    new = _successor(choice, choice.dose)
    new.is_remainder, new.dose_mg = True, choice.option.dose_mg
    ends = choice.ends(choice.on)
    new.opens_at, new.target_on, new.overdue_at, new.closes_at = choice.at, choice.on, ends, ends
    new.rate_table = "initial"
    _compute(new, choice)
    _save(choice, [new])


def _compute(new: PlannedDose, choice: Choice) -> None:
    """The amount by the row's own rule, and its working."""
    amount = planning.amount_of(new)
    set_amount(new, amount)
    about_the_window = [step for step in choice.dose.working if step["rule"].startswith("R-WIN-")]
    new.working = [*about_the_window, *amount.working.to_json(), *choice.option.working.to_json()]


def _accept_partial(choice: Choice) -> None:
    PlannedDose.objects.filter(pk=choice.dose.pk).update(settled_at=choice.at, settled_as="accepted")


def _omit(choice: Choice) -> None:
    PlannedDose.objects.filter(pk=choice.dose.pk).update(settled_at=choice.at, settled_as="omitted")


def _change_dose(choice: Choice) -> None:
    """Another mg per kg for this dose alone, on one day: a new order with the changed row, and a new, unsigned row."""
    assert choice.mg_per_kg is not None
    at_most_decimals(choice.mg_per_kg, "mg_per_kg", 2)
    if choice.mg_per_kg == choice.dose.mg_per_kg:
        raise Refusal("same_dose", "This is the dose as it was planned: choose to give it late.", field="mg_per_kg")
    _reorder(choice)
    new = _on_its_day(choice)
    new.mg_per_kg, new.rounded_from_mg = choice.mg_per_kg, None
    _compute(new, choice)
    _set_rates(choice, new)
    _save(choice, [new])


def _reorder(choice: Choice) -> None:
    """The course's order, written anew by the prescriber with this row changed; the old one is superseded."""
    assert choice.mg_per_kg is not None
    order = Order.objects.select_for_update(of=("self",)).get(course=choice.course, superseded_at=None)
    Order.objects.filter(pk=order.pk).update(superseded_at=choice.at)
    changed = dict(order.ordered_rows)
    # Of a row whose dates were chosen, only this one dose changes: D21_ALT.2 beside D21_ALT.
    changed[choice.case.code] = number(choice.mg_per_kg)
    order.pk, order.superseded_at = None, None
    order.ordered_rows = [[code, amount] for code, amount in changed.items()]
    order.prescriber, order.entered_by = choice.by, choice.by
    order.ordered_at = order.entered_at = order.signed_at = choice.at
    order.mode, order.order_number, order.is_read_back = Mode.WRITTEN, "", False
    order.save(force_insert=True)


def _hold(choice: Choice) -> None:
    """The whole course on hold until somebody resumes it. This dose still waits for its decision (workflow W2.7)."""
    if choice.review_on is None:
        raise Refusal(
            "review_on", "Say on which day somebody looks at it again.", source="Site policy: holds", field="review_on"
        )
    hold_course(
        course=choice.course,
        reason_code=choice.reason_code,
        reason=choice.reason,
        review_on=choice.review_on,
        ordered_by=choice.by,
        by=choice.by,
        at=choice.at,
    )


def _refuse_running(choice: Choice) -> None:
    own = {row.pk for row in choice.chart.doses}
    if any(r.dose_id in own for r in choice.chart.records if not r.error_at and not r.ended_at):
        raise Refusal("infusion_running", "An infusion of this course is running: end it first.", field="decision")


def _stop(choice: Choice) -> None:
    _refuse_running(choice)
    close_course(choice.course, choice.reason_code, choice.reason, by=choice.by, at=choice.at)


def _change_protocol(choice: Choice) -> None:
    """This course ends; an order for the other protocol waits for a pharmacist to build it. What was given stays on record."""
    _refuse_running(choice)
    if choice.protocol_code not in {row.code for row in _others(choice)}:
        raise Refusal("protocol_code", "Choose the protocol to change to.", source=SOURCE, field="protocol_code")
    # The new course is built on the monograph that is published now, which may be a later version than this course's.
    other = planning.published().to_domain().protocol(choice.protocol_code)
    before = choice.course.orders.get(superseded_at=None)
    order = OrderFacts(
        prescriber=choice.by,
        ordered_at=choice.at,
        mode=Mode.WRITTEN,
        indication=before.indication,
        ceiling_mg_per_kg_per_h=before.ceiling_mg_per_kg_per_h,
        instructions=before.instructions,
        reaction_orders=before.reaction_orders,
        off_label_reason=choice.reason if other.off_label else "",
        weight_basis=before.weight_basis,
        allows_vial_rounding=before.allows_vial_rounding,
        is_signed=True,
    )
    close_course(choice.course, choice.reason_code, choice.reason, by=choice.by, at=choice.at)
    place_order(
        transplant=choice.course.transplant, protocol_code=choice.protocol_code, order=order, by=choice.by, at=choice.at
    )


def _others(choice: Choice) -> tuple[Protocol, ...]:
    return missed.other_protocols(choice.case, choice.course.monograph.to_domain())


EFFECTS: dict[Decision, Callable[[Choice], None]] = {
    Decision.GIVE_LATE: _give_late,
    Decision.GIVE_LATE_AND_SHIFT: _give_late_and_shift,
    Decision.GIVE_REMAINDER: _give_remainder,
    Decision.ACCEPT_PARTIAL: _accept_partial,
    Decision.OMIT: _omit,
    Decision.CHANGE_DOSE: _change_dose,
    Decision.HOLD: _hold,
    Decision.STOP: _stop,
    Decision.CHANGE_PROTOCOL: _change_protocol,
}
