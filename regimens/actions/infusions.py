"""Recording that an infusion began or was given: the only code that makes administrations.

Starting is refused where the plan is not safe. What was given is always recorded, with a reason where it departs from the plan.
One planned dose has one live record, however many people press at once: the chart is locked, and the index is the last line.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from patients import audit
from patients.constraints import sentence_for
from patients.models import Membership, Patient
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import departures, planning
from regimens.actions.around import read_around
from regimens.actions.charting import (
    Chart,
    check_giver,
    check_identity,
    check_lots,
    check_partial,
    check_times,
    clock,
    lock_dose,
    lock_patient,
    not_in_future,
    same_form,
)
from regimens.actions.holds import courses_to_hold, hold_after_reactions
from regimens.actions.parts import (
    RateFacts,
    ReactionFacts,
    VialFacts,
    VitalsFacts,
    lot_numbers,
    save_rates,
    save_reactions,
    save_vials,
    save_vitals,
)
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.units import with_unit
from regimens.models import Administration, PlannedDose


class AlreadyRecorded(Refusal):
    """Somebody else recorded this dose first. ``record_id`` is theirs."""

    def __init__(self, record: Administration, *, at: datetime) -> None:
        when = clock(record.recorded_at, record.centre.time_zone, at)
        super().__init__("already_recorded", f"Already recorded by {record.recorded_by.user.printed_name} at {when}.")
        self.record_id = record.pk


def start_infusion(
    *,
    dose: PlannedDose,
    token: uuid.UUID,
    mrn_tail: str,
    birth_year: str,
    sheet_code: str,
    by: Membership,
    at: datetime,
    given_by: Membership | None = None,
    vial_entered_at: datetime | None = None,
    in_stages: bool = False,
    rate_ml_per_h: Decimal | None = None,
    vials: Sequence[VialFacts] = (),
    vitals: VitalsFacts | None = None,
    shown_table: str = "",
) -> Administration:
    """Start a dose now, at the first rate of its table unless a lower one is set. The same form again gives the same record.

    ``shown_table`` is the rate table that the page showed: only where it is the one of a new lot does such a lot start.

    Refused: role, identity, a first rate above the table's, and everything in ``departures.refuse_start``;
    ``AlreadyRecorded`` where somebody was first.
    """
    require(by, "start_infusion")
    try:
        with transaction.atomic():
            chart = lock_dose(dose)
            if (done := same_form(chart, token, by)) is not None:
                return done
            return _start(
                chart,
                dose,
                token=token,
                identity=(mrn_tail, birth_year),
                sheet_code=sheet_code,
                by=by,
                at=at,
                given_by=given_by or by,
                vial_entered_at=vial_entered_at,
                in_stages=in_stages,
                rate_ml_per_h=rate_ml_per_h,
                vials=vials,
                vitals=vitals,
                shown_table=shown_table,
            )
    except IntegrityError as error:
        raise _who_was_first(error, dose, at) from None


def _start(
    chart: Chart,
    asked: PlannedDose,
    *,
    token: uuid.UUID,
    identity: tuple[str, str],
    sheet_code: str,
    by: Membership,
    at: datetime,
    given_by: Membership,
    vial_entered_at: datetime | None,
    in_stages: bool,
    rate_ml_per_h: Decimal | None,
    vials: Sequence[VialFacts],
    vitals: VitalsFacts | None,
    shown_table: str,
) -> Administration:
    dose = _dose_of(chart)
    _refuse_second(chart, dose, at)
    check_identity(chart.patient, *identity)
    check_giver(given_by, by)
    not_in_future(vial_entered_at, at, "vial_entered_at", "The vial's entry")
    if dose.pk != asked.pk:
        raise Refusal("superseded", "Not started: this dose was recalculated. Open its current version and print its sheet.")
    around = read_around(chart, dose)
    lots = lot_numbers(vials)
    table = departures.rate_table_for(chart, dose, at, lots)
    plan = planning.infusion_plan_of(dose, table.code)
    departures.refuse_start(
        chart,
        dose,
        around,
        sheet_code=sheet_code,
        plan=plan,
        vial_entered_at=vial_entered_at,
        in_stages=in_stages,
        vials=vials,
        at=at,
    )
    departures.refuse_unseen_table(chart, table, plan, lots, shown_table)
    first = plan.steps[0].pump_rate_ml_per_h
    rate = first if rate_ml_per_h is None else rate_ml_per_h
    if not 0 < rate <= first:
        raise Refusal(
            "first_rate",
            f"The first step runs at {with_unit(first, 'mL per h')} or slower.",
            source="Label, Administration: infusion rates",
            field="rate_ml_per_h",
        )
    flags = departures.timing_flags(dose, at, chart.centre.time_zone)
    if in_stages:
        flags.add("vials_in_stages")
    if departures.is_under_interval(chart, dose, at):
        flags.add("under_interval")  # signed for by a prescriber, or it would have been refused
    audit.event("start_infusion", by=by, patient=chart.patient, dose=str(dose.pk), rate_ml_per_h=rate)
    record = Administration.objects.create(
        patient=chart.patient,
        centre=chart.centre,
        dose=dose,
        token=token,
        started_at=at,
        vial_entered_at=vial_entered_at,
        sheet_code=planning.sheet_code(dose),
        rate_table=table.code,
        given_by=given_by,
        flags=departures.in_order(flags),
        recorded_by=by,
        recorded_at=at,
    )
    _settle(dose, at)
    save_rates(record, [RateFacts(at, rate)], by, at)
    _save_parts(
        record, dose.course.monograph.to_domain(), vials=vials, vitals=[vitals] if vitals else [], reactions=(), by=by, at=at
    )
    return record


def log_given(
    *,
    dose: PlannedDose,
    token: uuid.UUID,
    mrn_tail: str,
    birth_year: str,
    started_at: datetime,
    by: Membership,
    at: datetime,
    ended_at: datetime | None = None,
    volume_ml: Decimal | None = None,
    given_by: Membership | None = None,
    vial_entered_at: datetime | None = None,
    sheet_code: str = "",
    vials: Sequence[VialFacts] = (),
    vitals: Sequence[VitalsFacts] = (),
    reactions: Sequence[ReactionFacts] = (),
    rates: Sequence[RateFacts] = (),
    stopped_early_reason: str = "",
    reason: str = "",
) -> Administration:
    """Record a dose that was given, or is running, outside this screen: always possible, with a reason for every departure.

    Without ``ended_at`` the infusion still runs. Refused: role, identity, times in the future or out of order, an end without a
    volume, a part of the dose without why it was stopped, departures without a reason of 10 characters; ``AlreadyRecorded``.
    """
    require(by, "log_infusion")
    try:
        with transaction.atomic():
            courses = courses_to_hold(dose.course.patient, reactions)
            chart = lock_dose(dose)
            if (done := same_form(chart, token, by)) is not None:
                return done
            live = _dose_of(chart)
            _refuse_second(chart, live, at)
            check_identity(chart.patient, mrn_tail, birth_year)
            check_giver(given_by or by, by)
            check_times(started_at, ended_at, volume_ml, at)
            not_in_future(vial_entered_at, at, "vial_entered_at", "The vial's entry")
            is_old = live.pk != dose.pk
            if sheet_code and not departures.same_code(sheet_code, planning.sheet_code(live)):
                is_old = True
            flags = departures.flags_of(
                chart,
                live,
                started_at=started_at,
                ended_at=ended_at,
                volume_ml=volume_ml,
                vial_entered_at=vial_entered_at,
                vials=vials,
                rates=rates,
                is_old_sheet=is_old,
                at=at,
            )
            departures.require_reason(flags, reason)
            check_partial(live, volume_ml, stopped_early_reason)
            check_lots(sum((vial.given_ml for vial in vials), Decimal(0)), volume_ml)
            audit.event("log_infusion", by=by, patient=chart.patient, reason=reason.strip(), dose=str(live.pk), flags=flags)
            record = Administration.objects.create(
                patient=chart.patient,
                centre=chart.centre,
                dose=live,
                token=token,
                started_at=started_at,
                ended_at=ended_at,
                volume_ml=volume_ml,
                vial_entered_at=vial_entered_at,
                sheet_code=sheet_code.strip().upper()[:9],
                rate_table=departures.rate_table_for(chart, live, started_at, lot_numbers(vials)).code,
                given_by=given_by or by,
                flags=flags,
                reason=reason.strip(),
                stopped_early_reason=stopped_early_reason.strip(),
                recorded_by=by,
                recorded_at=at,
                completed_by=by if ended_at else None,
                completed_at=at if ended_at else None,
            )
            _settle(live, at)
            save_rates(record, rates, by, at)
            _save_parts(
                record, live.course.monograph.to_domain(), vials=vials, vitals=vitals, reactions=reactions, by=by, at=at
            )
            hold_after_reactions(courses, reactions, by=by, at=at)
            return record
    except IntegrityError as error:
        raise _who_was_first(error, dose, at) from None


def log_unplanned(
    *,
    patient: Patient,
    token: uuid.UUID,
    mrn_tail: str,
    birth_year: str,
    started_at: datetime,
    reason: str,
    by: Membership,
    at: datetime,
    ended_at: datetime | None = None,
    volume_ml: Decimal | None = None,
    given_by: Membership | None = None,
    vial_entered_at: datetime | None = None,
    vials: Sequence[VialFacts] = (),
    vitals: Sequence[VitalsFacts] = (),
    reactions: Sequence[ReactionFacts] = (),
    rates: Sequence[RateFacts] = (),
) -> Administration:
    """Record an infusion that belongs to no planned dose: a second real dose, or one without a course (hazard H13)."""
    require(by, "log_infusion")
    try:
        with transaction.atomic():
            courses = courses_to_hold(patient, reactions)
            chart = lock_patient(patient)
            if (done := same_form(chart, token, by)) is not None:
                return done
            check_identity(chart.patient, mrn_tail, birth_year)
            check_giver(given_by or by, by)
            check_times(started_at, ended_at, volume_ml, at)
            not_in_future(vial_entered_at, at, "vial_entered_at", "The vial's entry")
            check_lots(sum((vial.given_ml for vial in vials), Decimal(0)), volume_ml)
            value = planning.published().to_domain()
            flags = departures.common_flags(
                value,
                chart,
                started_at=started_at,
                ended_at=ended_at,
                vial_entered_at=vial_entered_at,
                vials=vials,
                rates=rates,
                at=at,
            )
            if chart.patient.closed_at:
                flags.add("patient_closed")
            ordered = departures.in_order(flags | {"unplanned"})
            departures.require_reason(ordered, reason)
            audit.event("log_unplanned", by=by, patient=chart.patient, reason=reason.strip(), flags=ordered)
            record = Administration.objects.create(
                patient=chart.patient,
                centre=chart.centre,
                token=token,
                started_at=started_at,
                ended_at=ended_at,
                volume_ml=volume_ml,
                vial_entered_at=vial_entered_at,
                given_by=given_by or by,
                flags=ordered,
                reason=reason.strip(),
                recorded_by=by,
                recorded_at=at,
                completed_by=by if ended_at else None,
                completed_at=at if ended_at else None,
            )
            save_rates(record, rates, by, at)
            _save_parts(record, value, vials=vials, vitals=vitals, reactions=reactions, by=by, at=at)
            hold_after_reactions(courses, reactions, by=by, at=at)
            return record
    except IntegrityError as error:
        raise sentence_for(error) from None


# Parts -------------------------------------------------------------------------------------------------------------------


def _refuse_second(chart: Chart, dose: PlannedDose, at: datetime) -> None:
    if (live := chart.live_record(dose)) is not None:
        live.centre = chart.centre
        raise AlreadyRecorded(live, at=at)


def _who_was_first(error: IntegrityError, dose: PlannedDose, at: datetime) -> Refusal:
    """The index refused a second live record: say whose record it is."""
    live = Administration.objects.filter(dose=dose, error_at=None).select_related("recorded_by__user", "centre").first()
    return AlreadyRecorded(live, at=at) if live is not None else sentence_for(error)


def _dose_of(chart: Chart) -> PlannedDose:
    assert chart.dose is not None  # lock_dose always finds it
    return chart.dose


def _settle(dose: PlannedDose, at: datetime) -> None:
    """A recorded dose waits no longer. One that was omitted or cancelled keeps saying so beside its record."""
    if not dose.settled_as:
        PlannedDose.objects.filter(pk=dose.pk).update(settled_at=at, settled_as="recorded")


def _save_parts(
    record: Administration,
    value: MonographValue,
    *,
    vials: Sequence[VialFacts],
    vitals: Sequence[VitalsFacts],
    reactions: Sequence[ReactionFacts],
    by: Membership,
    at: datetime,
) -> None:
    """Each kind in one statement, and none where there is nothing."""
    if vitals:
        save_vitals(record, vitals, by, at)
    if reactions:
        save_reactions(record, reactions, by, at)
    save_vials(record, vials, value, by, at)
