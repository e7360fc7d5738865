"""Immune globulin given outside this record: entered with its source, struck out when wrong, and what a prescriber says it means.

CMV immune globulin from 7 days before the transplant on may stand for the initial dose (W1.4): until a prescriber has signed
whether it does, the plan is neither verified nor started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from patients import audit, when
from patients.actions.common import allow, locked_patient, needed_reason, one_of, plain_refusals, short_text
from patients.models import Membership, Patient, Transplant
from patients.refusal import Refusal
from patients.roles import require
from regimens.domain.changes import may_count_as_initial
from regimens.domain.screening import CELLS
from regimens.models import COUNTED, Administration, Course, OutsideDose, PlannedDose, PriorIg

PRIOR_DAYS = 28  # site policy (W2.5): how far back immune globulin is asked about before a course is built
SOURCE = "Site policy: doses given elsewhere"
CMV_IG = OutsideDose.Product.CMV_IG


@dataclass(frozen=True, slots=True)
class OutsideFacts:
    """One dose given elsewhere, as somebody told it. ``given_mg`` None is "not known"; ``visit`` is the code of the course's visit
    that it stood for, or "".
    """

    product: str
    given_at: datetime
    said_by: str
    given_mg: Decimal | None = None
    is_time_known: bool = True
    visit: str = ""


@transaction.atomic
def record_outside_dose(*, patient: Patient, dose: OutsideFacts, by: Membership, at: datetime) -> OutsideDose:
    """One dose given elsewhere. What really happened is recorded whatever the plan says, and for a closed chart too.

    Refused: another role; an unknown product; a time ahead or before birth; 0 mg; no source; the same dose a second time.
    """
    allow(by, "record_finding")
    patient = locked_patient(by, patient.pk)
    product = one_of(dose.product, OutsideDose.Product.values, field="product", what="the product")
    when.check_past(dose.given_at, at=at, field="given_at", what="A dose that was given")
    if when.local_day(dose.given_at, by.centre.time_zone) < patient.birth_on:
        raise Refusal("before_birth", "That is before the birth.", field="given_at")
    if dose.given_mg is not None and dose.given_mg <= 0:
        raise Refusal("outside_mg", "Enter the mg given, or leave it empty where it is not known.", field="given_mg")
    said_by = short_text(dose.said_by, field="said_by", what="source", limit=200)
    if not said_by:
        raise Refusal("outside_source", "Say who told you, or which document.", source=SOURCE, field="said_by")
    if patient.outside_doses.filter(error_at=None, product=product, given_at=dose.given_at).exists():
        raise Refusal("outside_recorded_already", "This dose is on record already.", field="given_at")
    audit.event("record_outside_dose", by=by, patient=patient, product=product, given_at=dose.given_at, mg=dose.given_mg)
    row = OutsideDose(
        patient=patient,
        product=product,
        given_at=dose.given_at,
        is_time_known=dose.is_time_known,
        given_mg=dose.given_mg,
        said_by=said_by,
        recorded_by=by,
        recorded_at=at,
    )
    with plain_refusals():
        row.save(force_insert=True)
    return row


@transaction.atomic
def strike_out(*, outside: OutsideDose, reason: str, by: Membership, at: datetime) -> OutsideDose:
    """The entry stays on record, struck through. A visit it stood for stays "not given here": nothing becomes due by striking out.

    Refused: another role; an entry struck out already; no reason.
    """
    allow(by, "enter_in_error")
    locked_patient(by, outside.patient_id)
    outside = OutsideDose.objects.select_for_update(of=("self",)).get(pk=outside.pk)
    if outside.error_at:
        raise Refusal("already_in_error", "This dose is struck out already.")
    reason = needed_reason(reason, sentence="Say what is wrong with this entry.")
    audit.event("strike_out_outside_dose", by=by, patient=outside.patient_id, reason=reason, outside_dose=outside.pk)
    outside.error_at, outside.error_by, outside.error_reason = at, by, reason
    with plain_refusals():
        outside.save(update_fields=["error_at", "error_by", "error_reason"])
    return outside


# What it means for the initial dose ----------------------------------------------------------------------------------------


def asks(row: OutsideDose, transplant: Transplant) -> bool:
    """Whether this dose may stand for the initial dose of a course counted from this transplant, and nobody has said."""
    return not row.decision and _may_stand(row, transplant)


def counts(row: OutsideDose, transplant: Transplant) -> bool:
    """Whether a prescriber signed that this dose is the initial one, and no visit of a course has it yet."""
    return row.decision == "counts_as_initial" and _may_stand(row, transplant)


def _may_stand(row: OutsideDose, transplant: Transplant) -> bool:
    if row.product != CMV_IG or row.error_at or row.dose_id or CELLS in transplant.organs:
        return False
    zone = transplant.zone_name
    graft_on = when.local_day(transplant.reperfusion_at, zone)
    return may_count_as_initial(given_on=when.local_day(row.given_at, zone), transplant_on=graft_on)


def undecided(patient: Patient, transplant: Transplant) -> list[OutsideDose]:
    """CMV immune globulin that no visit of a course has and that may stand for the initial dose of this transplant, oldest first.

    Empty once the initial dose of the transplant's open course is settled: then the question is answered by what was done. Stem
    cells have no initial dose that is counted from the infusion.
    """
    rows = [
        row
        for row in OutsideDose.objects.filter(patient=patient, product=CMV_IG, error_at=None, dose=None, decision="")
        if asks(row, transplant)
    ]
    if rows and _initial_doses(transplant).exclude(settled_at=None).exists():
        return []
    return rows


def _initial_doses(transplant: Transplant):
    return PlannedDose.objects.filter(course__transplant=transplant, course__stopped_at=None, number=1).exclude(
        settled_as="superseded"
    )


@transaction.atomic
def decide_outside(*, outside: OutsideDose, decision: str, reason: str, by: Membership, at: datetime) -> OutsideDose:
    """A prescriber's signed word on whether this dose counts as the initial one. The view has checked the password.

    "counts_as_initial" settles the initial dose of the open course as not given here; where no course is built yet, building does.
    Refused: anybody but a prescriber; an entry in error, decided, with a visit of its own, or that asks nothing; no reason of at
    least 10 characters; an initial dose that is running or given.
    """
    require(by, "decide_finding")
    transplant = _asked_transplant(outside)
    first = None
    if transplant is not None:
        # The course first, then the patient: as a record at the bedside locks them.
        list(Course.objects.select_for_update(of=("self",), no_key=True).filter(transplant=transplant, stopped_at=None))
        first = _initial_doses(transplant).select_for_update(of=("self",)).first()
    patient = locked_patient(by, outside.patient_id)
    outside = OutsideDose.objects.select_for_update(of=("self",)).get(pk=outside.pk)
    if outside.error_at or outside.decision or outside.dose_id:
        raise Refusal("outside_settled", "Nothing is asked about this dose any more.")
    if transplant is None:
        raise Refusal("outside_asks_nothing", "This dose cannot stand for the initial dose of any transplant.", source=SOURCE)
    if decision not in OutsideDose.DECISIONS:
        raise Refusal("outside_decision", "Choose what this dose means.", field="decision")
    if len(reason.strip()) < 10:
        raise Refusal("outside_reason", "Say why, in at least 10 characters.", field="reason")
    audit.event("decide_outside_dose", by=by, patient=patient, reason=reason, outside_dose=outside.pk, decision=decision)
    if decision == "counts_as_initial" and first is not None:
        _settle_initial(first, at)
        outside.dose = first
    outside.decision, outside.decision_reason = decision, reason.strip()
    outside.decided_by, outside.decided_at = by, at
    with plain_refusals():
        outside.save(update_fields=["dose", "decision", "decision_reason", "decided_by", "decided_at"])
    return outside


def _asked_transplant(outside: OutsideDose) -> Transplant | None:
    """The latest transplant whose initial dose this may stand for."""
    rows = Transplant.objects.filter(patient=outside.patient_id).order_by("-reperfusion_at")
    return next((row for row in rows if asks(outside, row)), None)


def _settle_initial(first: PlannedDose, at: datetime) -> None:
    if first.settled_at or Administration.objects.filter(dose=first, error_at=None).exists():
        raise Refusal("initial_settled", "The initial dose of this course was given or decided already.", field="decision")
    PlannedDose.objects.filter(pk=first.pk).update(settled_at=at, settled_as="before_referral")


# Before a course is built ---------------------------------------------------------------------------------------------------


def check_prior(patient: Patient, prior_ig: str, asked: str, at: datetime) -> None:
    """The answer to "immune globulin in the last 28 days?" beside what is on record (W2.5).

    Refused: no answer; "yes" with no dose of these days on record; "no" against one; "unable to find out" without who was asked.
    """
    source = "Site policy: immune globulin before a course"
    if prior_ig not in PriorIg.values:
        sentence = f"Say whether immune globulin was given in the last {PRIOR_DAYS} days, here or elsewhere."
        raise Refusal("prior_ig_unanswered", sentence, source=source, field="prior_ig")
    if prior_ig == PriorIg.UNKNOWN and not asked.strip():
        raise Refusal("prior_ig_asked", "Say who was asked.", source=source, field="prior_ig_asked")
    is_known = was_given_since(patient, at - timedelta(days=PRIOR_DAYS))
    if prior_ig == PriorIg.YES and not is_known:
        raise Refusal(
            "prior_ig_doses", "Enter each dose that was given: day, product, mg and source.", source=source, field="prior_ig"
        )
    if prior_ig != PriorIg.YES and is_known:
        sentence = f"Immune globulin of the last {PRIOR_DAYS} days is on record for this patient: the answer is yes."
        raise Refusal("prior_ig_contradicts", sentence, source=source, field="prior_ig")


def was_given_since(patient: Patient, since: datetime) -> bool:
    """Whether any immune globulin, given here or elsewhere, is on record from an instant on."""
    return (
        OutsideDose.objects.filter(patient=patient, error_at=None, given_at__gte=since).exists()
        or Administration.objects.filter(COUNTED, patient=patient, started_at__gte=since).exists()
    )


def by_visit(
    rows: Iterable[OutsideDose], visits: Mapping[int, str], transplant: Transplant, first_code: str
) -> dict[str, OutsideDose]:
    """Visit's code → the dose given elsewhere that stands for it: as entered, or as a prescriber signed for the initial one.

    Refused: two doses for one visit; a visit for another product or for a dose that has one.
    """
    found: dict[str, OutsideDose] = {}
    for row in rows:
        code = visits.get(row.pk, "") or (first_code if counts(row, transplant) else "")
        if not code:
            continue
        if row.product != CMV_IG or row.dose_id or row.error_at:
            raise Refusal("visit_product", "Only CMV immune globulin stands for a visit, and each dose for one.", source=SOURCE)
        if code in found:
            raise Refusal("visit_twice", "Two doses given elsewhere are entered for the same visit.", source=SOURCE)
        found[code] = row
    return found


def attach(given: Mapping[str, OutsideDose], doses: Mapping[str, PlannedDose]) -> None:
    """Keep which visit each dose given elsewhere stood for; the visits are saved and settled already."""
    for code, row in given.items():
        row.dose = doses[code]
        row.save(update_fields=["dose"])


def live_rows(patient: Patient) -> Sequence[OutsideDose]:
    """Every dose given elsewhere that is not struck out, oldest first."""
    return list(OutsideDose.objects.filter(patient=patient, error_at=None).order_by("given_at", "pk"))
