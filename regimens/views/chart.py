"""One patient's chart: transplants, courses, doses with their status at this moment, infusions, weights, precautions."""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from patients import audit, facts
from patients.access import patient_for
from patients.refusal import Refusal
from patients.roles import may, require
from patients.views.common import attempt
from regimens.access import course_for, dose_for
from regimens.actions import courses, orders, planning, replanning
from regimens.domain import dosing
from regimens.domain.status import NEEDS_DECISION, STARTABLE, Status
from regimens.forms.course import SignForm, StopForm
from regimens.models import Administration, Course, PlannedDose
from regimens.models.status import status_of
from regimens.sheets import fonts
from regimens.templatetags import display
from regimens.views.frame import patient_frame
from regimens.views.rows import rates_text, short_title, why, window_text


def chart(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Everything about one patient's treatment on one page."""
    require(request.membership, "read_charts")
    patient = patient_for(request.membership, patient_id)
    now = timezone.now()
    audit.event("read_chart", by=request.membership, patient=patient)
    infusions = _infusions(patient)
    recorded = patient.weights.select_related("recorded_by__user").order_by("-measured_at")[:20]
    # A weight that waits for a second, independent measurement is not shown: whoever measures next must not know it.
    weights = [weight for weight in recorded if not facts.is_held(weight)]
    latest = next((weight for weight in weights if not weight.error_at), None)
    by_dose = defaultdict(list)
    for infusion in infusions:
        by_dose[infusion.dose_id].append(infusion)
    answers = list(patient.precautions.filter(superseded_at=None).select_related("recorded_by__user"))
    treated = _courses(patient)
    context = patient_frame(request, patient, now, answers) | {
        "transplants": list(patient.transplants.order_by("-number")),
        "courses": [_course_view(request, course, doses, by_dose, latest, now) for course, doses in treated],
        "running": {course.transplant_id for course, _ in treated if not course.stopped_at},
        "infusions": infusions,
        "weights": weights,
        "precautions": answers,
        "may": {
            action: may(request.membership, action)
            for action in ("build", "record_transplant", "record_weight", "edit_patient")
        },
    }
    return render(request, "regimens/chart.html", context)


def _courses(patient) -> list[tuple[Course, list[PlannedDose]]]:
    doses: dict[uuid.UUID, list[PlannedDose]] = defaultdict(list)
    live = PlannedDose.objects.filter(course__patient=patient).exclude(settled_as="superseded")
    for dose in live.select_related("verified_by__user", "weight", "decision").order_by("number"):
        doses[dose.course_id].append(dose)
    rows = patient.courses.select_related("transplant", "protocol", "monograph", "built_by__user", "stopped_by__user")
    return [(course, doses[course.pk]) for course in rows.order_by("-built_at")]


def _infusions(patient) -> list[Administration]:
    rows = patient.administrations.select_related("dose", "given_by__user", "recorded_by__user")
    return list(rows.order_by("-started_at"))


def _course_view(request, course: Course, doses: list[PlannedDose], by_dose, latest, now: datetime) -> dict:
    zone = request.membership.centre.time_zone
    value = course.monograph.to_domain()
    open_doses = [dose for dose in doses if not dose.settled_at]
    weight_differs = bool(
        latest
        and open_doses
        and dosing.needs_recalculation(
            planned_weight_kg=open_doses[0].weight_kg,
            latest_weight_kg=latest.weight_kg,
            percent=value.limit("weight_change_percent"),
        )
    )
    newer = bool(latest and open_doses and latest.weight_kg != open_doses[0].weight_kg)
    return {
        "course": course,
        "doses": [_dose_line(request, dose, by_dose[dose.pk], zone, now) for dose in doses],
        "unsigned": any(not dose.verified_at for dose in open_doses),
        "latest": latest,
        "weight_differs": weight_differs,
        "weight_newer": newer,
        "anchor_outdated": courses.is_anchor_outdated(course) and bool(open_doses),
        "is_open": bool(open_doses) and not course.stopped_at,
        "may_build": may(request.membership, "build"),
        "may_stop": may(request.membership, "stop_course"),
    }


def _dose_line(request, dose: PlannedDose, administrations, zone: str, now: datetime) -> dict:
    status = status_of(dose, now, administrations)
    shown = "within_72_h" if status == Status.DUE and dose.overdue_at == dose.closes_at else status.value
    live = next((a for a in administrations if a.error_at is None), None)
    return {
        "dose": dose,
        "title": short_title(dose.title),
        "status": display.format_status(shown),
        "target": display.format_weekday_day(dose.target_on),
        "window": window_text(dose, zone),
        "infusion": live,
        "needs_decision": status in NEEDS_DECISION and status != Status.DISPUTED and not dose.settled_at,
        "startable": status in STARTABLE and bool(dose.verified_at) and may(request.membership, "log_infusion"),
    }


def dose_page(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """One dose: the amount with its whole working, the rate steps, the sheet to print, and what was recorded."""
    require(request.membership, "read_charts")
    dose = dose_for(request.membership, dose_id)
    now = timezone.now()
    zone = request.membership.centre.time_zone
    patient = dose.course.patient
    plan = planning.infusion_plan_of(dose)
    amount = planning.amount_of(dose)
    administrations = list(dose.administrations.select_related("given_by__user"))
    context = patient_frame(request, patient, now) | {
        "dose": dose,
        "line": _dose_line(request, dose, administrations, zone, now),
        "basis": f"{display.format_unit(dose.mg_per_kg, 'mg per kg')} × {display.format_unit(dose.weight_kg, 'kg')}",
        "plan": plan,
        "rates": rates_text(plan),
        "amount": amount,
        "question": f"Why {display.format_unit(dose.dose_mg, 'mg')}?",
        "why": why(dose, plan),
        "code": planning.sheet_code(dose) if dose.verified_at else "",
        "copies": dose.copies.select_related("printed_by__user").order_by("-copy_number"),
        "administrations": administrations,
        "unprintable": fonts.missing_glyphs(f"{patient.family_name}{patient.given_name}{patient.title}"),
        "may_print": may(request.membership, "print_sheet"),
        "may_log": may(request.membership, "log_infusion"),
        "limit": dose.course.monograph.to_domain().limit("max_rate_ml_per_h"),
    }
    return render(request, "regimens/dose.html", context)


@require_POST
def recalculate(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """A new revision of what is left, at the latest valid weight."""
    course = course_for(request.membership, course_id)
    latest = facts.current_weight(course.patient)
    if latest is None:
        raise Refusal("no_weight", "Record a weight first.")
    replanning.recalculate_course(course=course, weight=latest, by=request.membership, at=timezone.now())
    messages.success(request, "Recalculated at the latest weight: a new revision waits for verification.")
    return redirect("chart", patient_id=course.patient_id)


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
    context = patient_frame(request, course.patient, timezone.now()) | {"course": course, "form": form}
    return render(request, "regimens/course_stop.html", context, status=422 if request.method == "POST" else 200)


def cosign(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """The prescriber signs an order that another person entered."""
    course = course_for(request.membership, course_id)
    order = get_object_or_404(course.orders.select_related("prescriber__user", "entered_by__user"), superseded_at=None)
    form = SignForm(request.POST) if request.method == "POST" else SignForm()
    if request.method == "POST" and form.is_valid():
        if request.user.check_password(form.cleaned_data["password"]):
            orders.cosign_order(order=order, by=request.membership, at=timezone.now())
            messages.success(request, "Order signed.")
            return redirect("chart", patient_id=course.patient_id)
        form.add_error("password", "This is not your password. Nothing was signed.")
    context = patient_frame(request, course.patient, timezone.now()) | {
        "course": course,
        "order": order,
        "form": form,
        "back": reverse("chart", args=[course.patient_id]),
    }
    return render(request, "regimens/cosign.html", context, status=422 if request.method == "POST" else 200)


urls = [
    path("patients/<uuid:patient_id>/", chart, name="chart"),
    path("doses/<uuid:dose_id>/", dose_page, name="dose"),
    path("courses/<uuid:course_id>/recalculate/", recalculate, name="course-recalculate"),
    path("courses/<uuid:course_id>/stop/", stop, name="course-stop"),
    path("courses/<uuid:course_id>/cosign/", cosign, name="course-cosign"),
]
