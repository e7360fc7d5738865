"""Notes in a chart, and queries: questions with an owner that stay open until somebody answers them (hazard H47)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from patients import audit, when
from patients.models import Membership, Patient
from patients.refusal import Refusal
from patients.roles import may, require
from regimens.actions.locks import lock_course
from regimens.actions.verification import INDEPENDENT, open_unsigned
from regimens.models import Course, Note

LONGEST = 1000
LATEST_DAYS_AHEAD = 30  # a query that may wait longer than this is a slip of the pen
SOURCE = "Site policy: a query has an owner and a day"


def open_queries(course: Course) -> QuerySet[Note]:
    """The questions about a course that nobody has answered yet, the oldest first."""
    return course.notes.filter(is_query=True, answered_at=None).order_by("written_at", "pk")


@transaction.atomic
def write_note(
    *,
    patient: Patient,
    text: str,
    by: Membership,
    at: datetime,
    course: Course | None = None,
    is_query: bool = False,
    owner: Membership | None = None,
    due_on: date | None = None,
) -> Note:
    """A note, or a query with its owner and the day it is wanted by.

    Refused: another role; no words; a course of somebody else; a query without an owner who can read this chart, or wanted in the past.
    """
    require(by, "write_note")
    words = _words(text, "text")
    if course is not None and course.patient_id != patient.pk:
        raise Refusal("other_patient", "This course belongs to another patient.")
    if is_query:
        _check_query(patient, owner, due_on, at)
    audit.event("write_query" if is_query else "write_note", by=by, patient=patient, course=str(course.pk) if course else "")
    return Note.objects.create(
        patient=patient,
        course=course,
        text=words,
        is_query=is_query,
        owner=owner if is_query else None,
        due_on=due_on if is_query else None,
        written_by=by,
        written_at=at,
    )


@transaction.atomic
def return_with_query(
    *, course: Course, text: str, due_on: date, by: Membership, at: datetime, owner: Membership | None = None
) -> Note:
    """A pharmacist sends a plan back instead of signing it: nothing of it is signed until the query is answered.

    The owner is the builder unless another is named. Refused: whoever may not verify; the builder's own plan; a plan of which
    nothing waits; no words; an owner who cannot read this chart; a day in the past.
    """
    require(by, "verify")
    course = lock_course(course)
    unsigned = list(open_unsigned(course).select_related("built_by__user"))
    if not unsigned or course.stopped_at:
        raise Refusal("nothing_to_verify", "No dose of this course waits for verification.")
    if any(dose.built_by.user_id == by.user_id for dose in unsigned):
        raise Refusal("own_course", "You built this plan: another pharmacist verifies it.", source=INDEPENDENT)
    words = _words(text, "text")
    owner = owner or unsigned[0].built_by
    _check_query(course.patient, owner, due_on, at)
    audit.event("return_with_query", by=by, patient=course.patient, course=str(course.pk), revision=course.revision)
    return Note.objects.create(
        patient=course.patient,
        course=course,
        text=words,
        is_query=True,
        owner=owner,
        due_on=due_on,
        returned_revision=course.revision,
        written_by=by,
        written_at=at,
    )


@transaction.atomic
def answer_query(*, note: Note, answer: str, by: Membership, at: datetime) -> Note:
    """The answer that closes a query; anybody who may write a note can give it. A returned plan then waits for verification again.

    Refused: another role; a note that asks nothing; a query that was answered already; no words.
    """
    require(by, "write_note")
    note = Note.objects.select_for_update(of=("self",)).select_related("patient", "answered_by__user").get(pk=note.pk)
    if not note.is_query:
        raise Refusal("not_a_query", "This note asks nothing.")
    if note.answered_by is not None:
        raise Refusal("already_answered", f"Already answered by {note.answered_by.user.printed_name}: {note.answer}")
    words = _words(answer, "answer")
    audit.event("answer_query", by=by, patient=note.patient, note=note.pk, course=str(note.course_id or ""))
    note.answer, note.answered_by, note.answered_at = words, by, at
    note.save(update_fields=["answer", "answered_by", "answered_at"])
    return note


def _check_query(patient: Patient, owner: Membership | None, due_on: date | None, at: datetime) -> None:
    if owner is None:
        raise Refusal("query_has_an_owner", "A query has an owner.", source=SOURCE, field="owner")
    if owner.centre_id != patient.centre_id or owner.ended_at or not may(owner, "write_note"):
        raise Refusal("owner_not_here", "Choose somebody who works with this chart.", source=SOURCE, field="owner")
    today = when.local_day(at, patient.centre.time_zone)
    if due_on is None:
        raise Refusal("query_has_a_day", "Say by which day the answer is wanted.", source=SOURCE, field="due_on")
    if not today <= due_on <= today + timedelta(days=LATEST_DAYS_AHEAD):
        raise Refusal("query_day", f"Choose a day from today to {LATEST_DAYS_AHEAD} days ahead.", source=SOURCE, field="due_on")


def _words(text: str, field: str) -> str:
    words = text.strip()
    if not words:
        raise Refusal("note_says_something", "Write what you want to say.", field=field)
    if len(words) > LONGEST:
        raise Refusal("too_long", f"Use at most {LONGEST} characters.", field=field)
    return words
