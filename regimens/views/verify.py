"""The second pharmacist's check: identity, each source, one's own dose, then the computed one beside it, then the signature.

Two steps on one address. Step 1 shows inputs only. Step 2, reached by an own dose that agrees, shows the plan and asks for the password.
Instead of signing, the plan can be sent back with a query that has an owner. There is no way to sign more than one course at a time.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Exists, Min, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients.access import own_patients
from patients.models import Answer
from patients.names import Known, mistakable
from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from regimens.access import course_for
from regimens.actions import notes, planning, verification
from regimens.domain.clock import local_day
from regimens.domain.reasons import Refused
from regimens.forms.course import SignForm, SingleSignForm, VerifyForm
from regimens.forms.notes import ReturnForm, owners_of
from regimens.models import Course, Note, PlannedDose
from regimens.templatetags import display
from regimens.views import ordered
from regimens.views.chart_facts import read_chart
from regimens.views.frame import add_refusal, patient_frame
from regimens.views.notes import note_lines
from regimens.views.rows import rates_text, why, window_text
from regimens.views.worklist import counts_of

QUEUE_ROWS = 50


def queue(request: HttpRequest) -> HttpResponse:
    """Courses of this centre that wait for a second pharmacist, the longest waiting first; those sent back with their query."""
    require(request.membership, "read_charts")
    now = timezone.now()
    zone = request.membership.centre.time_zone
    asked = Note.objects.filter(course=OuterRef("pk"), is_query=True, answered_at=None).order_by("written_at")
    unsigned = PlannedDose.objects.filter(centre=request.membership.centre, settled_at=None, verified_at=None)
    made = unsigned.filter(course=OuterRef("pk")).order_by("number")
    waiting = (
        Course.objects.filter(patient__in=own_patients(request.membership), patient__closed_at=None, stopped_at=None)
        .filter(doses__in=unsigned)
        .annotate(
            waits_since=Min("doses__built_at"),
            own=Exists(unsigned.filter(course=OuterRef("pk"), built_by__user=request.membership.user)),
            builder_first=Subquery(made.values("built_by__user__first_name")[:1]),
            builder_last=Subquery(made.values("built_by__user__last_name")[:1]),
            query=Subquery(asked.values("text")[:1]),
            query_id=Subquery(asked.values("pk")[:1]),
            query_first=Subquery(asked.values("owner__user__first_name")[:1]),
            query_last=Subquery(asked.values("owner__user__last_name")[:1]),
        )
        .select_related("patient", "protocol")
        .order_by("waits_since")[:QUEUE_ROWS]
    )
    courses = list(waiting)
    _, people = counts_of(request.membership.centre, now)
    alike = mistakable(people | {Known(c.patient.name_key, c.patient.birth_on, c.patient.mrn) for c in courses})
    rows = [
        {
            "course": course,
            "name": display.format_name(course.patient.family_name, course.patient.given_name),
            "alike": course.patient.mrn in alike,
            "born": display.format_day(course.patient.birth_on),
            "since": display.format_instant(course.waits_since, zone),
            "age": display.format_elapsed(course.waits_since, now),
            "own": course.own,
            "builder": f"{course.builder_first} {course.builder_last}".strip(),
            "query": course.query,
            "query_id": course.query_id,
            "query_owner": f"{course.query_first or ''} {course.query_last or ''}".strip(),
        }
        for course in courses
    ]
    context = {"rows": rows, "as_of": display.format_clock(now, zone), "writes": may(request.membership, "write_note")}
    return render(request, "regimens/verify_queue.html", context)


@dataclass
class Forms:
    """The forms of the page as they stand, and what became of the one that was sent."""

    check: VerifyForm
    sign: SignForm
    back: ReturnForm | None
    agreed: bool = False
    refusal: Refusal | Refused | None = None
    done: str = ""


def verify(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """One course's check. Reading is for everybody who may open the chart; checking and signing for another pharmacist than the builder."""
    by = request.membership
    require(by, "read_charts")
    course = course_for(by, course_id)
    now = timezone.now()
    doses = list(verification.open_unsigned(course).select_related("protocol_dose", "weight", "built_by__user"))
    for dose in doses:
        dose.course = course
    if not doses:
        messages.info(request, "No dose of this course waits for verification.")
        return redirect("chart", patient_id=course.patient_id)
    own = any(dose.built_by.user_id == by.user_id for dose in doses)
    forms = _forms(request, course, doses, own)
    if request.method == "POST":
        require(by, "verify")
        (_send_back if "return" in request.POST else _check_and_sign)(request, course, doses, forms, now)
        if forms.done:
            messages.success(request, forms.done)
            return redirect("verify-queue" if "return" in request.POST else "chart", *_target(request, course))
    is_next_step = forms.agreed and "sign" not in request.POST
    status = 422 if request.method == "POST" and not is_next_step else 200
    return render(request, "regimens/verify.html", _context(request, course, doses, forms, own, now), status=status)


