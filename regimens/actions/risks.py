"""The checklist of risks for kidney and clots, and the pregnancy status: a newer one replaces the older, nothing is overwritten."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction

from patients import audit, when
from patients.actions.common import allow, one_of, open_patient, plain_refusals, short_text
from patients.models import Membership, Patient, Precaution, Transplant
from patients.refusal import Refusal
from patients.roles import Role
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.screening import Screening, screen
from regimens.domain.units import day_text
from regimens.models import RiskReview

SOURCE = "Monograph, Pregnancy and lactation"
STATEMENT_LENGTH = 200
# Which of the list weigh on the kidney (Label, Warnings); the others on clotting (class warning of 2013).
RENAL = ("diabetes", "volume_depletion", "sepsis", "paraproteinemia", "nephrotoxic_drugs")
CLOTS = ("thrombosis_history", "immobilization", "central_catheter", "hyperviscosity", "estrogens")


@transaction.atomic
def record_risks(
    *,
    patient: Patient,
    factors: Collection[str],
    pregnancy: str,
    by: Membership,
    at: datetime,
    pregnancy_on: date | None = None,
    prescriber_statement: str = "",
) -> RiskReview:
    """The whole checklist as answered now. A prescriber's statement stays with an unchanged pregnancy status, under its own name.

    Refused: another role; an unknown risk or status; a negative test without its day, or on a day ahead; a statement by anybody
    but a prescriber, or of more than 200 characters.
    """
    allow(by, "record_finding")
    patient = open_patient(by, patient.pk)
    for factor in factors:
        one_of(factor, list(RiskReview.FACTORS), field="factors", what="risks")
    one_of(pregnancy, list(RiskReview.PREGNANCY), field="pregnancy", what="the pregnancy status")
    today = when.local_day(at, by.centre.time_zone)
    if pregnancy == "negative" and pregnancy_on is None:
        raise Refusal("pregnancy_test_day", "Enter the day of the negative test.", source=SOURCE, field="pregnancy_on")
    if pregnancy_on is not None and pregnancy_on > today:
        raise Refusal("in_the_future", "The test cannot be in the future. Check the date.", field="pregnancy_on")
    statement = short_text(prescriber_statement, field="prescriber_statement", what="statement", limit=STATEMENT_LENGTH)
    if statement and by.role != Role.PRESCRIBER:
        raise Refusal(
            "not_a_prescriber",
            "“Only if clearly needed” is the prescriber's own statement: a prescriber writes it.",
            source=SOURCE,
            field="prescriber_statement",
        )
    old = RiskReview.objects.select_for_update().filter(patient=patient, superseded_at=None).first()
    kept = old.prescriber_statement if old is not None and old.pregnancy == pregnancy else ""
    signed = f"{statement} ({by.user.printed_name}, {day_text(today)})" if statement else kept
    listed = [factor for factor in RiskReview.FACTORS if factor in factors]
    audit.event("record_risks", by=by, patient=patient, factors=listed, pregnancy=pregnancy)
    with plain_refusals():
        if old is not None:
            RiskReview.objects.filter(pk=old.pk).update(superseded_at=at)
        return RiskReview.objects.create(
            patient=patient,
            factors=listed,
            pregnancy=pregnancy,
            pregnancy_on=pregnancy_on if pregnancy == "negative" else None,
            prescriber_statement=signed,
            recorded_by=by,
            recorded_at=at,
        )


def screening_of(
    transplant: Transplant,
    value: MonographValue,
    answers: Collection[Precaution],
    review: RiskReview | None,
    today: date,
) -> Screening:
    """What the monograph asks to be seen of this patient now: stops, cautions and notes, the checklist included."""
    known = {statement.code for statement in value.statements}
    present = {answer.kind for answer in answers if answer.answer == "present"} & known
    factors = review.factors if review is not None else []
    if any(factor in CLOTS for factor in factors) and "thrombosis_risk_factors" in known:
        present.add("thrombosis_risk_factors")
    return screen(
        monograph=value,
        precautions=sorted(present),
        organs=transplant.organs,
        donor_igg=transplant.donor_cmv_igg,
        recipient_igg=transplant.recipient_cmv_igg,
        has_antiviral=transplant.antiviral not in ("not_recorded", "none"),
        born_on=transplant.patient.birth_on,
        on=today,
        pregnancy=review.pregnancy if review is not None else "not_recorded",
        renal_risks=[RiskReview.FACTORS[factor].lower() for factor in factors if factor in RENAL],
    )


def lacks_statement(answers: Collection[Precaution], review: RiskReview | None) -> bool:
    """Whether pregnancy or lactation is on record and no prescriber has stated that the product is clearly needed."""
    asked = any(answer.kind in ("pregnancy", "lactation") and answer.answer == "present" for answer in answers)
    pregnant = review is not None and review.pregnancy == "pregnant"
    return (asked or pregnant) and not (review is not None and review.prescriber_statement)
