"""Registering, correcting, closing and reopening a patient."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from patients import audit, facts, names, when
from patients.actions.common import allow, check_version, locked_patient, needed_reason, one_of, plain_refusals, short_text
from patients.models import AllergyState, Centre, ClosedReason, Membership, Patient, Sex
from patients.refusal import Refusal

SENT_AGAIN = timedelta(minutes=5)
# A change of these says that somebody was taken for somebody else, or typed wrongly: it needs a reason.
IDENTITY = ("family_name", "given_name", "birth_on", "sex", "mrn")


@transaction.atomic
def register_patient(
    *,
    by: Membership,
    at: datetime,
    mrn: str,
    family_name: str,
    birth_on: date,
    sex: str,
    given_name: str = "",
    title: str = "",
    ward: str = "",
    allergy_state: str = AllergyState.NOT_RECORDED,
    allergies: str = "",
    is_another_person: bool = False,
) -> Patient:
    """A new patient of the centre of ``by``. The same form sent twice within five minutes is one patient.

    Refused: "mrn_taken"; "possible_duplicate" for the same birth date with a like family name, until somebody looked and
    says that it is another person (H27); "birth_future", "birth_too_old"; "hidden_character"; "allergies_needed".
    """
    allow(by, "edit_patient")
    values = _clean(
        centre=by.centre,
        at=at,
        mrn=mrn,
        family_name=family_name,
        given_name=given_name,
        title=title,
        birth_on=birth_on,
        sex=sex,
        ward=ward,
        allergy_state=allergy_state,
        allergies=allergies,
    )
    if sent_before := _same_registration(by, at, values):
        return sent_before
    _check_mrn_is_free(by.centre, values["mrn"])
    alike = facts.look_alikes(
        centre_id=by.centre_id, name_key=values["name_key"], birth_on=values["birth_on"], mrn=values["mrn"], limit=50
    )
    same = [other for other in alike if other.may_be_the_same_person]
    if same and not is_another_person:
        raise Refusal(
            "possible_duplicate",
            "This may be a patient who is registered already: same birth date and a like family name. "
            "Open that chart, or say that this is another person.",
            source="Rules for names",
            field="is_another_person",
        )
    patient = Patient(pk=uuid.uuid4(), centre=by.centre, registered_by=by, registered_at=at, **values)
    audit.event("register_patient", by=by, patient=patient.pk, alike_seen=len(same))
    with plain_refusals():
        patient.save(force_insert=True)
    return patient


@transaction.atomic
def correct_patient(
    *, by: Membership, at: datetime, patient: Patient, version: int, reason: str = "", **changes: Any
) -> Patient:
    """The patient with some values corrected; the old ones stay in the history.

    ``version`` is the one that the person saw: "stale" when somebody else saved meanwhile. A change of identity (name,
    birth date, sex, record number) needs a ``reason``. Otherwise refused like a registration. No change, no event.
    """
    allow(by, "edit_patient")
    patient = locked_patient(by, patient.pk)
    check_version(patient.version, version)
    editable = (*IDENTITY, "title", "ward", "allergy_state", "allergies")
    unknown = set(changes) - set(editable)
    if unknown:
        raise TypeError(f"not a value of a patient: {sorted(unknown)}")
    values = _clean(centre=by.centre, at=at, **({name: getattr(patient, name) for name in editable} | changes))
    changed = [name for name in editable if values[name] != getattr(patient, name)]
    if not changed:
        return patient
    if set(changed) & set(IDENTITY):
        reason = needed_reason(reason, sentence="Say why the name, birth date, sex or record number changes.")
    else:
        reason = short_text(reason, field="reason", what="reason", limit=300)
    if "mrn" in changed:
        _check_mrn_is_free(by.centre, values["mrn"])
    audit.event("correct_patient", by=by, patient=patient, reason=reason, changed=changed)
    for name, value in values.items():
        setattr(patient, name, value)
    patient.version += 1
    with plain_refusals():
        patient.save(update_fields=[*values, "version"])
    return patient


@transaction.atomic
def close_patient(
    *, by: Membership, at: datetime, patient: Patient, closed_reason: str, closed_at: datetime | None = None, note: str = ""
) -> Patient:
    """Died or transferred: from then on nothing is due. ``closed_at`` is when it happened (default: now)."""
    allow(by, "edit_patient")
    patient = locked_patient(by, patient.pk)
    if patient.closed_at:
        raise Refusal("patient_closed", f"This chart is closed already ({patient.get_closed_reason_display().lower()}).")
    one_of(closed_reason, ClosedReason.values, field="closed_reason", what="why the chart is closed")
    closed_at = when.check_past(closed_at or at, at=at, field="closed_at", what="The end")
    if when.local_day(closed_at, patient.centre.time_zone) < patient.birth_on:
        raise Refusal("before_birth", "That is before the birth.", field="closed_at")
    audit.event(
        "close_patient",
        by=by,
        patient=patient,
        reason=short_text(note, field="note", what="note", limit=300),
        why=closed_reason,
    )
    patient.closed_at, patient.closed_reason, patient.version = closed_at, closed_reason, patient.version + 1
    with plain_refusals():
        patient.save(update_fields=["closed_at", "closed_reason", "version"])
    return patient


@transaction.atomic
def reopen_patient(*, by: Membership, at: datetime, patient: Patient, reason: str) -> Patient:
    """Closed by mistake, or back again: planned doses count as before. Needs a reason."""
    allow(by, "edit_patient")
    patient = locked_patient(by, patient.pk)
    if not patient.closed_at:
        raise Refusal("patient_open", "This chart is open already.")
    reason = needed_reason(reason, sentence="Say why the chart is opened again.")
    audit.event("reopen_patient", by=by, patient=patient, reason=reason, was=patient.closed_reason)
    patient.closed_at, patient.closed_reason, patient.version = None, "", patient.version + 1
    with plain_refusals():
        patient.save(update_fields=["closed_at", "closed_reason", "version"])
    return patient


def _clean(*, centre: Centre, at: datetime, **typed: Any) -> dict[str, Any]:
    """Every value as it is stored, or the refusal of the first that is not fit."""
    family_name = names.clean_name(typed["family_name"], field="family_name", what="family name", required=True)
    given_name = names.clean_name(typed["given_name"], field="given_name", what="given name")
    allergy_state = one_of(
        typed["allergy_state"], AllergyState.values, field="allergy_state", what="one of the four allergy states"
    )
    allergies = short_text(typed["allergies"], field="allergies", what="list of allergies", limit=300)
    if allergy_state == AllergyState.KNOWN and not allergies:
        raise Refusal("allergies_needed", "Name the known allergies.", field="allergies")
    if allergy_state != AllergyState.KNOWN and allergies:
        raise Refusal(
            "allergies_without_state", "Choose Known allergies, or leave the list of allergies empty.", field="allergies"
        )
    return {
        "mrn": names.clean_mrn(typed["mrn"]),
        "family_name": family_name,
        "given_name": given_name,
        "title": short_text(typed["title"], field="title", what="title", limit=20),
        "name_key": names.name_key(family_name, given_name),
        "birth_on": when.check_birth(typed["birth_on"], when.local_day(at, centre.time_zone)),
        "sex": one_of(typed["sex"], Sex.values, field="sex", what="the sex"),
        "ward": short_text(typed["ward"], field="ward", what="ward", limit=60),
        "allergy_state": allergy_state,
        "allergies": allergies,
    }


def _same_registration(by: Membership, at: datetime, values: dict[str, Any]) -> Patient | None:
    """What a double click or a resent form made a moment ago: the same values, by the same person."""
    return Patient.objects.filter(
        centre=by.centre, registered_by=by, registered_at__gte=at - SENT_AGAIN, version=1, **values
    ).first()


def _check_mrn_is_free(centre: Centre, mrn: str) -> None:
    """The sentence names the number that was typed, and nothing of the patient who has it. The database holds the rule."""
    if Patient.objects.filter(centre=centre, mrn=mrn).exists():
        raise Refusal(
            "mrn_taken",
            f"Record number {mrn} is already used by another patient of this centre.",
            source="Rules for names",
            field="mrn",
        )
