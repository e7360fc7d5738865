"""Build a course: inputs on the left, every dose recalculated on the right. The preview is never posted; saving computes again."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients import actions as patient_actions
from patients.access import transplant_for
from patients.models import Transplant
from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from regimens.actions import courses, orders, planning
from regimens.domain.clock import local_day
from regimens.domain.reasons import Refused
from regimens.forms.build import BuildForm
from regimens.models import Course, Order, OutsideDose
from regimens.views.frame import add_refusal
from regimens.views.ordering import Case, case_frame, offered_for, read_case, record_antiviral
from regimens.views.preview import preview_rows
from regimens.views.rows import totals


def build(request: HttpRequest, transplant_id: uuid.UUID) -> HttpResponse:
    """GET the form with its first preview; POST recalculates, or saves when the button "request" was pressed."""
    transplant = transplant_for(request.membership, transplant_id)
    require(request.membership, "build")
    now = timezone.now()
    case = read_case(transplant, now, planning.check_may_plan(transplant.patient))
    form = _form(request, case, now)
    draft, refusal = _preview(form, case, now)
    saving = request.method == "POST" and "request" in request.POST
    if saving and form.is_valid():
        try:
            course = _save(request, case, form, now, is_signed=_is_signed(request, form))
        except (Refusal, Refused) as refused:
            add_refusal(form, refused)
            refusal = None if refused.field == "password" else refused
        else:
            messages.success(request, f"Plan saved with {course.doses.count()} doses. Another pharmacist verifies it.")
            return redirect("chart", patient_id=transplant.patient_id)
    # What cannot be planned shows no dose that somebody could copy.
    context = _context(request, case, form, None if refusal else draft, now) | {"saving": saving, "refusal": refusal}
    if request.htmx and not saving:
        return render(request, "regimens/_build_preview.html", context)
    return render(request, "regimens/build.html", context, status=422 if saving else 200)


def _form(request: HttpRequest, case: Case, now: datetime) -> BuildForm:
    proposal, order, latest = case.proposal, case.order, case.weights.latest
    codes = (order.protocol_code,) if order and _is_known(case, order) else (proposal.protocol_code, *proposal.alternatives)
    given: dict[str, Any] = {
        "offered": offered_for(request, case, codes, now),
        "waiting": order,
        "transplant": case.transplant,
        "given_elsewhere": case.given_elsewhere,
        "others": case.others,
    }
    if request.method == "POST":
        return BuildForm(request.POST, **given)
    initial: dict[str, Any] = {"indication": case.value.protocol(proposal.protocol_code).indication, "ordered_at": now}
    if not proposal.needs_confirmation:
        initial["protocol_code"] = proposal.protocol_code
    if latest:
        initial |= {"weight_kg": latest.weight_kg, "weight_measured_at": latest.measured_at, "weight_method": latest.method}
    if not case.weights.differ(case.value):
        initial["weight_basis"] = order.weight_basis if order else "latest"
    return BuildForm(initial=initial, **given)


def _is_known(case: Case, order: Order) -> bool:
    """Whether the published monograph still has the protocol that was ordered."""
    return any(row.code == order.protocol_code for row in case.value.protocols)


def _preview(form: BuildForm, case: Case, now: datetime):
    """The draft from whatever inputs are valid so far; a refusal where the rules do not allow it; neither where something is missing."""
    if form.is_bound:
        form.is_valid()
    kg = form.dosing_kg if form.is_bound else _initial_kg(form, case)
    choices = form.choices()
    if not choices.protocol_code or kg is None:
        return None, None
    try:
        if case.order:
            on = local_day(now, case.transplant.patient.centre.time_zone)
            protocol = next((row for row in case.value.protocols if row.code == choices.protocol_code), None)
            if protocol is None:
                raise Refusal("order_differs", "The published monograph has no longer the protocol that was ordered.")
            orders.check_built_as_ordered(case.order, protocol, bases=_bases(form, case), on=on)
        draft = planning.draft_course(
            value=case.value,
            transplant=case.transplant,
            weight_kg=kg,
            choices=choices,
            had_cmv_ig_before=case.had_cmvig or any(told.product == OutsideDose.Product.CMV_IG for told in form.told),
            at=now,
        )
    except Refusal as refused:
        # A missing date is a box not reached yet; the preview waits for it.
        return (None, None) if refused.code == "no_first_dose_date" else (None, refused)
    except Refused as refused:
        return None, refused
    return draft, None


def _initial_kg(form: BuildForm, case: Case):
    weights = case.weights
    if weights.differ(case.value) and weights.dry != weights.latest:
        return None
    chosen = weights.dry if form.initial.get("weight_basis") == "dry" else weights.latest
    return chosen.weight_kg if chosen else None


def _bases(form: BuildForm, case: Case) -> set[str]:
    """Which weight the plan would count on; either, where the dry weight is the latest one and nothing newer was typed."""
    if case.weights.dry == case.weights.latest and (not form.is_bound or form.is_record_weight):
        return {"latest", "dry"}
    return {form.basis}


@transaction.atomic
def _save(request: HttpRequest, case: Case, form: BuildForm, now: datetime, *, is_signed: bool) -> Course:
    data, by = form.cleaned_data, request.membership
    transplant = case.transplant
    latest = case.weights.latest
    if form.basis == "dry" and case.weights.dry is not None:
        weight = case.weights.dry
        if not form.is_record_weight:
            _record_weight(transplant, data, by, now)
    elif form.is_record_weight and latest is not None:
        weight = latest
    else:
        weight = _record_weight(transplant, data, by, now)
    if data.get("antiviral"):
        record_antiviral(transplant, data, by, now)
    chosen, proposal = form.protocol_code, case.proposal
    proposed = chosen == proposal.protocol_code
    return courses.build_course(
        transplant=transplant,
        choices=form.choices(),
        weight=weight,
        choice_reason=proposal.reason if proposed else f"Chosen in the order; proposed was: {proposal.reason}",
        beside=form.beside(),
        order=form.typed_order(now, is_signed=is_signed),
        by=by,
        at=now,
    )


def _is_signed(request: HttpRequest, form: BuildForm) -> bool:
    """Whether a prescriber who builds and ordered has typed the password under the order; a wrong one is refused."""
    data = form.cleaned_data
    if "password" not in form.fields or data["prescriber"].pk != request.membership.pk:
        return False
    signed_by(request, data.get("password") or "")
    return True


def _record_weight(transplant: Transplant, data: dict[str, Any], by, now: datetime):
    return patient_actions.record_weight(
        patient=transplant.patient,
        weight_kg=data["weight_kg"],
        measured_at=data["weight_measured_at"],
        method=data["weight_method"],
        reason=data["weight_reason"],
        by=by,
        at=now,
    )


def _context(request: HttpRequest, case: Case, form: BuildForm, draft: planning.DraftCourse | None, now: datetime) -> dict:
    centre = request.membership.centre
    rows = []
    if draft:
        rows = preview_rows(draft, centre=centre, closed_days=case.closed_days, order=case.order, earlier=case.stopped)
    return case_frame(request, case, now) | {
        "form": form,
        "rows": rows,
        "totals": totals(draft) if draft else None,
        "asks_basis": form.asks_basis if form.is_bound else case.weights.differ(case.value),
        "shows_basis": "weight_basis" in form.fields and (form.offered.has_two_weights or form.is_bound),
        "stopped_at": case.ended.stopped_at if case.ended else None,
        "may_order": may(request.membership, "order"),
    }


urls = [path("transplants/<uuid:transplant_id>/build/", build, name="course-build")]
