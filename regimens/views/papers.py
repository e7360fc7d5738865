"""The papers of one course: the payer's authorization, the vials, and the patient's consent."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients.models import Membership
from patients.roles import may, require
from regimens.access import course_for
from regimens.actions import papers as actions
from regimens.forms.care import AuthorizationForm, ConsentForm, WithdrawForm
from regimens.models import Course
from regimens.views.frame import attempt, patient_frame

DONE = {
    "authorize": "Authorization and vials recorded.",
    "consent": "Consent recorded.",
    "withdraw": "The consent is withdrawn.",
}
ROLES = {"authorize": "authorize", "consent": "record_consent", "withdraw": "record_consent"}
ANY = "record_consent"  # held by everybody who may do one of these


def papers(request: HttpRequest, course_id: uuid.UUID) -> HttpResponse:
    """Where payer, pharmacy and patient stand; each part is replaced by a newer one."""
    course = course_for(request.membership, course_id)
    by, now = request.membership, timezone.now()
    act = request.POST.get("act", "") if request.method == "POST" else ""
    require(by, ROLES.get(act, ANY) if request.method == "POST" else "read_charts")
    people = list(
        Membership.objects.filter(centre=by.centre_id, role__in=actions.OBTAINERS, ended_at=None)
        .select_related("user")
        .order_by("user__last_name", "user__first_name", "pk")
    )
    authorize = AuthorizationForm(request.POST if act == "authorize" else None, auto_id="id_authorize_%s")
    consent = ConsentForm(request.POST if act == "consent" else None, people=people, auto_id="id_consent_%s")
    withdraw = WithdrawForm(request.POST if act == "withdraw" else None)
    if act in ROLES:
        form = {"authorize": authorize, "consent": consent, "withdraw": withdraw}[act]
        if attempt(form, lambda: _carry_out(act, course, form.cleaned_data, by, now)):
            messages.success(request, DONE[act])
            return redirect("papers", course_id=course.pk)
    authorizations = list(course.authorizations.select_related("recorded_by__user").order_by("-recorded_at", "-pk"))
    consents = list(course.consents.select_related("obtained_by__user", "withdrawn_by__user").order_by("-recorded_at", "-pk"))
    context = patient_frame(course.patient, now) | {
        "course": course,
        "now_standing": next((row for row in authorizations if not row.superseded_at), None),
        "earlier": [row for row in authorizations if row.superseded_at],
        "consents": consents,
        "live_consent": next((row for row in consents if not row.withdrawn_at), None),
        "is_required": course.patient.centre.consent_required,
        "authorize": authorize,
        "consent": consent,
        "withdraw": withdraw,
        "may_authorize": may(by, "authorize") and not course.stopped_at,
        "may_consent": may(by, "record_consent") and not course.stopped_at,
    }
    return render(request, "regimens/papers.html", context, status=422 if request.method == "POST" else 200)


def _carry_out(act: str, course: Course, data: dict[str, Any], by: Membership, now: Any) -> object:
    if act == "authorize":
        return actions.record_authorization(course=course, by=by, at=now, **data)
    if act == "consent":
        return actions.record_consent(course=course, by=by, at=now, **data)
    return actions.withdraw_consent(course=course, reason=data["withdrawn_reason"], by=by, at=now)


urls: list = [path("courses/<uuid:course_id>/papers/", papers, name="papers")]