def _target(request: HttpRequest, course: Course) -> list[uuid.UUID]:
    return [] if "return" in request.POST else [course.patient_id]


def _forms(request: HttpRequest, course: Course, doses: list[PlannedDose], own: bool) -> Forms:
    by, posted = request.membership, request.method == "POST"
    back = None
    if may(by, "verify") and not own:
        owners = owners_of(by.centre)
        initial = {
            "owner": doses[0].built_by_id,
            "due_on": local_day(timezone.now(), course.patient.centre.time_zone) + timedelta(days=1),
        }
        returned = posted and "return" in request.POST
        back = ReturnForm(request.POST, owners=owners) if returned else ReturnForm(initial=initial, owners=owners)
    compared = posted and "return" not in request.POST
    signing = SingleSignForm if verification.is_checked_by_one(doses) else SignForm
    return Forms(
        check=VerifyForm(request.POST) if compared else VerifyForm(initial={"shown_hash": verification.plan_hash(doses)}),
        sign=signing(request.POST if "sign" in request.POST else None),
        back=back,
    )


def _check_and_sign(request: HttpRequest, course: Course, doses: list[PlannedDose], forms: Forms, now: datetime) -> None:
    try:
        if forms.check.is_valid():
            verification.check_independently(course, doses, by=request.membership, **_typed(forms.check))
            forms.agreed = True
        if forms.agreed and "sign" in request.POST and forms.sign.is_valid():
            signed_by(request, forms.sign.cleaned_data["password"])
            shown = forms.check.cleaned_data["shown_hash"]
            single = {name: forms.sign.cleaned_data.get(name, "") for name in ("single_why", "single_words")}
            verification.verify_course(
                course=course, shown_hash=shown, by=request.membership, at=now, **_typed(forms.check), **single
            )
            forms.done = "Signed: the plan is verified."
    except Refusal as refused:
        forms.agreed = forms.agreed and refused.field in forms.sign.fields
        forms.refusal = add_refusal(forms.sign if refused.field in forms.sign.fields else forms.check, refused)


def _typed(check: VerifyForm) -> dict[str, Any]:
    return {name: check.cleaned_data[name] for name in ("mrn_tail", "birth_year", "own_dose_mg")}


def _send_back(request: HttpRequest, course: Course, doses: list[PlannedDose], forms: Forms, now: datetime) -> None:
    form = forms.back
    if form is None:  # the builder's own plan: the action says so
        form = forms.back = ReturnForm(request.POST, owners=owners_of(request.membership.centre))
    if not form.is_valid():
        return
    data = form.cleaned_data
    try:
        note = notes.return_with_query(
            course=course, text=data["text"], due_on=data["due_on"], owner=data["owner"], by=request.membership, at=now
        )
    except Refusal as refused:
        forms.refusal = add_refusal(form, refused)
    else:
        assert note.owner is not None  # the action gives every query one
        forms.done = f"Sent back: {note.owner.user.printed_name} answers before anybody signs."


def _context(
    request: HttpRequest, course: Course, doses: list[PlannedDose], forms: Forms, own: bool, now: datetime
) -> dict[str, Any]:
    zone = course.patient.centre.time_zone
    first = doses[0]
    facts = read_chart(course.patient)
    order = facts.order_of(course)
    rows = [
        {
            "dose": dose,
            "target": display.format_weekday_day(dose.target_on),
            "window": window_text(dose, zone),
            "rates": rates_text(planning.infusion_plan_of(dose)),
            "why": why(dose),
            "question": f"Why {display.format_unit(dose.dose_mg, 'mg')}? {dose.title}",
        }
        for dose in (doses if forms.agreed else [])
    ]
    queries = [note for note in facts.notes if note.course_id == course.pk and note.is_query]
    return patient_frame(course.patient, now, facts.answers, facts.weights) | {
        "course": course,
        "transplant": course.transplant,
        "order": order,
        "ordered": ordered.beside(order, course, facts.doses[course.pk], zone=zone, now=now) if order else None,
        "first": first,
        "given_part": [row for row in facts.records if row.dose_id == first.replaces_id and not row.error_at]
        if first.is_remainder
        else [],
        "forms": forms,
        "rows": rows,
        "own": own,
        "may_verify": may(request.membership, "verify") and not own,
        "alerts": [row for row in facts.answers if row.answer != Answer.ABSENT],
        "denied": [row.get_kind_display() for row in facts.answers if row.answer == Answer.ABSENT],
        "latest": facts.latest_weight,
        "queries": note_lines(queries, now, zone),
        "is_returned": any(note.answered_at is None for note in queries),
        "writes": may(request.membership, "write_note"),
        "built_by": first.built_by.user.printed_name,
    }


urls = [
    path("verify/", queue, name="verify-queue"),
    path("courses/<uuid:course_id>/verify/", verify, name="verify"),
]
