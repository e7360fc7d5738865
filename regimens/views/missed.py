"""One dose that needs a decision: its case with the options side by side; and why a dose is not given today.

The pages show what each choice would do. They recommend nothing and choose nothing beforehand.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from patients import when
from patients.refusal import Refusal
from patients.roles import Role, may, protocol_for, require
from patients.signing import signed_by
from regimens.access import dose_for
from regimens.actions import missed
from regimens.actions.charting import Chart, read_dose
from regimens.actions.missed_case import CaseFile
from regimens.actions.not_given import notes_of, record_not_given
from regimens.actions.referral import is_before_referral, mark_before_referral
from regimens.domain import missed as domain
from regimens.domain.reasons import Refused, source_text
from regimens.domain.status import Status
from regimens.domain.units import day_text, number
from regimens.forms.course import AMOUNT
from regimens.forms.missed import BeforeReferralForm, DecideForm, NotGivenForm
from regimens.forms.outside import given_text
from regimens.models import Decision, MissedDoseDecision, PlannedDose
from regimens.models.status import status_of
from regimens.templatetags import display
from regimens.views.frame import add_refusal, patient_frame
from regimens.views.missed_list import missed_list

MISSED_SECTION = "missed_dose"


def decide(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """The case of one dose that needs a decision; a prescriber signs one, or a pharmacist within the collaborative protocol."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "read_charts")
    now = timezone.now()
    chart = read_dose(dose)
    own = next(row for row in chart.doses if row.pk == dose.pk)
    file = missed.read_case(chart, now)
    try:
        missed.refuse_unless_open(chart, own, file, now)
    except Refusal as refused:
        return _closed_case(request, chart, own, refused, now)
    if request.method == "POST" and "before_referral" in request.POST:
        return _before_referral(request, chart, own, file, now)
    if request.method == "POST":
        require(request.membership, "decide_missed")
        return _sign(request, chart, own, file, now)
    return _case(request, chart, own, file, now, asked=_asked(request, chart, file, now))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks to see the effects of."""

    give_on: date | None = None
    mg_per_kg: Decimal | None = None


def _asked(request: HttpRequest, chart: Chart, file: CaseFile, now: datetime) -> Asked:
    """The day and the dose whose effects the address asks for; what is mangled or impossible is left out."""
    asked = Asked()
    with suppress(Refusal, Refused):
        give_on = when.parse_day(request.GET.get("give_on", ""))
        missed.options_for(chart, now, give_on, None, file)
        asked = Asked(give_on)
    typed = request.GET.get("mg_per_kg", "").strip()
    if AMOUNT.fullmatch(typed):
        mg_per_kg = Decimal(typed.replace(",", ""))
        with suppress(Refusal, Refused):
            missed.options_for(chart, now, asked.give_on, mg_per_kg, file)
            asked = Asked(asked.give_on, mg_per_kg)
    return asked


def _sign(request: HttpRequest, chart: Chart, dose: PlannedDose, file: CaseFile, now: datetime) -> HttpResponse:
    if (chosen := request.POST.get("decision")) in Decision.values:
        missed.refuse_unless_signable(request.membership, chart, file, Decision(chosen))
    options = missed.options_for(chart, now, file=file)
    form = _form(request, chart, file, options, request.POST)
    refusal = None
    if form.is_valid():
        data = form.cleaned_data
        try:
            signed_by(request, data["password"])
            missed.decide(
                dose=dose,
                decision=data["decision"],
                give_on=data["give_on"],
                mg_per_kg=data.get("mg_per_kg"),
                review_on=data.get("review_on"),
                protocol_code=data.get("protocol_code", ""),
                reason_code=data["reason_only_code"],
                reason=data["reason"],
                reached_by=data.get("reached_by", ""),
                by=request.membership,
                at=now,
            )
        except (Refusal, Refused) as refused:
            refusal = add_refusal(form, refused)
        else:
            decision = Decision(data["decision"])
            verifier = "Another pharmacist" if request.membership.role == Role.PHARMACIST else "A pharmacist"
            follows = AFTER.get(decision, "").format(verifier=verifier)
            messages.success(request, f"Signed: {decision.label.lower()}, dose {dose.number}. {follows}".strip())
            return redirect("chart", patient_id=chart.patient.pk)
    return _case(request, chart, dose, file, now, form=form, refusal=refusal, status=422)


# What follows from a decision, as the person who signed it is told.
VERIFIED_ANEW = "{verifier} verifies the new row."
AFTER = {
    Decision.GIVE_LATE: VERIFIED_ANEW,
    Decision.GIVE_LATE_AND_SHIFT: "{verifier} verifies every moved dose; their bookings are dropped.",
    Decision.GIVE_REMAINDER: VERIFIED_ANEW,
    Decision.CHANGE_DOSE: VERIFIED_ANEW,
    Decision.HOLD: "This dose still waits for its decision.",
    Decision.CHANGE_PROTOCOL: "The order waits for a pharmacist to build the new course.",
}


def _before_referral(request: HttpRequest, chart: Chart, dose: PlannedDose, file: CaseFile, now: datetime) -> HttpResponse:
    """A missed dose that was not ours to give."""
    require(request.membership, "build")
    form = BeforeReferralForm(request.POST, auto_id="id_referral_%s")
    refusal = None
    if form.is_valid():
        try:
            signed_by(request, form.cleaned_data["password"])
            mark_before_referral(dose=dose, reason=form.cleaned_data["reason"], by=request.membership, at=now)
        except Refusal as refused:
            refusal = add_refusal(form, refused)
        else:
            messages.success(request, f"Signed: dose {dose.number} counts as not given here, before referral.")
            return redirect("chart", patient_id=chart.patient.pk)
    return _case(request, chart, dose, file, now, referral=form, refusal=refusal, status=422)


def _form(
    request: HttpRequest, chart: Chart, file: CaseFile, options: dict[Decision, domain.Option], data: Any = None
) -> DecideForm:
    assert chart.course is not None
    value = chart.course.monograph.to_domain()
    signable = missed.signable(request.membership, chart, file)
    return DecideForm(
        data,
        value=value,
        available=[row for row, option in options.items() if option.is_available and row in signable],
        protocols=domain.other_protocols(file.case, value),
        signed_under=protocol_for(request.membership, "decide_missed"),
    )


def _case(
    request: HttpRequest,
    chart: Chart,
    dose: PlannedDose,
    file: CaseFile,
    now: datetime,
    *,
    asked: Asked | None = None,
    form: DecideForm | None = None,
    referral: BeforeReferralForm | None = None,
    refusal: Any = None,
    status: int = 200,
) -> HttpResponse:
    assert chart.course is not None
    asked = asked or Asked()
    zone = chart.centre.time_zone
    options = missed.options_for(chart, now, asked.give_on, asked.mg_per_kg, file)
    signable = missed.signable(request.membership, chart, file)
    by_protocol = protocol_for(request.membership, "decide_missed") if signable else ""
    if by_protocol:  # what stays a prescriber's is not laid before a pharmacist who signs
        options = {decision: option for decision, option in options.items() if decision in signable}
    section = next((s for s in chart.course.monograph.to_domain().sections if s.code == MISSED_SECTION), None)
    if referral is None and may(request.membership, "build") and is_before_referral(file, dose):
        referral = BeforeReferralForm(auto_id="id_referral_%s")
    record = chart.live_record(dose)
    context = patient_frame(chart.patient, now) | {
        "dose": dose,
        "state": str(file.status),
        "amount": display.format_unit(dose.dose_mg, "mg"),
        "closed": display.format_instant(dose.closes_at, zone),
        "closed_for": display.format_elapsed(dose.closes_at, now),
        "target": display.format_weekday_day(dose.target_on),
        "part": record if file.status is Status.PARTIAL else None,
        "part_mg": display.format_unit(file.case.given_mg, "mg") if file.case.given_mg is not None else "",
        "last_given": _last_given(chart, zone),
        "next_due": _next_due(chart, dose),
        "also_open": _also_open(chart, dose, file, now),
        "hold": file.open_hold,
        "shifted_days": max(row.shifted_days for row in chart.doses),
        "outside_unknown": [given_text(row, zone) for row in file.outside_unknown],
        "not_given": notes_of(dose),
        "options": _side_by_side(options, zone),
        "saying": section,
        "saying_source": source_text(section.source) if section else "",
        "form": (form or _form(request, chart, file, options)) if signable else None,
        "referral": referral,
        "refusal": refusal,
        "by_protocol": by_protocol,
        "asks_amount": Decision.CHANGE_DOSE in options,
        "asked_on": display.format_day(asked.give_on) if asked.give_on else "",
        "asked_mg_per_kg": number(asked.mg_per_kg) if asked.mg_per_kg is not None else "",
    }
    return render(request, "regimens/decide.html", context, status=status)


def _closed_case(request: HttpRequest, chart: Chart, dose: PlannedDose, refused: Refusal, now: datetime) -> HttpResponse:
    """Nothing is to be decided: the sentence says why, and what was decided is shown where somebody did."""
    assert chart.course is not None
    decision = MissedDoseDecision.objects.filter(dose=dose, superseded_at=None).select_related("decided_by__user").first()
    reasons = missed.reasons_for(Decision(decision.decision), chart.course.monograph.to_domain()) if decision else ()
    words = next((r.sentence for r in reasons if decision and r.code == decision.reason_code), "")
    shown = {"dose": dose, "refusal": refused, "decision": decision, "reason": words}
    context = patient_frame(chart.patient, now) | shown
    return render(request, "regimens/decide_closed.html", context, status=409 if request.method == "POST" else 200)


def _last_given(chart: Chart, zone: str) -> str:
    """ "Dose 3, 03-Nov-2026 13:40", or that nothing was given."""
    given = [r for r in chart.counted() if r.dose_id]
    if not given:
        return "Nothing yet"
    last = given[-1]
    return f"Dose {last.dose.number}, {display.format_instant(last.started_at, zone)}" if last.dose else ""


def _next_due(chart: Chart, dose: PlannedDose) -> str:
    """The next dose that is still to be given."""
    following = next((row for row in chart.doses if row.number > dose.number and not row.settled_as), None)
    return f"Dose {following.number}, {display.format_weekday_day(following.target_on)}" if following else "None"


def _also_open(chart: Chart, dose: PlannedDose, file: CaseFile, now: datetime) -> list[dict[str, Any]]:
    """Other doses of the course that are open or without a decision: once a later one is started, this one is not given late."""
    found = []
    for row in chart.doses:
        if row.pk == dose.pk or row.settled_as:
            continue
        status = status_of(row, now, (), file.holds)
        if status is not Status.UPCOMING:
            found.append({"dose": row, "status": str(status), "is_later": row.number > dose.number})
    return found


# What is compared, in the order of the rows.
COMPARED = (
    "Earliest start",
    "Site’s last day for it",
    "Dose",
    "Days since the last dose",
    "Days to the next target",
    "Next dose opens",
    "mg per kg within 7 days",
    "mg per kg within 28 days",
    "Later targets",
)


def _side_by_side(options: dict[Decision, domain.Option], zone: str) -> dict[str, Any]:
    """The options as columns of one table, and what speaks for and against each."""
    columns = [
        {
            "title": decision.label,
            "available": option.is_available,
            "departs": option.needs_signature,
            "pros": option.reasons_for,
            "cons": option.reasons_against,
            "working": option.working.to_json(),
        }
        for decision, option in options.items()
    ]
    values = [_values(decision, option, zone) for decision, option in options.items()]
    return {"columns": columns, "rows": list(zip(COMPARED, zip(*values, strict=True), strict=True)), "long": COMPARED[-1]}


def _values(decision: Decision, option: domain.Option, zone: str) -> list[str]:
    """One option's column; after stopping there is no next dose."""
    goes_on = decision not in (Decision.STOP, Decision.CHANGE_PROTOCOL)
    is_known = decision != Decision.CHANGE_DOSE or option.dose_mg is not None
    return [
        display.format_instant(option.give_at, zone) if option.give_at else "—",
        display.format_day(option.latest_on) if option.latest_on else "—",
        _amount(decision, option),
        _number(option.days_since_last),
        _number(option.days_to_next if goes_on else None),
        display.format_instant(option.next_opens_at, zone) if option.next_opens_at and goes_on else "—",
        number(option.mg_per_kg_in_7_days, 1) if is_known else "—",
        number(option.mg_per_kg_in_28_days, 1) if is_known else "—",
        _later(decision, option),
    ]


