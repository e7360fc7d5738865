"""Putting a course on hold, and resuming it."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients.roles import require
from patients.signing import signed_by
from regimens.access import course_for
from regimens.actions import holds
from regimens.forms.replan import HoldForm, ResumeForm
from regimens.models import Course, Hold
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame
from regimens.views.rows import short_title, window_text


def hold(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """Nothing of the course starts from now on; signed by a prescriber, or by a pharmacist who read the order back."""
    course = course_for(request.membership, course_id)
    require(request.membership, "hold_course")
    now = timezone.now()
    held = holds.open_hold(course)
    by = request.membership
    reasons = course.monograph.to_domain().listed("held")
    form = HoldForm(request.POST if request.method == "POST" else None, by=by, reasons=reasons)
    form.order_fields(["reason_code", "reason", "review_on", "ordered_by", "is_read_back", "password"])

    def act() -> Hold:
        data = form.cleaned_data
        signed_by(request, data["password"])
        return holds.hold_course(
            course=course,
            reason_code=data["reason_code"],
            reason=data["reason"],
            review_on=data["review_on"],
            by=by,
            at=now,
            **form.ordered(),
        )

    if request.method == "POST" and (made := attempt(form, act)) is not None:
        on = display.format_weekday_day(made.review_on)
        messages.success(request, f"On hold: no dose of this course starts. It is looked at again on {on}.")
        return redirect("chart", patient_id=course.patient_id)
    return _page(request, "regimens/hold.html", course, now, form, held=held)


def resume(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """The course goes on, with a reason; after a serious reaction only a prescriber signs it."""
    course = course_for(request.membership, course_id)
    require(request.membership, "hold_course")
    now = timezone.now()
    held = holds.open_hold(course)
    by = request.membership
    form = ResumeForm(request.POST, by=by) if request.method == "POST" else ResumeForm(by=by)
    form.order_fields(["reason", "ordered_by", "is_read_back", "password"])

    def act() -> Hold:
        data = form.cleaned_data
        signed_by(request, data["password"])
        return holds.resume_course(course=course, reason=data["reason"], by=by, at=now, **form.ordered())

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "The course goes on. Doses whose window closed meanwhile wait for a decision.")
        return redirect("chart", patient_id=course.patient_id)
    return _page(request, "regimens/hold_resume.html", course, now, form, held=held)


def _page(
    request: HttpRequest, template: str, course: Course, now: Any, form: forms.Form, *, held: Hold | None
) -> HttpResponse:
    zone = course.patient.centre.time_zone
    left = course.doses.filter(settled_at=None).select_related("protocol_dose").order_by("number")
    context = patient_frame(course.patient, now) | {
        "course": course,
        "form": form,
        "held": _held(held, zone) if held else None,
        "left": [
            {
                "number": dose.number,
                "title": short_title(dose.title),
                "target": display.format_weekday_day(dose.target_on),
                "window": window_text(dose, zone),
                "is_over": dose.closes_at <= now,
            }
            for dose in left
        ],
    }
    return render(request, template, context, status=422 if request.method == "POST" else 200)


def _held(held: Hold, zone: str) -> dict[str, str]:
    """The open hold, written."""
    words = held.listed_reason
    return {
        "reason": f"{words}: {held.reason}" if held.reason else words,
        "since": display.format_instant(held.held_at, zone),
        "by": held.held_by.user.printed_name,
        "ordered_by": held.ordered_text,
        "review": display.format_weekday_day(held.review_on),
        "is_reaction": "yes" if holds.is_after_reaction(held) else "",
    }


urls = [
    path("courses/<uuid:course_id>/hold/", hold, name="course-hold"),
    path("courses/<uuid:course_id>/resume/", resume, name="course-resume"),
]
