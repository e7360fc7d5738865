"""Weights, answers about risk, and transplants."""

from __future__ import annotations

import uuid
from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import escape

from patients import actions, facts, policy, rules, when
from patients.access import one, transplant_for
from patients.forms import PrecautionsForm, ReasonForm, ReleaseForm, TransplantForm, WeightForm
from patients.models import Precaution, PrecautionKind, Transplant, WeightMeasurement
from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from patients.views.common import attempt, chart_of, differences, has_error, member, page, seen_now


def weight_new(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Record a weight. A first measurement that waits for a second one is announced without its value."""
    by = member(request)
    patient = chart_of(by, patient_id)
    require(by, "record_weight")
    now, zone_name = timezone.now(), patient.centre.time_zone
    posted = request.method == "POST"
    initial = {"measured_at": when.local_day(now, zone_name)}
    form = WeightForm(request.POST, zone_name=zone_name) if posted else WeightForm(zone_name=zone_name, initial=initial)
    if posted:
        typed = form.cleaned_data if form.is_valid() else {}
        weight = attempt(
            form,
            lambda: actions.record_weight(
                by=by,
                at=now,
                patient=patient,
                weight_kg=typed["weight_kg"],
                measured_at=typed["measured_at"],
                method=typed["method"],
                reason=typed["reason"],
                keep_for_second=typed.get("keep_for_second", False),
            ),
        )
        if weight:
            _say_weight(request, weight, zone_name)
            return redirect("chart", patient_id=patient.pk)
        if has_error(form, "weight_implausible"):
            form.ask_for_second()
    waiting = facts.held_weights(patient, measured_at=now, limits=policy.weight_limits()).exists()
    return page(request, "patients/weight.html", patient, now, form=form, waiting=waiting)


def _say_weight(request: HttpRequest, weight: WeightMeasurement, zone_name: str) -> None:
    """The echo after saving: in kg and pounds, with the weekday, so that a slip is seen."""
    shown = f"{rules.kg_text(weight.weight_kg)} ({rules.about_lb(weight.weight_kg)})"
    if facts.is_held(weight):
        messages.warning(request, f"{shown} is kept, but not used: another person must measure and enter it too.")
    else:
        on = when.weekday_text(when.local_day(weight.measured_at, zone_name))
        messages.success(request, f"Weight {shown} of {on} recorded. No dose changes by itself.")


def weight_error(request: HttpRequest, patient_id: uuid.UUID, weight_id: int) -> HttpResponse:
    """Mark a weight as entered in error."""
    by = member(request)
    patient = chart_of(by, patient_id)
    require(by, "enter_in_error")
    now = timezone.now()
    weight = one(WeightMeasurement.objects.filter(patient=patient, error_at=None), pk=weight_id)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST":
        done = attempt(
            form, lambda: actions.mark_weight_in_error(by=by, at=now, weight=weight, reason=form.cleaned_data["reason"])
        )
        if done:
            messages.success(request, "The weight is marked as entered in error, and used no more.")
            return redirect("chart", patient_id=patient.pk)
    return page(request, "patients/weight_error.html", patient, now, form=form, weight=weight)


def precautions(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """The questions that are asked before a course is planned."""
    by = member(request)
    patient = chart_of(by, patient_id)
    now = timezone.now()
    kinds = facts.questions_for(patient, when.local_day(now, patient.centre.time_zone))
    live = facts.live_answers(patient)
    editable = may(by, "record_precaution")
    if request.method == "POST":
        require(by, "record_precaution")
        form = PrecautionsForm(request.POST, kinds=kinds)
    else:
        initial = {row.kind: row.answer for row in live.values()} | {f"{row.kind}_detail": row.detail for row in live.values()}
        form = PrecautionsForm(kinds=kinds, initial=initial)
    if request.method == "POST":
        new = attempt(form, lambda: actions.answer_precautions(by=by, at=now, patient=patient, answers=form.answers()))
        if new is not None:
            messages.success(request, f"{len(new)} answers recorded." if len(new) != 1 else "1 answer recorded.")
            return redirect("chart", patient_id=patient.pk)
    stops = [row for kind in facts.STOPPING if (row := live.get(kind)) and row.answer != "absent"]
    return page(
        request,
        "patients/precautions.html",
        patient,
        now,
        form=form,
        stops=stops,
        answered=[live[kind] for kind in kinds if kind in live],
        editable=editable,
        may_release=may(by, "release_contraindication"),
    )


def precaution_release(request: HttpRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
    """A prescriber's release of one contraindication, signed with the password."""
    by = member(request)
    patient = chart_of(by, patient_id)
    require(by, "release_contraindication")
    now = timezone.now()
    row = facts.live_answers(patient).get(kind)
    if row is None or kind not in facts.STOPPING or row.released_at or row.answer == "absent":
        raise Http404("Not found")
    form = ReleaseForm(request.POST) if request.method == "POST" else ReleaseForm()

    def release() -> Precaution:
        signed_by(request, form.cleaned_data["password"])
        return actions.release_contraindication(by=by, at=now, patient=patient, kind=kind, reason=form.cleaned_data["reason"])

    if request.method == "POST" and attempt(form, release) is not None:
        messages.success(request, f"Released: {PrecautionKind(kind).label}. Planning may go on.")
        return redirect("chart", patient_id=patient.pk)
    return page(request, "patients/release.html", patient, now, form=form, row=row)


def transplant_new(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Record a transplant."""
    by = member(request)
    patient = chart_of(by, patient_id)
    require(by, "record_transplant")
    now, zone_name = timezone.now(), patient.centre.time_zone
    posted = request.method == "POST"
    form = TransplantForm(request.POST, zone_name=zone_name) if posted else TransplantForm(zone_name=zone_name)
    if posted:
        done = attempt(form, lambda: actions.record_transplant(by=by, at=now, patient=patient, **form.values()))
        if done:
            _say_transplant(request, done)
            return redirect("chart", patient_id=patient.pk)
    earlier = patient.transplants.order_by("number")
    return page(request, "patients/transplant.html", patient, now, form=form, earlier=earlier)


def transplant_edit(request: HttpRequest, transplant_id: uuid.UUID) -> HttpResponse:
    """Correct a transplant, with a reason."""
    by = member(request)
    transplant = transplant_for(by, transplant_id)
    patient = chart_of(by, transplant.patient_id)
    require(by, "record_transplant")
    now, zone_name = timezone.now(), patient.centre.time_zone
    stale: list[dict[str, str]] = []
    posted = request.method == "POST"
    form = TransplantForm(request.POST if posted else None, zone_name=zone_name, transplant=transplant)
    if posted:
        done = attempt(
            form,
            lambda: actions.correct_transplant(
                by=by,
                at=now,
                transplant=transplant,
                version=form.cleaned_data["version"],
                reason=form.cleaned_data["reason"],
                **form.values(),
            ),
        )
        if done:
            _say_transplant(request, done)
            return redirect("chart", patient_id=patient.pk)
        if has_error(form, "stale"):
            transplant = transplant_for(by, transplant_id)
            stale = differences(form, TransplantForm.initial_of(transplant))
            seen_now(form, transplant.version)
    return page(request, "patients/transplant.html", patient, now, form=form, transplant=transplant, stale=stale)


def _say_transplant(request: HttpRequest, transplant: Transplant) -> None:
    group = rules.risk_group(transplant.donor_cmv_igg, transplant.recipient_cmv_igg, transplant.organs)
    on = when.weekday_text(when.local_day(transplant.reperfusion_at, transplant.zone_name))
    messages.success(request, f"Transplant {transplant.number} of {on} recorded: {group.label}. {group.note}".strip())


def echo(request: HttpRequest) -> HttpResponse:
    """What the server understands of one typed value: weekday, age, pounds. It saves nothing and knows no patient."""
    by = member(request)
    if request.method != "POST":
        raise Http404("Not found")
    typed = request.POST.get(request.POST.get("field", ""), "")[:60]
    try:
        words = _echo(request.POST.get("kind", ""), typed, when.local_day(timezone.now(), by.centre.time_zone))
    except Refusal as refusal:
        words = refusal.sentence
    return HttpResponse(escape(words))


def _echo(kind: str, typed: str, today: date) -> str:
    if not typed.strip():
        return ""
    if kind == "weight":
        return rules.about_lb(rules.parse_weight_kg(typed, limits=policy.weight_limits()))
    on = when.parse_day(typed)
    if kind == "birth":
        return f"{when.weekday_text(on)}, age {rules.age_text(when.check_birth(on, today), today)}"
    return when.weekday_text(on)
