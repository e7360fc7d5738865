"""Plans that one pharmacist alone checked: another one looks at each afterwards, and says what was found."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.roles import may, require
from patients.signing import signed_by
from patients.views.common import attempt
from regimens.access import single_check_for
from regimens.actions import verification
from regimens.forms.course import ReviewForm
from regimens.models import SingleCheck
from regimens.templatetags import display
from regimens.views.frame import patient_frame


def review(request: HttpRequest, check_id: int) -> HttpResponse:
    """One such plan: who checked it, when and why alone; signed by another pharmacist. Everybody who reads charts may read it."""
    by = request.membership
    check = single_check_for(by, check_id)
    require(by, "read_charts" if request.method == "GET" else "verify")
    now, course = timezone.now(), check.course
    zone = course.patient.centre.time_zone
    form = ReviewForm(request.POST if request.method == "POST" else None)

    def act() -> SingleCheck:
        signed_by(request, form.cleaned_data["password"])
        return verification.review_single_check(check=check, review=form.cleaned_data["review"], by=by, at=now)

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "Signed: another pharmacist has looked at this plan.")
        return redirect("chart", patient_id=course.patient_id)
    words = f"{check.get_why_display()}: {check.words}" if check.words else check.get_why_display()
    rows = [
        {"label": "Plan", "value": f"{course.protocol.title}, revision {check.revision}"},
        {"label": "Built by", "value": course.built_by.user.printed_name},
        {"label": "Checked by", "value": check.checked_by.user.printed_name},
        {"label": "Checked", "value": display.format_instant(check.checked_at, zone)},
        {"label": "Why one pharmacist alone", "value": words},
    ]
    context = patient_frame(course.patient, now) | {
        "check": check,
        "rows": rows,
        "form": form,
        "reviewed": f"{check.reviewed_by.user.printed_name}, {display.format_instant(check.reviewed_at, zone)}: {check.review}"
        if check.reviewed_by and check.reviewed_at
        else "",
        "may_sign": may(by, "verify") and check.checked_by.user_id != by.user_id,
        "back": reverse("chart", args=[course.patient_id]),
    }
    return render(request, "regimens/single_check.html", context, status=422 if request.method == "POST" else 200)


urls: list = [path("single-checks/<int:check_id>/", review, name="single-check")]
