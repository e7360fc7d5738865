"""Missed doses: the list of those nobody has decided about, and the case of one with its options side by side.

The pages show what each choice would do. They recommend nothing and choose nothing beforehand.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients import when
from patients.models import Centre
from patients.refusal import Refusal
from patients.roles import may, require
from regimens.access import dose_for
from regimens.actions import missed, notices
from regimens.actions.charting import Chart, read_dose
from regimens.domain import missed as domain
from regimens.domain.reasons import Refused, source_text
from regimens.domain.units import number
from regimens.forms.missed import DecideForm
from regimens.models import Decision, MissedDoseDecision, PlannedDose
from regimens.templatetags import display
from regimens.views.frame import patient_frame
from regimens.views.infusion_record import add_refusal

MOST_ROWS = 200
MISSED_SECTION = "missed_dose"


def missed_list(request: HttpRequest) -> HttpResponse:
    """Doses of this centre whose window closed without a record, the longest first."""
    require(request.membership, "read_charts")
    now = timezone.now()
    centre = request.membership.centre
    context = {
        "rows": undecided(centre, now),
        "as_of": display.format_clock(now, centre.time_zone),
        "decides": may(request.membership, "decide_missed"),
        "unsent": notices.unsent(centre, now),
    }
    return render(request, "regimens/_missed.html" if request.htmx else "regimens/missed.html", context)


def undecided(centre: Centre, now: datetime) -> list[dict[str, str]]:
    """The rows of the list in one statement, by closing instant."""
    found = (
        PlannedDose.objects.filter(centre=centre, settled_at=None, closes_at__lte=now, course__patient__closed_at=None)
        .select_related("course__patient")
        .order_by("closes_at", "pk")[:MOST_ROWS]
    )
    return [
        {
            "name": display.format_name(dose.course.patient.family_name, dose.course.patient.given_name),
            "born": display.format_day(dose.course.patient.birth_on),
            "mrn": display.format_mrn(dose.course.patient.mrn),
            "ward": dose.course.patient.ward,
            "dose": f"Dose {dose.number}, {dose.title}",
            "amount": display.format_unit(dose.dose_mg, "mg"),
            "closed": display.format_instant(dose.closes_at, centre.time_zone),
            "since": display.format_minutes(int((now - dose.closes_at).total_seconds() // 60)),
            "url": reverse("decide", args=[dose.pk]),
        }
        for dose in found
    ]


def decide(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """The case of one missed dose; a prescriber signs a decision on it."""
    dose = dose_for(request.membership, dose_id)
    require(request.membership, "read_charts")
    now = timezone.now()
    chart = read_dose(dose)
    own = next(row for row in chart.doses if row.pk == dose.pk)
    try:
        missed.refuse_unless_missed(chart, own, now)
    except Refusal as refused:
        return _closed_case(request, chart, own, refused, now)
    if request.method == "POST":
        require(request.membership, "decide_missed")
        return _sign(request, chart, own, now)
    give_on = _day_asked(request, chart, now)
    return _case(request, chart, own, now, give_on=give_on)


def _day_asked(request: HttpRequest, chart: Chart, now: datetime) -> date | None:
    """The day whose effects the address asks for; a mangled or impossible one is the earliest day."""
    try:
        asked = when.parse_day(request.GET.get("give_on", ""))
        missed.options_for(chart, now, asked)
    except (Refusal, Refused):
        return None
    return asked


def _sign(request: HttpRequest, chart: Chart, dose: PlannedDose, now: datetime) -> HttpResponse:
    options = missed.options_for(chart, now)
    form = _form(request, chart, options, request.POST)
    refusal = None
    if form.is_valid():
        data = form.cleaned_data
        try:
            made = missed.decide(
                dose=dose,
                decision=data["decision"],
                give_on=data["give_on"],
                reason_code=data["reason_only_code"],
                reason=data["reason"],
                reached_by=data["reached_by"],
                by=request.membership,
                at=now,
            )
        except (Refusal, Refused) as refused:
            refusal = add_refusal(form, refused)
        else:
            after = " A pharmacist verifies the new row." if made.decision == Decision.GIVE_LATE else ""
            messages.success(request, f"Signed: {made.get_decision_display().lower()}, dose {dose.number}.{after}")
            return redirect("chart", patient_id=chart.patient.pk)
    return _case(request, chart, dose, now, form=form, refusal=refusal, status=422)


def _form(request: HttpRequest, chart: Chart, options: dict[Decision, domain.Option], data: Any = None) -> DecideForm:
    assert chart.course is not None
    available = [decision for decision, option in options.items() if option.is_available]
    reasons = chart.course.monograph.to_domain().reasons
    return DecideForm(data, reasons=reasons, available=available, user=request.user)


def _case(
    request: HttpRequest,
    chart: Chart,
    dose: PlannedDose,
    now: datetime,
    *,
    give_on: date | None = None,
    form: DecideForm | None = None,
    refusal: Any = None,
    status: int = 200,
) -> HttpResponse:
    assert chart.course is not None
    zone = chart.centre.time_zone
    options = missed.options_for(chart, now, give_on)
    decides = may(request.membership, "decide_missed")
    section = next((s for s in chart.course.monograph.to_domain().sections if s.code == MISSED_SECTION), None)
    context = patient_frame(request, chart.patient, now) | {
        "dose": dose,
        "amount": display.format_unit(dose.dose_mg, "mg"),
        "closed": display.format_instant(dose.closes_at, zone),
        "closed_for": display.format_minutes(int((now - dose.closes_at).total_seconds() // 60)),
        "target": display.format_weekday_day(dose.target_on),
        "last_given": _last_given(chart, zone),
        "next_due": _next_due(chart, dose),
        "options": _side_by_side(options, zone),
        "saying": section,
        "saying_source": source_text(section.source) if section else "",
        "form": (form or _form(request, chart, options)) if decides else None,
        "refusal": refusal,
        "decides": decides,
        "asked_on": display.format_day(give_on) if give_on else "",
    }
    return render(request, "regimens/decide.html", context, status=status)


def _closed_case(request: HttpRequest, chart: Chart, dose: PlannedDose, refused: Refusal, now: datetime) -> HttpResponse:
    """Nothing is to be decided: the sentence says why, and what was decided is shown where somebody did."""
    assert chart.course is not None
    decision = MissedDoseDecision.objects.filter(dose=dose).select_related("decided_by__user").first()
    reasons = chart.course.monograph.to_domain().reasons
    kind = missed.REASON_KINDS[Decision(decision.decision)] if decision else ""
    words = next((r.sentence for r in reasons if decision and r.kind == kind and r.code == decision.reason_code), "")
    shown = {"dose": dose, "refusal": refused, "decision": decision, "reason": words}
    context = patient_frame(request, chart.patient, now) | shown
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
    return {"columns": columns, "rows": list(zip(COMPARED, zip(*values, strict=True), strict=True))}


def _values(decision: Decision, option: domain.Option, zone: str) -> list[str]:
    """One option's column; after stopping there is no next dose."""
    goes_on = decision != Decision.STOP
    return [
        display.format_instant(option.give_at, zone) if option.give_at else "—",
        display.format_day(option.latest_on) if option.latest_on else "—",
        display.format_unit(option.dose_mg, "mg") if option.dose_mg is not None else "Not given",
        _number(option.days_since_last),
        _number(option.days_to_next if goes_on else None),
        display.format_instant(option.next_opens_at, zone) if option.next_opens_at and goes_on else "—",
        number(option.mg_per_kg_in_7_days, 1),
        number(option.mg_per_kg_in_28_days, 1),
    ]


def _number(value: int | None) -> str:
    return "—" if value is None else display.format_number(value)


urls = [
    path("missed/", missed_list, name="missed"),
    path("doses/<uuid:dose_id>/decide/", decide, name="decide"),
]
