"""Emergency access: a clinician reads one chart of another centre for 30 minutes, and that centre's auditor is told.

Asked for by the whole record number and the centre, and answered with the same silence whether the number is wrong or the chart
is not to be had. Every question is recorded, and few are answered: nobody finds a patient by trying numbers.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from patients import audit, names
from patients.access import one
from patients.actions.common import allow, plain_refusals, short_text
from patients.models import EMERGENCY_LASTS, BreakGlass, Event, Membership, Patient
from patients.refusal import Refusal

MISSES = 5  # in an hour
MISSED = "emergency_not_found"


@transaction.atomic
def open_emergency_access(*, by: Membership, at: datetime, centre_id: int, mrn: str, reason: str) -> BreakGlass | None:
    """Read access to one chart of another centre until 30 minutes from ``at``; None where there is no such chart.

    Refused: "role", "reason_needed" (under 10 characters), "emergency_locked" after 5 numbers within an hour that led nowhere.
    """
    allow(by, "break_glass")
    why = short_text(reason, field="reason", what="reason", limit=300)
    if len(why) < 10:
        raise Refusal("reason_needed", "Say in at least 10 characters why you must read this chart now.", field="reason")
    # One question at a time for each person, so that the count holds for simultaneous ones too.
    Membership.objects.select_for_update().get(pk=by.pk)
    misses = Event.objects.filter(actor_id=by.user_id, name=MISSED, at__gt=at - timedelta(hours=1)).count()
    if misses >= MISSES:
        raise Refusal("emergency_locked", "Too many record numbers that led nowhere. Telephone the other center.", field="mrn")
    number = names.clean_mrn(mrn)
    patient = Patient.objects.filter(centre_id=centre_id, mrn=number).exclude(centre_id=by.centre_id).first()
    if patient is None:
        audit.event(MISSED, by=by, reason=why, centre_asked=centre_id)
        return None
    audit.event("emergency_open", by=by, patient=patient, reason=why)
    with plain_refusals():
        return BreakGlass.objects.create(
            membership=by, patient=patient, reason=why, opened_at=at, expires_at=at + EMERGENCY_LASTS
        )


@transaction.atomic
def acknowledge_emergency_access(*, by: Membership, at: datetime, access_id: int) -> BreakGlass:
    """The auditor of the patient's centre has seen it. Refused: "role", "acknowledged" where somebody has already."""
    allow(by, "search_audit")
    access = one(BreakGlass.objects.select_for_update().filter(patient__centre_id=by.centre_id), pk=access_id)
    if access.acknowledged_at:
        raise Refusal("acknowledged", "Somebody has acknowledged this already.")
    audit.event("emergency_acknowledge", by=by, patient=access.patient_id, access=access.pk)
    access.acknowledged_by, access.acknowledged_at = by, at
    with plain_refusals():
        access.save(update_fields=["acknowledged_by", "acknowledged_at"])
    return access
