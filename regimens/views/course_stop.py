"""Stopping a course, with a reason from the monograph's list."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients.roles import require
from regimens.access import course_for
from regimens.actions import courses
from regimens.forms.course import StopForm
from regimens.models import Course
from regimens.views.frame import attempt, patient_frame


def stop(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """Stop a course, with a reason from the monograph's list; a link may name one of them beforehand."""
    course = course_for(request.membership, course_id)
    require(request.membership, "stop_course")
    reasons = [(row.code, row.sentence) for row in course.monograph.reasons.filter(kind="stopped")]
    asked = request.GET.get("reason", "")
    initial = {"reason_code": asked} if asked in dict(reasons) else {}
    form = StopForm(request.POST, reasons=reasons) if request.method == "POST" else StopForm(reasons=reasons, initial=initial)

    def act() -> Course:
        data = form.cleaned_data
        return courses.stop_course(
            course=course, reason_code=data["reason_code"], reason=data["reason"], by=request.membership, at=timezone.now()
        )

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "The course is stopped: nothing of it is due any more.")
        return redirect("chart", patient_id=course.patient_id)
    context = patient_frame(course.patient, timezone.now()) | {"course": course, "form": form}
    return render(request, "regimens/course_stop.html", context, status=422 if request.method == "POST" else 200)


urls = [path("courses/<uuid:course_id>/stop/", stop, name="course-stop")]
