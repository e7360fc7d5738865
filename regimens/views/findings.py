"""Results, antibody removals and the checklist of risks of one patient, and the answers a prescriber signs where one of them asks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import rules
from patients.access import patient_for
from patients.models import Patient
from patients.roles import Role, may, require
from patients.signing import signed_by
from regimens.access import removal_for, result_for
from regimens.actions import findings, planning, risks
from regimens.domain.clock import local_day
from regimens.domain.screening import Finding, is_antibody_passive
from regimens.forms.care import AnswerForm, RemovalForm, ResultForm, RiskForm, StrikeForm
from regimens.models import AntibodyRemoval, LabResult, ResultKind, RiskReview
from regimens.templatetags import display
from regimens.views.frame import attempt, patient_frame

PASSIVE = "May be passive: sampled after immune globulin was given"
MOST_ROWS = 200


# Results -------------------------------------------------------------------------------------------------------------------


def results(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Every result, newest sample first, struck out ones too; below it, the form for another one."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "read_charts")
    by, now, zone = request.membership, timezone.now(), patient.centre.time_zone
    form = ResultForm(request.POST, zone_name=zone) if request.method == "POST" else ResultForm(zone_name=zone)
    if request.method == "POST":
        require(by, "record_finding")
        recorded = attempt(
            form,
            lambda: findings.record_result(patient=patient, by=by, at=now, **form.cleaned_data),
        )
        if recorded:
            asked = any(question.pk == recorded.pk for question in findings.open_questions(patient))
            messages.success(request, "Result recorded." + (" A prescriber is asked about it." if asked else ""))
            return redirect("results", patient_id=patient.pk)
    known = findings.known_of(patient)
    asking = {question.pk for question in findings.result_questions(known.results, known.given_at)}
    rows = patient.results.select_related("recorded_by__user", "decided_by__user").order_by("-sampled_at", "-pk")
    context = patient_frame(patient, now) | {
        "rows": [_result_line(row, known.first_given_at, asking, zone) for row in rows[:MOST_ROWS]],
        "limits": _limits(),
        "form": form if may(by, "record_finding") else None,
        "may_decide": may(by, "decide_finding"),
    }
    return render(request, "regimens/results.html", context, status=422 if request.method == "POST" else 200)


def _result_line(row: LabResult, first_given_at: datetime | None, asking: set[int], zone: str) -> dict[str, Any]:
    first_on = local_day(first_given_at, zone) if first_given_at else None
    is_igg = row.kind == ResultKind.CMV_IGG and not row.error_at
    passive = is_igg and is_antibody_passive(sampled_on=local_day(row.sampled_at, zone), first_dose_on=first_on)
    decided = LabResult.DECISIONS.get(row.decision, "")
    return {
        "row": row,
        "name": findings.PLAUSIBLE[ResultKind(row.kind)].name,
        "value": findings.value_text(row),
        "sampled": display.format_instant(row.sampled_at, zone),
        "passive": PASSIVE if passive else "",
        "asks": row.pk in asking,
        "decided": f"{decided}: {row.decision_reason} ({row.decided_by.user.printed_name})" if row.decided_by else "",
    }


def _limits() -> str:
    """What numbers are taken, test by test."""
    return " · ".join(
        f"{one.name} {display.format_number(one.low)} to {display.format_unit(one.high, one.unit)}"
        for one in findings.PLAUSIBLE.values()
        if one.unit
    )


def result_decide(request: HttpRequest, result_id: int) -> HttpResponse:
    """A prescriber answers what a result asks."""
    row = result_for(request.membership, result_id)
    require(request.membership, "decide_finding")
    known = findings.known_of(row.patient)
    question = next((q for q in findings.result_questions(known.results, known.given_at) if q.pk == row.pk), None)
    before = [other for other in known.results if other.kind == row.kind and other.sampled_at <= row.sampled_at][-5:]
    lines = [
        f"{findings.value_text(other)}, {display.format_instant(other.sampled_at, row.patient.centre.time_zone)}"
        for other in reversed(before)
    ]

    def act(decision: str, reason: str, now: datetime) -> Any:
        return findings.decide_result(result=row, decision=decision, reason=reason, by=request.membership, at=now)

    return _decide(
        request,
        row.patient,
        title=f"{findings.PLAUSIBLE[ResultKind(row.kind)].name}: what now?",
        sentence=question.sentence if question else "",
        lines=lines,
        answers=findings.answers_to(row) if question else (),
        words=LabResult.DECISIONS,
        decided=LabResult.DECISIONS.get(row.decision, ""),
        act=act,
        back=reverse("results", args=[row.patient_id]),
    )


def result_strike(request: HttpRequest, result_id: int) -> HttpResponse:
    """Strike a result out, with a reason."""
    row = result_for(request.membership, result_id)
    what = f"{findings.PLAUSIBLE[ResultKind(row.kind)].name}, {findings.value_text(row)}"
    return _strike(
        request,
        row.patient,
        what=f"{what}, {display.format_instant(row.sampled_at, row.patient.centre.time_zone)}",
        act=lambda reason, now: findings.strike_result(result=row, reason=reason, by=request.membership, at=now),
        back=reverse("results", args=[row.patient_id]),
    )


# Antibody removal ----------------------------------------------------------------------------------------------------------


def removals(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Plasma exchanges and immunoadsorptions, done and planned; below them, the form for another one."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "read_charts")
    by, now, zone = request.membership, timezone.now(), patient.centre.time_zone
    form = RemovalForm(request.POST, zone_name=zone) if request.method == "POST" else RemovalForm(zone_name=zone)
    if request.method == "POST":
        require(by, "record_finding")
        if attempt(form, lambda: findings.record_removal(patient=patient, by=by, at=now, **form.cleaned_data)):
            messages.success(request, "Antibody removal recorded. It adds no dose and moves none.")
            return redirect("removals", patient_id=patient.pk)
    known = findings.known_of(patient)
    value = planning.published().to_domain()
    asked = {q.pk: q.sentence for q in findings.removal_questions(known.removals, known.given_at, known.booked_for, value)}
    rows = patient.antibody_removals.select_related("recorded_by__user", "decided_by__user").order_by("-at", "-pk")
    context = patient_frame(patient, now) | {
        "rows": [
            {
                "row": row,
                "when": display.format_instant(row.at, zone),
                "planned": row.at > now,
                "asks": asked.get(row.pk, ""),
                "decided": AntibodyRemoval.DECISIONS.get(row.decision, ""),
                "answerable": not row.error_at
                and not row.decision
                and bool(findings.removal_answers(row, known.given_at, value, now)),
            }
            for row in rows
        ],
        "form": form if may(by, "record_finding") else None,
        "may_decide": may(by, "decide_finding"),
    }
    return render(request, "regimens/removals.html", context, status=422 if request.method == "POST" else 200)


def removal_decide(request: HttpRequest, removal_id: int) -> HttpResponse:
    """A prescriber answers: give the dose before it all the same; or repeat the dose given shortly before, or not."""
    row = removal_for(request.membership, removal_id)
    require(request.membership, "decide_finding")
    known, value = findings.known_of(row.patient), planning.published().to_domain()
    is_open = not row.error_at and not row.decision
    answers = findings.removal_answers(row, known.given_at, value, timezone.now()) if is_open else ()
    zone = row.patient.centre.time_zone
    given = [at for at in known.given_at if at < row.at][-2:]

    def act(decision: str, reason: str, now: datetime) -> Any:
        return findings.decide_removal(removal=row, decision=decision, reason=reason, by=request.membership, at=now)

    return _decide(
        request,
        row.patient,
        title=f"{row.get_kind_display()}, {display.format_instant(row.at, zone)}",
        sentence="An antibody removal takes away what was infused. The app adds no dose: one to be repeated is ordered anew.",
        lines=[f"Dose started {display.format_instant(at, zone)}" for at in reversed(given)],
        answers=answers,
        words=AntibodyRemoval.DECISIONS,
        decided=AntibodyRemoval.DECISIONS.get(row.decision, ""),
        act=act,
        back=reverse("removals", args=[row.patient_id]),
    )


def removal_strike(request: HttpRequest, removal_id: int) -> HttpResponse:
    """Strike an antibody removal out: it was not done, or was entered wrongly."""
    row = removal_for(request.membership, removal_id)
    return _strike(
        request,
        row.patient,
        what=f"{row.get_kind_display()}, {display.format_instant(row.at, row.patient.centre.time_zone)}",
        act=lambda reason, now: findings.strike_removal(removal=row, reason=reason, by=request.membership, at=now),
        back=reverse("removals", args=[row.patient_id]),
    )


# Risks ---------------------------------------------------------------------------------------------------------------------


def risk_list(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """The checklist of risks and the pregnancy status: the present one, what it makes to be seen, and the form for a newer one."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "read_charts")
    by, now = request.membership, timezone.now()
    today = local_day(now, patient.centre.time_zone)
    answers = list(patient.precautions.filter(superseded_at=None))
    reviews = list(patient.risk_reviews.select_related("recorded_by__user").order_by("-recorded_at", "-pk")[:20])
    live = next((row for row in reviews if row.superseded_at is None), None)
    is_asked = rules.asks_about_pregnancy(patient.sex, rules.age_years(patient.birth_on, today))
    given: dict[str, Any] = {"may_state": by.role == Role.PRESCRIBER}
    if request.method == "POST":
        form = RiskForm(request.POST, **given)
    else:
        known = {"factors": live.factors, "pregnancy": live.pregnancy, "pregnancy_on": live.pregnancy_on} if live else {}
        form = RiskForm(initial={"pregnancy": "" if is_asked else "not_applicable"} | known, **given)
    if request.method == "POST":
        require(by, "record_finding")
        if attempt(form, lambda: risks.record_risks(patient=patient, by=by, at=now, **form.cleaned_data)):
            messages.success(request, "Checklist recorded. It replaces the one before.")
            return redirect("risks", patient_id=patient.pk)
    transplant = patient.transplants.order_by("-number").first()
    shown: tuple[Finding, ...] = ()
    if transplant is not None:
        transplant.patient = patient
        shown = risks.screening_of(transplant, planning.published().to_domain(), answers, live, today).findings
    context = patient_frame(patient, now, answers) | {
        "live": live,
        "factors": [RiskReview.FACTORS[factor] for factor in live.factors] if live else [],
        "earlier": [row for row in reviews if row is not live],
        "shown": shown,
        "lacks_statement": risks.lacks_statement(answers, live),
        "form": form if may(by, "record_finding") and not patient.closed_at else None,
    }
    return render(request, "regimens/risks.html", context, status=422 if request.method == "POST" else 200)


