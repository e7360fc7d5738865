"""The second pharmacist's check: identity, each source, one's own dose, then the computed one beside it, then the signature.

Two steps on one address. Step 1 shows inputs only. Step 2, reached by an own dose that agrees, shows the plan and asks for the password.
There is no way to sign more than one course at a time.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients.access import patients_of
from patients.models import Precaution
from patients.refusal import Refusal
from patients.roles import may, require
from regimens.access import course_for
from regimens.actions import planning, verification
from regimens.forms.course import SignForm, VerifyForm
from regimens.models import Course, PlannedDose
from regimens.templatetags import display
from regimens.views.frame import patient_frame
from regimens.views.rows import rates_text, why, window_text


def queue(request: HttpRequest) -> HttpResponse:
    """Courses of this centre that wait for a second pharmacist, oldest first."""
    require(request.membership, "read_charts")
    zone = request.membership.centre.time_zone
    waiting = (
        Course.objects.filter(
            patient__in=patients_of(request.membership),
            stopped_at=None,
            doses__in=PlannedDose.objects.filter(centre=request.membership.centre, settled_at=None, verified_at=None),
        )
        .select_related("patient", "protocol", "built_by__user")
        .distinct()
        .order_by("built_at")[:50]
    )
    rows = [
        {
            "course": course,
            "name": display.format_name(course.patient.family_name, course.patient.given_name),
            "born": display.format_day(course.patient.birth_on),
            "built": display.format_instant(course.built_at, zone),
            "own": course.built_by.user_id == request.user.pk,
        }
        for course in waiting
    ]
    as_of = display.format_clock(timezone.now(), zone)
    return render(request, "regimens/verify_queue.html", {"rows": rows, "as_of": as_of})


def verify(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """One course's check. Reading is for everybody who may open the chart; checking and signing for another pharmacist than the builder."""
    course = course_for(request.membership, course_id)
    doses = list(verification.open_unsigned(course).select_related("protocol_dose", "weight", "built_by__user", "course"))
    for dose in doses:
        dose.course = course
    if not doses:
        messages.info(request, "No dose of this course waits for verification.")
        return redirect("chart", patient_id=course.patient_id)
    shown = verification.plan_hash(doses)
    check = VerifyForm(request.POST) if request.method == "POST" else VerifyForm(initial={"shown_hash": shown})
    sign = SignForm(request.POST) if "sign" in request.POST else SignForm()
    agreed = False
    refusal = None
    if request.method == "POST":
        require(request.membership, "verify")
        try:
            if check.is_valid():
                verification.check_independently(course, doses, by=request.membership, **_typed(check))
                agreed = True
            if agreed and "sign" in request.POST and sign.is_valid():
                _sign(request, course, check, sign)
                messages.success(request, "Signed: the plan is verified.")
                return redirect("chart", patient_id=course.patient_id)
        except Refusal as refused:
            refusal = refused
            agreed = agreed and refused.code == "wrong_password"
            if refused.field:
                (sign if refused.field == "password" else check).add_error(refused.field, refused.sentence)
    status = 422 if request.method == "POST" and not (agreed and "sign" not in request.POST) else 200
    return render(
        request, "regimens/verify.html", _context(request, course, doses, check, sign, agreed, refusal), status=status
    )


def _sign(request: HttpRequest, course: Course, check: VerifyForm, sign: SignForm) -> None:
    if not request.user.check_password(sign.cleaned_data["password"]):
        raise Refusal("wrong_password", "This is not your password. Nothing was signed.", field="password")
    verification.verify_course(
        course=course, shown_hash=check.cleaned_data["shown_hash"], by=request.membership, at=timezone.now(), **_typed(check)
    )


def _typed(check: VerifyForm) -> dict[str, Any]:
    return {name: check.cleaned_data[name] for name in ("mrn_tail", "birth_year", "own_dose_mg")}


def _context(request, course, doses, check, sign, agreed, refusal) -> dict:
    now = timezone.now()
    zone = request.membership.centre.time_zone
    own = any(dose.built_by.user_id == request.user.pk for dose in doses)
    first = doses[0]
    order = course.orders.select_related("prescriber__user", "entered_by__user").get(superseded_at=None)
    rows = [
        {
            "dose": dose,
            "target": display.format_weekday_day(dose.target_on),
            "window": window_text(dose, zone),
            "rates": rates_text(planning.infusion_plan_of(dose)),
            "why": why(dose),
            "question": f"Why {display.format_unit(dose.dose_mg, 'mg')}? {dose.title}",
        }
        for dose in (doses if agreed else [])
    ]
    return patient_frame(request, course.patient, now) | {
        "course": course,
        "transplant": course.transplant,
        "order": order,
        "first": first,
        "check": check,
        "sign": sign,
        "agreed": agreed,
        "refusal": refusal,
        "rows": rows,
        "own": own,
        "may_verify": may(request.membership, "verify") and not own,
        "protocol_rows": list(course.protocol.doses.all()),
        "precautions": Precaution.objects.filter(patient=course.patient, superseded_at=None),
        "built_by": first.built_by.user.printed_name,
    }


urls = [
    path("verify/", queue, name="verify-queue"),
    path("courses/<uuid:course_id>/verify/", verify, name="verify"),
]
