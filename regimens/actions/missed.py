"""Deciding about a missed dose: what the prescriber may choose, what each choice would do, and who signed which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from patients import audit
from patients.constraints import sentence_for
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import departures, planning
from regimens.actions.charting import Chart, clock, local_day, lock_dose
from regimens.actions.courses import close_course
from regimens.domain import missed
from regimens.domain.clock import day_start
from regimens.domain.exposure import GivenDose
from regimens.domain.guards import zone
from regimens.domain.intervals import earliest_start
from regimens.domain.reasons import Derivation
from regimens.domain.schedule import Window
from regimens.domain.status import Status
from regimens.domain.units import instant_text, number
from regimens.models import Decision, MissedDoseDecision, PlannedDose
from regimens.models.status import status_of

# How the prescriber was reached: the words a signature is kept with.
REACHED = {
    "own_review": "Own review of the list",
    "in_person": "In person",
    "telephone": "By telephone",
    "pager": "By pager",
    "message": "By secure message",
}
# Which list of the monograph's reasons belongs to which decision.
REASON_KINDS = {Decision.GIVE_LATE: "late", Decision.OMIT: "omitted", Decision.STOP: "stopped"}
LATEST_DAYS_AHEAD = 30  # site policy: a day further off than this is a slip of the pen
SOURCE = "Site policy: missed doses"


@dataclass(frozen=True, slots=True)
class Choice:
    """One signed choice, with all that its effect needs."""

    chart: Chart
    dose: PlannedDose
    option: missed.Option
    give_on: date | None
    reason_code: str
    reason: str
    by: Membership
    at: datetime


def case_of(chart: Chart) -> missed.Case:
    """The chart as the rules read it: every live dose with its window, every infusion so far."""
    dose, course = chart.dose, chart.course
    assert dose is not None and course is not None  # a case is always of a planned dose
    value = course.monograph.to_domain()
    protocol = value.protocol(course.protocol.code)
    live = [row for row in chart.doses if row.settled_as != "superseded"]
    codes = _codes(live)
    per_ml = value.product.concentration_mg_per_ml
    by_row = {row.pk: row for row in chart.doses}
    given = []
    for record in chart.counted():
        row = by_row.get(record.dose_id) if record.dose_id else None
        volume_ml = record.volume_ml if record.volume_ml is not None else (row.draw_ml if row else Decimal(0))
        weight_kg = row.weight_kg if row else dose.weight_kg
        given.append(GivenDose(codes.get(row.number, "") if row else "", record.started_at, volume_ml * per_ml, weight_kg))
    settled = {codes[row.number] for row in live if row.settled_as in ("omitted", "cancelled", "before_referral")}
    windows = tuple(_window(row, codes[row.number], protocol, chart.centre.time_zone) for row in live)
    return missed.Case(
        code=codes[dose.number],
        protocol=protocol,
        anchor_on=course.anchor_on,
        windows=windows,
        given=tuple(given),
        ordered_mg=dose.dose_mg,
        weight_kg=dose.weight_kg,
        settled_codes=frozenset(settled),
    )


def _codes(rows: Sequence[PlannedDose]) -> dict[int, str]:
    """Dose number → code; a row whose dates were chosen counts on: D21_ALT.1, D21_ALT.2."""
    codes: dict[int, str] = {}
    for row in rows:
        code = row.protocol_dose.code
        if row.protocol_dose.repeats:
            code = f"{code}.{sum(known.startswith(f'{code}.') for known in codes.values()) + 1}"
        codes[row.number] = code
    return codes


def _window(row: PlannedDose, code: str, protocol: Any, zone_name: str) -> Window:
    return Window(
        number=row.number,
        code=code,
        title=row.title,
        mg_per_kg=row.mg_per_kg,
        target_on=row.target_on,
        opens_at=row.opens_at,
        target_at=max(row.opens_at, day_start(row.target_on, zone(zone_name))),
        overdue_at=row.overdue_at,
        closes_at=row.closes_at,
        min_interval_hours=row.min_interval_hours,
        row=protocol.dose(row.protocol_dose.code),
        zone_name=zone_name,
        working=Derivation.from_json(row.working),
    )


def options_for(chart: Chart, at: datetime, give_on: date | None = None) -> dict[Decision, missed.Option]:
    """What may be signed today, by decision, with dates, gaps and mg; ``give_on`` is the day considered for giving late."""
    assert chart.course is not None
    case = case_of(chart)
    give_at = None if give_on is None else _considered(case, chart, at, give_on)
    shown = missed.options(case, at=at, monograph=chart.course.monograph.to_domain(), give_at=give_at)
    return {Decision(str(option.decision)): option for option in shown if option.decision in EFFECTS}


def _considered(case: missed.Case, chart: Chart, at: datetime, give_on: date) -> datetime:
    """The first instant of a day at which the late dose may start: not in the past, nor within the interval."""
    zone_name = chart.centre.time_zone
    if give_on < local_day(at, chart.centre):
        raise Refusal(
            "start_in_the_past", "A dose cannot be given in the past. Record it as already given instead.", field="give_on"
        )
    if give_on > local_day(at, chart.centre) + timedelta(days=LATEST_DAYS_AHEAD):
        raise Refusal("too_far_ahead", f"Choose a day within {LATEST_DAYS_AHEAD} days.", source=SOURCE, field="give_on")
    last = max((dose.started_at for dose in case.given if dose.code != case.code), default=None)
    earliest = at if last is None else max(at, earliest_start(last, case.window.min_interval_hours))
    begins, ends = day_start(give_on, zone(zone_name)), day_start(give_on + timedelta(days=1), zone(zone_name))
    if earliest >= ends:
        raise Refusal(
            "min_interval",
            f"Not before {instant_text(earliest, zone_name)}: the interval to the last dose.",
            source="Site policy: minimum interval",
            field="give_on",
        )
    return max(begins, earliest)


def effects_of(options: dict[Decision, missed.Option], zone_name: str) -> list[dict[str, Any]]:
    """The options as plain values, as they are shown and kept with the decision."""
    return [
        {
            "decision": str(decision),
            "available": option.is_available,
            "departs": option.needs_signature,
            "give_at": option.give_at.isoformat() if option.give_at else "",
            "latest_on": option.latest_on.isoformat() if option.latest_on else "",
            "dose_mg": number(option.dose_mg) if option.dose_mg is not None else "",
            "mg_per_kg": number(option.mg_per_kg, 2) if option.mg_per_kg is not None else "",
            "days_since_last": option.days_since_last,
            "days_to_next": option.days_to_next,
            "next_code": option.next_code,
            "next_opens_at": instant_text(option.next_opens_at, zone_name) if option.next_opens_at else "",
            "mg_per_kg_in_7_days": number(option.mg_per_kg_in_7_days, 2),
            "mg_per_kg_in_28_days": number(option.mg_per_kg_in_28_days, 2),
            "for": list(option.reasons_for),
            "against": list(option.reasons_against),
        }
        for decision, option in options.items()
    ]


def decide(
    *,
    dose: PlannedDose,
    decision: str,
    reason_code: str,
    reached_by: str,
    by: Membership,
    at: datetime,
    reason: str = "",
    give_on: date | None = None,
) -> MissedDoseDecision:
    """A prescriber's decision about a dose whose window has closed. The view has checked the password.

    Refused: anybody but a prescriber; a dose that is not missed, or decided already; a decision its option does not allow;
    giving late without a day, in the past or inside the interval; a reason that is not in the monograph's list for it.
    """
    require(by, "decide_missed")
    if decision not in EFFECTS:
        raise Refusal("decision", "Choose what is to happen with this dose.", field="decision")
    if reached_by not in REACHED:
        raise Refusal("reached_by", "Say how you were reached.", field="reached_by")
    try:
        with transaction.atomic():
            return _decide(Decision(decision), lock_dose(dose), dose, reason_code, reason.strip(), reached_by, give_on, by, at)
    except IntegrityError as error:
        raise sentence_for(error) from None


def _decide(
    decision: Decision,
    chart: Chart,
    asked: PlannedDose,
    reason_code: str,
    reason: str,
    reached_by: str,
    give_on: date | None,
    by: Membership,
    at: datetime,
) -> MissedDoseDecision:
    dose = next(row for row in chart.doses if row.pk == asked.pk)
    refuse_unless_missed(chart, dose, at)
    _check_reason(chart, decision, reason_code, reason)
    if decision == Decision.GIVE_LATE and give_on is None:
        raise Refusal("giving_late_has_a_day", "Choose the day on which it is to be given.", field="give_on")
    late_on = give_on if decision == Decision.GIVE_LATE else None
    options = options_for(chart, at, late_on)
    option = options[decision]
    if not option.is_available:
        raise Refusal("not_available", option.reasons_against[0], source=SOURCE, field="decision")
    audit.event(
        "decide_missed",
        by=by,
        patient=chart.patient,
        reason=reason or reason_code,
        dose=str(dose.pk),
        decision=str(decision),
        give_on=late_on,
    )
    row = MissedDoseDecision.objects.create(
        dose=dose,
        decision=decision,
        give_on=late_on,
        reason_code=reason_code,
        reason=reason,
        reached_by=REACHED[reached_by],
        effects=effects_of(options, chart.centre.time_zone),
        decided_by=by,
        decided_at=at,
    )
    EFFECTS[decision](Choice(chart, dose, option, late_on, reason_code, reason, by, at))
    return row


def refuse_unless_missed(chart: Chart, dose: PlannedDose, at: datetime) -> None:
    """Only a dose whose window closed without a record is decided here, and only once."""
    done = MissedDoseDecision.objects.filter(dose=dose).select_related("decided_by__user").first()
    if done is not None:
        when = clock(done.decided_at, chart.centre.time_zone, at)
        raise Refusal(
            "already_decided",
            f"Already decided by {done.decided_by.user.printed_name} at {when}: {done.get_decision_display().lower()}.",
        )
    records = [r for r in chart.records if r.dose_id == dose.pk]
    if (live := chart.live_record(dose)) is not None:
        when = clock(live.recorded_at, chart.centre.time_zone, at)
        raise Refusal("already_recorded", f"Not missed: recorded by {live.recorded_by.user.printed_name} at {when}.")
    status = status_of(dose, at, records)
    if status != Status.MISSED:
        raise Refusal("not_missed", f"This dose is not missed: it is {str(status).replace('_', ' ')}.", source=SOURCE)


def _check_reason(chart: Chart, decision: Decision, reason_code: str, reason: str) -> None:
    assert chart.course is not None
    kind = REASON_KINDS[decision]
    known = next((r for r in chart.course.monograph.to_domain().reasons if r.kind == kind and r.code == reason_code), None)
    if known is None:
        raise Refusal("unknown_reason", "Choose a reason that belongs to this decision.", field="reason_code")
    if known.needs_text and not reason:
        raise Refusal("reason_text", "This reason needs words.", field="reason")


# Effects -------------------------------------------------------------------------------------------------------------------


def _give_late(choice: Choice) -> None:
    """A new row in the old one's place, for one day, unsigned: a pharmacist verifies it first. No other dose moves."""
    planning.check_may_plan(choice.chart.patient)
    old, course = choice.dose, choice.chart.course
    assert course is not None and choice.give_on is not None and choice.option.give_at is not None
    course.revision += 1
    course.version += 1
    course.save(update_fields=["revision", "version"])
    PlannedDose.objects.filter(pk=old.pk).update(settled_at=choice.at, settled_as="superseded")
    fresh = ("id", "replaces", "verified_by", "verified_at", "content_hash", "settled_at", "settled_as")
    kept = {f.attname: getattr(old, f.attname) for f in PlannedDose._meta.concrete_fields if f.name not in fresh}
    new = PlannedDose(**kept)
    new.course, new.replaces, new.revision = course, old, course.revision
    new.built_by, new.built_at = choice.by, choice.at
    zone_info = zone(choice.chart.centre.time_zone)
    begins, ends = day_start(choice.give_on, zone_info), day_start(choice.give_on + timedelta(days=1), zone_info)
    # The day, but never inside the interval to the last dose.
    new.opens_at = choice.option.give_at if choice.option.give_at > choice.at else begins
    new.target_on, new.overdue_at, new.closes_at = choice.give_on, ends, ends
    new.working = [*old.working, *choice.option.working.to_json()]
    new.rate_table = departures.rate_table_for(choice.chart, new, choice.option.give_at).code
    planning.infusion_plan_of(new)  # refuses a table whose rates the pump cannot be set to
    new.save(force_insert=True)


def _omit(choice: Choice) -> None:
    PlannedDose.objects.filter(pk=choice.dose.pk).update(settled_at=choice.at, settled_as="omitted")


def _stop(choice: Choice) -> None:
    assert choice.chart.course is not None
    own = {row.pk for row in choice.chart.doses}
    if any(r.dose_id in own for r in choice.chart.records if not r.error_at and not r.ended_at):
        raise Refusal("infusion_running", "An infusion of this course is running: end it first.", field="decision")
    close_course(choice.chart.course, choice.reason_code, choice.reason, by=choice.by, at=choice.at)


EFFECTS: dict[Decision, Callable[[Choice], None]] = {Decision.GIVE_LATE: _give_late, Decision.OMIT: _omit, Decision.STOP: _stop}