# Both ----------------------------------------------------------------------------------------------------------------------


def _decide(
    request: HttpRequest,
    patient: Patient,
    *,
    title: str,
    sentence: str,
    lines: list[str],
    answers: tuple[str, ...],
    words: dict[str, str],
    decided: str,
    act: Callable[[str, str, datetime], Any],
    back: str,
) -> HttpResponse:
    """One question: what is known, the answers that fit, and the signature. None is recommended."""
    now = timezone.now()
    given: dict[str, Any] = {"answers": answers, "words": words}
    form = AnswerForm(request.POST, **given) if request.method == "POST" else AnswerForm(**given)

    def signed() -> Any:
        signed_by(request, form.cleaned_data["password"])
        return act(form.cleaned_data["decision"], form.cleaned_data["reason"], now)

    if request.method == "POST" and attempt(form, signed):
        answer = form.cleaned_data["decision"]
        messages.success(request, f"Signed: {words[answer].lower()}.")
        course = patient.courses.filter(stopped_at=None).order_by("-built_at").first()
        if answer in findings.ACTED_ON_ELSEWHERE and course is not None:
            messages.info(request, f"No dose starts until the course is acted on: {answer} it here.")
            return redirect("course-hold" if answer == "hold" else "course-stop", course_id=course.pk)
        return redirect(back)
    context = patient_frame(patient, now) | {
        "title": title,
        "sentence": sentence,
        "lines": lines,
        "form": form if answers else None,
        "decided": decided,
        "back": back,
    }
    return render(request, "regimens/finding_decide.html", context, status=422 if request.method == "POST" else 200)


