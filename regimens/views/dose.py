"""One planned dose: the amount with its whole working, the rate steps, the sheet to print, and what was recorded."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from patients.roles import may, require
from regimens.access import dose_for
from regimens.actions import planning
from regimens.sheets import fonts
from regimens.templatetags import display
from regimens.views.chart_course import record_of
from regimens.views.chart_dose import dose_line
from regimens.views.chart_facts import read_chart
from regimens.views.frame import patient_frame
from regimens.views.rows import basis_text, why


def dose_page(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """One dose, with everything that is on record about it."""
    by = request.membership
    require(by, "read_charts")
    dose = dose_for(by, dose_id)
    now = timezone.now()
    patient = dose.course.patient
    plan = planning.infusion_plan_of(dose)
    facts = read_chart(patient)
    context = patient_frame(patient, now, facts.answers, facts.weights) | {
        "dose": dose,
        "line": dose_line(record_of(facts, dose), by, now),
        "basis": basis_text(dose),
        "plan": plan,
        "question": f"Why {display.format_unit(dose.dose_mg, 'mg')}?",
        "why": why(dose, plan),
        "code": planning.sheet_code(dose) if dose.verified_at else "",
        "records": facts.records_of(dose),
        "copies": dose.copies.select_related("printed_by__user").order_by("-copy_number"),
        "unprintable": fonts.missing_glyphs(f"{patient.family_name}{patient.given_name}{patient.title}"),
        "may_print": may(by, "print_sheet"),
        "limit": dose.monograph.to_domain().limit("max_rate_ml_per_h"),
    }
    return render(request, "regimens/dose.html", context)


urls = [path("doses/<uuid:dose_id>/", dose_page, name="dose")]
