"""Recording and correcting a transplant: the instant that every window of a course is counted from (H07, H15, H24)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from patients import audit, when
from patients.access import transplant_for
from patients.actions.common import allow, check_version, needed_reason, one_of, open_patient, plain_refusals
from patients.models import Antiviral, Membership, Organ, Patient, Serostatus, Transplant
from patients.refusal import Refusal

EDITABLE = (
    "organs",
    "reperfusion_at",
    "is_time_known",
    "zone_name",
    "donor_cmv_igg",
    "recipient_cmv_igg",
    "antiviral",
    "antiviral_started_on",
)


@transaction.atomic
def record_transplant(
    *,
    by: Membership,
    at: datetime,
    patient: Patient,
    organs: Collection[str],
    reperfusion_at: datetime,
    donor_cmv_igg: str,
    recipient_cmv_igg: str,
    is_time_known: bool = True,
    zone_name: str = "",
    antiviral: str = Antiviral.NOT_RECORDED,
    antiviral_started_on: date | None = None,
) -> Transplant:
    """One graft operation of a patient, numbered from 1.

    ``reperfusion_at`` is the instant of reperfusion (stem cells: of the infusion), UTC; ``zone_name`` the zone of the operation
    (default: the centre's), in which every day is counted for good. Where only the date is known, it counts from the first
    instant of that day. Refused: "transplant_before_birth", "transplant_too_far_ahead", "no_organs", "stem_cells_alone",
    "transplant_recorded_already" (same organs, same day), "antiviral_start".
    """
    allow(by, "record_transplant")
    patient = open_patient(by, patient.pk)
    values = _clean(
        patient,
        at,
        organs=organs,
        reperfusion_at=reperfusion_at,
        is_time_known=is_time_known,
        zone_name=zone_name or patient.centre.time_zone,
        donor_cmv_igg=donor_cmv_igg,
        recipient_cmv_igg=recipient_cmv_igg,
        antiviral=antiviral,
        antiviral_started_on=antiviral_started_on,
    )
    _check_not_recorded_already(patient, values)
    number = (patient.transplants.aggregate(last=Max("number"))["last"] or 0) + 1
    transplant = Transplant(pk=uuid.uuid4(), patient=patient, number=number, recorded_by=by, recorded_at=at, **values)
    audit.event("record_transplant", by=by, patient=patient, transplant=transplant.pk, number=number)
    with plain_refusals():
        transplant.save(force_insert=True)
    return transplant


@transaction.atomic
def correct_transplant(
    *, by: Membership, at: datetime, transplant: Transplant, version: int, reason: str, **changes: Any
) -> Transplant:
    """The transplant with some values corrected, with a reason. No dose moves by itself: the course shows the difference and is
    recalculated by a person. Refused: "stale", "reason_needed", and all that refuses a new transplant. No change, no event.
    """
    allow(by, "record_transplant")
    patient = open_patient(by, transplant_for(by, transplant.pk).patient_id)
    transplant = Transplant.objects.select_for_update(of=("self",)).get(pk=transplant.pk)
    check_version(transplant.version, version)
    unknown = set(changes) - set(EDITABLE)
    if unknown:
        raise TypeError(f"not a value of a transplant: {sorted(unknown)}")
    values = _clean(patient, at, **({name: getattr(transplant, name) for name in EDITABLE} | changes))
    changed = [name for name in EDITABLE if values[name] != getattr(transplant, name)]
    if not changed:
        return transplant
    reason = needed_reason(reason, sentence="Say why the transplant is corrected.")
    _check_not_recorded_already(patient, values, besides=transplant.pk)
    audit.event("correct_transplant", by=by, patient=patient, reason=reason, transplant=transplant.pk, changed=changed)
    for name, value in values.items():
        setattr(transplant, name, value)
    transplant.version += 1
    with plain_refusals():
        transplant.save(update_fields=[*values, "version"])
    return transplant


def _clean(patient: Patient, at: datetime, **typed: Any) -> dict[str, Any]:
    """Every value as it is stored, or the refusal of the first that is not possible."""
    organs = [organ.value for organ in Organ if organ.value in typed["organs"]]
    if not organs or set(typed["organs"]) - set(organs):
        raise Refusal("no_organs", "Choose at least one organ from the list.", field="organs")
    if Organ.HSCT in organs and len(organs) > 1:
        raise Refusal(
            "stem_cells_alone", "Record stem cells and an organ as two transplants, each with its own time.", field="organs"
        )
    zone_name = str(when.zone_named(typed["zone_name"]))
    reperfusion_at = typed["reperfusion_at"]
    if not typed["is_time_known"]:
        reperfusion_at = when.day_begins(when.local_day(reperfusion_at, zone_name), zone_name)
    when.check_transplant(reperfusion_at, birth_on=patient.birth_on, zone_name=zone_name, at=at)
    antiviral = one_of(typed["antiviral"], Antiviral.values, field="antiviral", what="the antiviral")
    started_on = typed["antiviral_started_on"]
    if started_on is not None:
        _check_antiviral_start(started_on, antiviral, patient, at)
    return {
        "organs": organs,
        "reperfusion_at": reperfusion_at,
        "is_time_known": bool(typed["is_time_known"]),
        "zone_name": zone_name,
        "donor_cmv_igg": one_of(typed["donor_cmv_igg"], Serostatus.values, field="donor_cmv_igg", what="the donor's CMV IgG"),
        "recipient_cmv_igg": one_of(
            typed["recipient_cmv_igg"], Serostatus.values, field="recipient_cmv_igg", what="the recipient's CMV IgG"
        ),
        "antiviral": antiviral,
        "antiviral_started_on": started_on,
    }


def _check_antiviral_start(started_on: date, antiviral: str, patient: Patient, at: datetime) -> None:
    field = "antiviral_started_on"
    if antiviral in (Antiviral.NOT_RECORDED, Antiviral.NONE):
        raise Refusal("antiviral_start", "Choose the antiviral that was started, or leave its start empty.", field=field)
    if started_on < patient.birth_on:
        raise Refusal("antiviral_start", "That is before the birth.", field=field)
    if started_on > when.local_day(at, patient.centre.time_zone):
        raise Refusal("antiviral_start", "The antiviral's start cannot be in the future.", field=field)


def _check_not_recorded_already(patient: Patient, values: dict[str, Any], besides: uuid.UUID | None = None) -> None:
    """A form sent twice, or two people at once, must not make two transplants of one operation."""
    on = when.local_day(values["reperfusion_at"], values["zone_name"])
    for other in patient.transplants.all():
        if (
            other.pk != besides
            and other.organs == values["organs"]
            and when.local_day(other.reperfusion_at, other.zone_name) == on
        ):
            raise Refusal(
                "transplant_recorded_already",
                f"This transplant is recorded already, as number {other.number} of this patient.",
                field="organs",
            )
