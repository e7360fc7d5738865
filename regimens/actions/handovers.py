"""Handing a patient's care over to somebody elsewhere. Every dose stays ours until they have acknowledged it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from patients import actions as patient_actions
from patients import audit
from patients.actions.common import needed_reason, open_patient, plain_refusals, short_text
from patients.models import Centre, ClosedReason, Membership, Patient
from patients.refusal import Refusal
from patients.roles import require
from patients.when import check_past
from regimens.models import Administration, Handover, PlannedDose

SOURCE = "Site policy: transfer of care"


def open_handover(patient: Patient) -> Handover | None:
    """The hand-over of a patient that waits for an answer."""
    rows = Handover.objects.filter(patient=patient, acknowledged_at=None, cancelled_at=None)
    return rows.select_related("handed_by__user", "next_dose").first()


def open_handovers(centre: Centre) -> QuerySet[Handover]:
    """Every hand-over of a centre that nobody has acknowledged, the oldest first: for the worklist."""
    rows = Handover.objects.filter(patient__centre=centre, patient__closed_at=None, acknowledged_at=None, cancelled_at=None)
    return rows.select_related("patient", "next_dose", "handed_by__user").order_by("handed_at", "pk")


def next_open_dose(patient: Patient) -> PlannedDose | None:
    """The dose of a patient that is to be given, or decided about, next."""
    rows = PlannedDose.objects.filter(course__patient=patient, course__stopped_at=None, settled_at=None)
    return rows.order_by("closes_at", "number").first()


@transaction.atomic
def hand_over(*, patient: Patient, to_person: str, to_place: str, phone: str = "", by: Membership, at: datetime) -> Handover:
    """Name who takes over, and where; the next dose goes with it. Nothing about any dose changes.

    Refused: another role; a closed chart; no person, place or telephone number; a hand-over that is open already.
    """
    require(by, "hand_over")
    patient = open_patient(by, patient.pk)
    named = {
        "to_person": _named(to_person, "to_person", "accepting person", 120),
        "to_place": _named(to_place, "to_place", "accepting place", 120),
        "phone": _named(phone, "phone", "telephone number", 40),
    }
    following = next_open_dose(patient)
    audit.event("hand_over", by=by, patient=patient, next_dose=str(following.pk) if following else None)
    with plain_refusals():
        return Handover.objects.create(patient=patient, next_dose=following, handed_by=by, handed_at=at, **named)


@transaction.atomic
def acknowledge(*, handover: Handover, who: str, how: str, acknowledged_at: datetime, by: Membership, at: datetime) -> Handover:
    """They have taken over: the chart is closed as transferred, and nothing of it is due here any more.

    Refused: another role; a hand-over that is closed; a running infusion; no name or way; an instant ahead, or before the hand-over.
    """
    require(by, "hand_over")
    patient = open_patient(by, handover.patient_id)
    handover = _locked(handover)
    words = f"{_named(who, 'who', 'name', 100)}, {_named(how, 'how', 'way', 98)}"
    check_past(acknowledged_at, at=at, field="acknowledged_at", what="The answer")
    if acknowledged_at < handover.handed_at.replace(second=0, microsecond=0):
        raise Refusal("before_handover", "That is before the hand-over.", source=SOURCE, field="acknowledged_at")
    if Administration.objects.filter(patient=patient, ended_at=None, error_at=None).exists():
        raise Refusal("infusion_running", "An infusion of this patient is running: end it first.")
    audit.event("acknowledge_handover", by=by, patient=patient, reason=words, handover=handover.pk)
    handover.acknowledged_how, handover.acknowledged_at, handover.acknowledged_recorded_by = words, acknowledged_at, by
    with plain_refusals():
        handover.save(update_fields=["acknowledged_how", "acknowledged_at", "acknowledged_recorded_by"])
    patient_actions.close_patient(
        by=by,
        at=at,
        patient=patient,
        closed_reason=ClosedReason.TRANSFERRED,
        closed_at=acknowledged_at,
        note=f"{handover.to_place}: {words}"[:300],
    )
    return handover


@transaction.atomic
def cancel_handover(*, handover: Handover, reason: str, by: Membership, at: datetime) -> Handover:
    """The patient stays here. Refused: another role; a hand-over that is closed; no reason."""
    require(by, "hand_over")
    handover = _locked(handover)
    reason = needed_reason(reason, field="cancel_reason", sentence="Say why the patient stays.")
    audit.event("cancel_handover", by=by, patient=handover.patient_id, reason=reason, handover=handover.pk)
    handover.cancelled_at = at
    handover.save(update_fields=["cancelled_at"])
    return handover


def _locked(handover: Handover) -> Handover:
    handover = Handover.objects.select_for_update(of=("self",)).get(pk=handover.pk)
    if handover.acknowledged_at or handover.cancelled_at:
        word = "acknowledged" if handover.acknowledged_at else "cancelled"
        raise Refusal("handover_closed", f"This hand-over was {word} meanwhile.")
    return handover


def _named(text: str, field: str, what: str, limit: int) -> str:
    clean = short_text(text, field=field, what=what, limit=limit)
    if len(clean) < 2:
        raise Refusal("name_needed", f"Enter the {what}.", source=SOURCE, field=field)
    return clean
