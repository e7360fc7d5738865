"""Build a course: inputs on the left, every dose recalculated on the right. The preview is never posted; saving computes again."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import actions as patient_actions
from patients import rules
from patients.access import transplant_for
from patients.models import Precaution, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import require
from regimens.actions import courses, orders, planning
from regimens.domain import screening
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.reasons import Refused
from regimens.forms.course import BuildForm
from regimens.views.frame import local_day, local_today, patient_frame
from regimens.views.rows import dose_rows, totals


def build(request: HttpRequest, transplant_id: uuid.UUID) -> HttpResponse:
    """GET the form with its first preview; POST recalculates, or saves when the button "request" was pressed."""
    transplant = transplant_for(request.membership, transplant_id)
    require(request.membership, "build")
    now = timezone.now()
    answers = planning.check_may_plan(transplant.patient)
    monograph = planning.published()
    value = monograph.to_domain()
    proposal = screening.propose_protocol(
        organs=transplant.organs, age=rules.age_years(transplant.patient.birth_on, local_today(request, now)), monograph=value
    )
    latest = transplant.patient.weights.filter(error_at=None).order_by("-measured_at").first()
    form = _form(request, transplant, value, proposal, latest)
    preview, refusal = _preview(form, transplant, value) if form.is_bound else _first_preview(form, transplant, value, latest)
    saving = request.method == "POST" and "request" in request.POST
    if saving and form.is_valid():
        try:
            course = _save(request, transplant, form, proposal, now)
        except (Refusal, Refused) as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
            refusal = refused
        else:
            messages.success(request, f"Plan saved with {course.doses.count()} doses. Another pharmacist verifies it.")
            return redirect("chart", patient_id=transplant.patient_id)
    context = _context(request, transplant, value, proposal, form, preview, answers, now)
    context |= {"saving": saving, "refusal": refusal, "monograph": monograph}
    if request.htmx and not saving:
        return render(request, "regimens/_build_preview.html", context)
    return render(request, "regimens/build.html", context, status=422 if saving else 200)


def _form(
    request: HttpRequest, transplant: Transplant, value: MonographValue, proposal: Any, latest: WeightMeasurement | None
) -> BuildForm:
    codes = [proposal.protocol_code, *proposal.alternatives]
    given = {"value": value, "codes": codes, "centre": request.membership.centre, "latest": latest}
    if request.method == "POST":
        return BuildForm(request.POST, **given)
    initial: dict[str, Any] = {"indication": value.protocol(proposal.protocol_code).indication, "ordered_at": timezone.now()}
    if not proposal.needs_confirmation:
        initial["protocol_code"] = proposal.protocol_code
    if latest:
        initial |= {"weight_kg": latest.weight_kg, "weight_measured_at": latest.measured_at, "weight_method": latest.method}
    form = BuildForm(initial=initial, **given)
    if len(form.prescribers) == 1:
        form.initial["prescriber"] = form.prescribers[0].pk
    return form


def _preview(form: BuildForm, transplant: Transplant, value: MonographValue):
    """The draft from whatever inputs are valid so far; a refusal where the rules do not allow it; neither where something is missing."""
    form.is_valid()
    data = form.cleaned_data
    if not data.get("protocol_code") or not data.get("weight_kg"):
        return None, None
    return _draft(
        transplant,
        value,
        data["protocol_code"],
        data["weight_kg"],
        data.get("first_dose_on"),
        data.get("ceiling_mg_per_kg_per_h"),
    )


def _first_preview(form: BuildForm, transplant: Transplant, value: MonographValue, latest: WeightMeasurement | None):
    code = form.initial.get("protocol_code")
    return _draft(transplant, value, code, latest.weight_kg, None, None) if code and latest else (None, None)


def _draft(transplant: Transplant, value: MonographValue, code: str, weight_kg, first_dose_on, ceiling):
    centre = transplant.patient.centre
    try:
        anchor = planning.anchor_of(transplant, value.protocol(code).anchor, first_dose_on, centre)
        draft = planning.draft_course(
            value=value,
            protocol_code=code,
            anchor=anchor,
            weight_kg=weight_kg,
            centre=centre,
            ceiling_mg_per_kg_per_h=ceiling,
            had_cmv_ig_before=planning.had_cmvig_before(transplant.patient),
        )
    except Refusal as refused:
        # A missing date is a box not reached yet; the preview waits for it.
        return (None, None) if refused.code == "no_first_dose_date" else (None, refused)
    except Refused as refused:
        return None, refused
    return draft, None


@transaction.atomic
def _save(request: HttpRequest, transplant: Transplant, form: BuildForm, proposal: Any, now):
    data = form.cleaned_data
    by = request.membership
    weight = form.latest
    if weight is None or not form.is_latest_weight:
        weight = patient_actions.record_weight(
            patient=transplant.patient,
            weight_kg=data["weight_kg"],
            measured_at=data["weight_measured_at"],
            method=data["weight_method"],
            reason=data["weight_reason"],
            by=by,
            at=now,
        )
    chosen = data["protocol_code"]
    return courses.build_course(
        transplant=transplant,
        protocol_code=chosen,
        weight=weight,
        choice_reason=proposal.reason
        if chosen == proposal.protocol_code
        else f"Chosen in the order; proposed was: {proposal.reason}"[:300],
        order=orders.OrderFacts(
            prescriber=data["prescriber"],
            ordered_at=data["ordered_at"],
            mode=data["mode"],
            indication=data["indication"],
            order_number=data["order_number"],
            is_read_back=data["is_read_back"],
            ceiling_mg_per_kg_per_h=data["ceiling_mg_per_kg_per_h"],
            instructions=data["instructions"],
            off_label_reason=data.get("off_label_reason", ""),
        ),
        first_dose_on=data.get("first_dose_on"),
        by=by,
        at=now,
    )


def _context(request, transplant, value, proposal, form, preview, answers: list[Precaution], now) -> dict:
    centre = request.membership.centre
    rows = dose_rows(preview.doses, centre.time_zone) if preview else []
    group = screening.risk_group(
        donor_igg=transplant.donor_cmv_igg, recipient_igg=transplant.recipient_cmv_igg, organs=transplant.organs
    )
    return patient_frame(request, transplant.patient, now, answers) | {
        "transplant": transplant,
        "organs": transplant.organ_names,
        "zone": centre.time_zone,
        "proposal": proposal,
        "risk_group": group,
        "form": form,
        "rows": rows,
        "totals": totals(preview) if preview else None,
        "cautions": screening_notes(transplant, value, answers, local_day(now, centre.time_zone)),
        "chart_url": reverse("chart", args=[transplant.patient_id]),
    }


def screening_notes(transplant: Transplant, value: MonographValue, answers: list[Precaution], today: date):
    """What the monograph asks to be seen once before the order: cautions and notes, never a stop (those refused the page)."""
    present = {row.kind for row in answers if row.answer == "present"}
    findings = screening.screen(
        monograph=value,
        precautions=sorted(present & {statement.code for statement in value.statements}),
        organs=transplant.organs,
        donor_igg=transplant.donor_cmv_igg,
        recipient_igg=transplant.recipient_cmv_igg,
        has_antiviral=transplant.antiviral not in ("not_recorded", "none"),
        born_on=transplant.patient.birth_on,
        on=today,
    ).findings
    return [finding for finding in findings if finding.level != "stop"]


urls = [path("transplants/<uuid:transplant_id>/build/", build, name="course-build")]
