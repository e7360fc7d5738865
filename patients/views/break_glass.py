"""Emergency access to one chart of another centre: asking for it. Reading happens on the chart's own pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from patients import actions
from patients.access import IN_SESSION
from patients.audit_forms import EmergencyForm
from patients.fields import invalid
from patients.refusal import Refusal
from patients.roles import require
from patients.views.common import attempt, member

# The same words for a wrong number, a wrong center and a chart that is not to be had.
NOT_OPENED = Refusal("emergency_not_opened", "No chart was opened. Check the record number and the center.", field="mrn")


def emergency(request: HttpRequest) -> HttpResponse:
    """Ask for the chart by its whole record number and its centre, with the reason; answered with the chart."""
    by = member(request)
    require(by, "break_glass")
    form = EmergencyForm(request.POST, by=by) if request.method == "POST" else EmergencyForm(by=by)
    if request.method == "POST":
        access = attempt(
            form,
            lambda: actions.open_emergency_access(
                by=by,
                at=timezone.now(),
                centre_id=form.cleaned_data["centre"],
                mrn=form.cleaned_data["mrn"],
                reason=form.cleaned_data["reason"],
            ),
        )
        if access:
            request.session[IN_SESSION] = True
            return redirect("chart", patient_id=access.patient_id)
        if form.is_valid():
            form.add_error("mrn", invalid(NOT_OPENED))
    return render(request, "patients/break_glass.html", {"form": form}, status=422 if form.is_bound else 200)