def _strike(
    request: HttpRequest, patient: Patient, *, what: str, act: Callable[[str, datetime], Any], back: str
) -> HttpResponse:
    """One entry struck out."""
    require(request.membership, "record_finding")
    now = timezone.now()
    form: forms.Form = StrikeForm(request.POST) if request.method == "POST" else StrikeForm()
    if request.method == "POST" and attempt(form, lambda: act(form.cleaned_data["reason"], now)):
        messages.success(request, "Struck out. It stays readable.")
        return redirect(back)
    context = patient_frame(patient, now) | {"what": what, "form": form, "back": back}
    return render(request, "regimens/finding_strike.html", context, status=422 if request.method == "POST" else 200)


urls: list = [
    path("patients/<uuid:patient_id>/results/", results, name="results"),
    path("results/<int:result_id>/decide/", result_decide, name="result-decide"),
    path("results/<int:result_id>/strike-out/", result_strike, name="result-strike"),
    path("patients/<uuid:patient_id>/antibody-removals/", removals, name="removals"),
    path("antibody-removals/<int:removal_id>/decide/", removal_decide, name="removal-decide"),
    path("antibody-removals/<int:removal_id>/strike-out/", removal_strike, name="removal-strike"),
    path("patients/<uuid:patient_id>/risks/", risk_list, name="risks"),
]
