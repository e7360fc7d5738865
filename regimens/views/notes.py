"""The notes of a chart: what was written down, and the questions that wait for somebody's answer, open ones first."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.access import patient_for
from patients.models import Patient
from patients.roles import may, require
from regimens.access import note_for
from regimens.actions import notes
from regimens.domain.clock import local_day
from regimens.forms.notes import NoteForm, QueryAnswerForm, owners_of
from regimens.models import Course, Note
from regimens.views.frame import attempt, patient_frame

SHOWN = 100


def note_lines(rows: list[Note], now: datetime, zone: str) -> list[dict]:
    """Notes as they are listed: open queries by the day they are wanted, then the rest by the newest; each with its state."""
    today = local_day(now, zone)
    lines = []
    for note in rows:
        is_open = note.is_query and note.answered_at is None
        late = bool(is_open and note.due_on and note.due_on < today)
        state = "query_late" if late else "query_open" if is_open else "query_answered" if note.is_query else ""
        lines.append({"note": note, "is_open": is_open, "state": state})
    lines.sort(key=lambda line: line["note"].written_at, reverse=True)
    return sorted(lines, key=lambda line: (not line["is_open"], line["note"].due_on if line["is_open"] else today))


def notes_page(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Every note of one patient; clinicians write new ones here."""
    require(request.membership, "read_charts")
    patient = patient_for(request.membership, patient_id)
    now = timezone.now()
    writes = may(request.membership, "write_note")
    courses = list(patient.courses.select_related("protocol", "transplant").order_by("-built_at"))
    form = None
    if writes:
        owners = owners_of(request.membership.centre)
        about = [(str(course.pk), f"{course.protocol.title}, transplant {course.transplant.number}") for course in courses]
        form = NoteForm(request.POST if request.method == "POST" else None, owners=owners, courses=about)
    if request.method == "POST":
        require(request.membership, "write_note")
        if form is not None and form.is_valid() and _saved(request, form, patient, courses, now):
            return redirect("notes", patient_id=patient.pk)
    rows = list(
        patient.notes.select_related("owner__user", "written_by__user", "answered_by__user", "course__protocol")[:SHOWN]
    )
    context = patient_frame(patient, now) | {
        "lines": note_lines(rows, now, patient.centre.time_zone),
        "form": form,
        "writes": writes,
        "most": SHOWN if len(rows) == SHOWN else 0,
    }
    return render(request, "regimens/notes.html", context, status=422 if request.method == "POST" else 200)


def _saved(request: HttpRequest, form: NoteForm, patient: Patient, courses: list[Course], now: datetime) -> bool:
    data = form.cleaned_data
    course = next((row for row in courses if str(row.pk) == data.get("about")), None)
    is_query = data["kind"] == "query"
    kept = attempt(
        form,
        lambda: notes.write_note(
            patient=patient,
            course=course,
            text=data["text"],
            is_query=is_query,
            owner=data["owner"] if is_query else None,
            due_on=data["due_on"] if is_query else None,
            by=request.membership,
            at=now,
        ),
    )
    if kept is not None:
        messages.success(request, "Query kept: it stays open until it is answered." if is_query else "Note kept.")
    return kept is not None


def answer_page(request: HttpRequest, note_id: int) -> HttpResponse:
    """One query with what was asked; its answer closes it."""
    require(request.membership, "write_note")
    note = note_for(request.membership, note_id)
    now = timezone.now()
    form = QueryAnswerForm(request.POST) if request.method == "POST" else QueryAnswerForm()

    def act() -> Note:
        return notes.answer_query(note=note, answer=form.cleaned_data["answer"], by=request.membership, at=now)

    if request.method == "POST" and attempt(form, act) is not None:
        waits = " The plan waits for verification again." if note.returned_revision else ""
        messages.success(request, f"Answered: the query is closed.{waits}")
        return redirect("notes", patient_id=note.patient_id)
    context = patient_frame(note.patient, now) | {
        "line": note_lines([note], now, note.patient.centre.time_zone)[0],
        "form": form,
        "back": reverse("notes", args=[note.patient_id]),
    }
    return render(request, "regimens/note_answer.html", context, status=422 if request.method == "POST" else 200)


urls = [
    path("patients/<uuid:patient_id>/notes/", notes_page, name="notes"),
    path("notes/<int:note_id>/answer/", answer_page, name="note-answer"),
]
