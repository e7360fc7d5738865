"""Answers to the questions about risk, and the prescriber's release of a contraindication."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from patients import audit, facts
from patients.actions.common import allow, locked_patient, needed_reason, one_of, open_patient, plain_refusals, short_text
from patients.models import Answer, Membership, Patient, Precaution, PrecautionKind
from patients.refusal import Refusal


@transaction.atomic
def answer_precautions(
    *, by: Membership, at: datetime, patient: Patient, answers: Mapping[str, tuple[str, str]]
) -> list[Precaution]:
    """New answers by kind, each with its detail (may be ""); the answers that were new.

    A changed answer supersedes the old one, with its release; an unchanged one stays as it is. "Unable to find out" is an
    answer, and is never read as "no".
    """
    allow(by, "record_precaution")
    patient = open_patient(by, patient.pk)
    live = facts.live_answers(patient)
    new = []
    for kind, (answer, detail) in answers.items():
        one_of(kind, PrecautionKind.values, field="kind", what="the precaution")
        one_of(answer, Answer.values, field=kind, what="an answer")
        detail = short_text(detail, field=f"{kind}_detail", what="detail", limit=300)
        old = live.get(kind)
        if old is None or (old.answer, old.detail) != (answer, detail):
            new.append(Precaution(patient=patient, kind=kind, answer=answer, detail=detail, recorded_by=by, recorded_at=at))
    if not new:
        return []
    audit.event("answer_precautions", by=by, patient=patient, answers={row.kind: row.answer for row in new})
    with plain_refusals():
        Precaution.objects.filter(patient=patient, superseded_at=None, kind__in=[row.kind for row in new]).update(
            superseded_at=at
        )
        Precaution.objects.bulk_create(new)
    return new


@transaction.atomic
def release_contraindication(*, by: Membership, at: datetime, patient: Patient, kind: str, reason: str) -> Precaution:
    """A prescriber's release of one contraindication (H32): planning may go on. The page asks for the signature before this.

    Refused: any other role; a question that does not stop planning, was answered "no" or not at all, or is released already.
    """
    allow(by, "release_contraindication")
    patient = locked_patient(by, patient.pk)
    reason = needed_reason(reason, sentence="Give the reason for the release.")
    row = Precaution.objects.select_for_update().filter(patient=patient, kind=kind, superseded_at=None).first()
    if kind not in facts.STOPPING or row is None or row.answer == Answer.ABSENT:
        raise Refusal("nothing_to_release", "This answer does not stop planning.", field="kind")
    if row.released_at:
        raise Refusal("already_released", "This is released already.", field="kind")
    audit.event("release_contraindication", by=by, patient=patient, reason=reason, kind=kind, answer=row.answer)
    row.released_by, row.released_at, row.release_reason = by, at, reason
    with plain_refusals():
        row.save(update_fields=["released_by", "released_at", "release_reason"])
    return row
