"""Weights that no longer hold: the board of a centre, and a pharmacist's signature that the doses of a course stay."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import policy, rules
from patients.access import one
from patients.models import WeightMeasurement
from patients.roles import may, require
from patients.signing import signed_by
from regimens.access import course_for
from regimens.actions import planning, weighing
from regimens.forms.replan import KeepForm
from regimens.models import WeightKept
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame
from regimens.views.rows import short_title, window_text


def board(request: HttpRequest) -> HttpResponse:
    """Doses that are open, or open within 14 days, whose weight is old or has changed."""
    require(request.membership, "read_charts")
    now = timezone.now()
    centre = request.membership.centre
    by = request.membership
    can = {action: may(by, action) for action in ("record_weight", "build", "keep_weight")}
    limits = policy.weight_limits()
    context = {
        "rows": [_row(line, centre.time_zone, now, can) for line in weighing.board(centre, now)],
        "as_of": display.format_clock(now, centre.time_zone),
        "ahead": display.format_unit(weighing.BOARD_AHEAD.days, "days"),
        "first": display.format_unit(limits.stale_days_first, "days"),
        "early_doses": rules.EARLY_DOSES,
        "later": display.format_unit(limits.stale_days_later, "days"),
        "change": display.format_limit(planning.published().to_domain().limit("weight_change_percent")),
    }
    return render(request, "regimens/weights_board.html", context)


def _row(line: weighing.BoardLine, zone: str, now: datetime, can: dict[str, bool]) -> dict[str, str]:
    dose, latest = line.dose, line.latest
    patient = dose.course.patient
    newer = latest is not None and latest.weight_kg != dose.weight_kg
    return {
        "name": display.format_name(patient.family_name, patient.given_name),
        "born": display.format_day(patient.birth_on),
        "mrn": display.format_mrn(patient.mrn),
        "ward": patient.ward,
        "url": reverse("chart", args=[patient.pk]),
        "dose": f"{dose.number}, {short_title(dose.title)}",
        "target": display.format_weekday_day(dose.target_on),
        "planned": display.format_unit(dose.weight_kg, "kg"),
        "latest": display.format_unit(latest.weight_kg, "kg") if latest else "None valid",
        "age": _age(latest, now),
        "change": weighing.change_text(dose.weight_kg, latest.weight_kg) if latest is not None and newer else "",
        "is_stale": "yes" if line.is_stale else "",
        "has_changed": "yes" if line.has_changed else "",
        "weigh": reverse("weight-new", args=[patient.pk]) if can["record_weight"] else "",
        "replan": reverse("course-replan", args=[dose.course_id]) if can["build"] and newer and not line.is_stale else "",
        "keep": reverse("course-keep-weight", args=[dose.course_id]) if can["keep_weight"] and line.has_changed else "",
    }


def _age(latest: WeightMeasurement | None, now: datetime) -> str:
    """ "8 days" since the latest weight was measured, whole days of 24 hours; "" where there is none."""
    if latest is None:
        return ""
    days = (now - latest.measured_at).days
    return display.format_unit(days, "day" if days == 1 else "days")


def keep(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """A pharmacist signs that the doses stay at the weight they were computed from."""
    course = course_for(request.membership, course_id)
    require(request.membership, "keep_weight")
    now = timezone.now()
    frame = patient_frame(course.patient, now)
    latest = frame["banner"].weight
    asking = weighing.doses_that_ask(course, latest)
    form = KeepForm(request.POST) if request.method == "POST" else KeepForm(initial={"weight": latest.pk if latest else None})

    def act() -> WeightKept:
        data = form.cleaned_data
        signed_by(request, data["password"])
        seen = one(WeightMeasurement.objects.filter(patient=course.patient), pk=data["weight"])
        return weighing.keep_weight(course=course, weight=seen, reason=data["reason"], by=request.membership, at=now)

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "Signed: the doses stay as they are.")
        return redirect("chart", patient_id=course.patient_id)
    zone = course.patient.centre.time_zone
    context = frame | {
        "course": course,
        "form": form,
        "latest": latest,
        "limit": display.format_limit(course.monograph.to_domain().limit("weight_change_percent")),
        "rows": [
            {
                "number": dose.number,
                "title": short_title(dose.title),
                "target": display.format_weekday_day(dose.target_on),
                "window": window_text(dose, zone),
                "amount": display.format_unit(dose.dose_mg, "mg"),
                "planned": display.format_unit(dose.weight_kg, "kg"),
                "change": weighing.change_text(dose.weight_kg, latest.weight_kg) if latest else "",
            }
            for dose in asking
        ],
    }
    return render(request, "regimens/weights_board_keep.html", context, status=422 if request.method == "POST" else 200)


urls = [
    path("weights/", board, name="weights-board"),
    path("courses/<uuid:course_id>/keep-weight/", keep, name="course-keep-weight"),
]
