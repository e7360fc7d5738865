"""What every action on a patient begins with: may this person, is this the chart, and is the text fit to keep."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from patients.access import one, own_patients
from patients.constraints import sentence_for
from patients.models import Membership, Patient
from patients.names import clean_text
from patients.refusal import Refusal
from patients.roles import require

REASON_LENGTH = 10  # characters: what a signature, or a departure from the plan, is explained with
STALE = "Somebody else changed this while you typed. Their values stand beside yours: compare, then save again."


def allow(by: Membership, action: str) -> None:
    """Refuse ("role") unless the role includes the action and the membership has not ended."""
    require(by, action)
    if by.ended_at is not None:
        raise Refusal("role", "Your role in this centre has ended.", source="Role × action matrix of this centre")


def locked_patient(by: Membership, patient_id: uuid.UUID) -> Patient:
    """The patient of the own centre, locked until the end of the transaction, as the database has it now."""
    return one(own_patients(by).select_for_update(of=("self",)), pk=patient_id)


def open_patient(by: Membership, patient_id: uuid.UUID) -> Patient:
    """The same, refused ("patient_closed") when the patient died or went elsewhere."""
    patient = locked_patient(by, patient_id)
    if patient.closed_at:
        word = patient.get_closed_reason_display().lower()
        raise Refusal("patient_closed", f"This chart is closed ({word}). Reopen it first, with a reason.")
    return patient


def check_version(stored: int, seen: int) -> None:
    """Refuse ("stale") when the row is not the one that the person saw."""
    if stored != seen:
        raise Refusal("stale", STALE)


def one_of(value: str, known: list[str], *, field: str, what: str) -> str:
    """A value of a closed list, or refused ("unknown_value")."""
    if value not in known:
        raise Refusal("unknown_value", f"Choose {what} from the list.", field=field)
    return value


def needed_reason(text: str, *, field: str = "reason", sentence: str = "Give a reason.") -> str:
    """A reason that says something; refused ("reason_needed") where it is empty or a single character."""
    reason = short_text(text, field=field, what="reason", limit=300)
    if len(reason) < 2:
        raise Refusal("reason_needed", sentence, field=field)
    return reason


def signed_reason(text: str, *, field: str = "reason", sentence: str = "Say why") -> str:
    """Why something was signed or departs from the plan, in at least 10 characters; refused ("reason_needed") otherwise."""
    reason = short_text(text, field=field, what="reason", limit=300)
    if len(reason) < REASON_LENGTH:
        raise Refusal("reason_needed", f"{sentence}, in at least {REASON_LENGTH} characters.", field=field)
    return reason


def short_text(text: str, *, field: str, what: str, limit: int) -> str:
    """One clean line, at most so long; refused ("too_long") beyond that."""
    clean = clean_text(text, field=field, what=what)
    if len(clean) > limit:
        raise Refusal("too_long", f"The {what} has more than {limit} characters.", field=field)
    return clean


@contextmanager
def plain_refusals() -> Iterator[None]:
    """What the database refuses becomes a sentence; its own text carries the row and goes no further."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise sentence_for(error) from None