def _later(decision: Decision, option: domain.Option) -> str:
    """Which targets move, and to what days."""
    if option.new_targets:
        return ", ".join(f"{code} {day_text(on)}" for code, on in option.new_targets)
    return "Cancelled" if decision in (Decision.STOP, Decision.CHANGE_PROTOCOL) else "Stay"


def _amount(decision: Decision, option: domain.Option) -> str:
    if option.dose_mg is not None:
        return display.format_unit(option.dose_mg, "mg")
    return {
        Decision.CHANGE_DOSE: "Enter mg per kg below",
        Decision.HOLD: "Undecided",
        Decision.ACCEPT_PARTIAL: "Nothing more",
    }.get(decision, "Not given")


def _number(value: int | None) -> str:
    return "—" if value is None else display.format_number(value)


def not_given(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """A nurse notes why a dose is not given today; it stays due."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "not_given_today")
    now = timezone.now()
    reasons = dose.course.monograph.to_domain().listed("not_given")
    form = NotGivenForm(request.POST if request.method == "POST" else None, reasons=reasons)
    refusal = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            record_not_given(
                dose=dose,
                reason_code=data["reason_code"],
                reason=data["reason"],
                was_prepared=data["was_prepared"] == "yes",
                by=request.membership,
                at=now,
            )
        except Refusal as refused:
            refusal = add_refusal(form, refused)
        else:
            messages.success(request, f"Noted: dose {dose.number} is not given today. It stays open.")
            return redirect("chart", patient_id=dose.course.patient_id)
    context = patient_frame(dose.course.patient, now) | {
        "dose": dose,
        "form": form,
        "refusal": refusal,
        "earlier": notes_of(dose),
        "target": display.format_weekday_day(dose.target_on),
    }
    return render(request, "regimens/not_given.html", context, status=422 if request.method == "POST" else 200)


urls = [
    path("missed/", missed_list, name="missed"),
    path("doses/<uuid:dose_id>/not-given/", not_given, name="not-given"),
    path("doses/<uuid:dose_id>/decide/", decide, name="decide"),
]
