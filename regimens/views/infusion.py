"""Log an infusion: start it now, or record one that was given; for a planned dose, or outside a plan."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.access import patient_for
from patients.models import Patient
from patients.refusal import Refusal
from patients.roles import may, require
from patients.signing import signed_by
from regimens.access import dose_for
from regimens.actions import departures, findings, infusions, missed, planning, releases
from regimens.actions.around import read_around
from regimens.actions.charting import Chart, read_dose
from regimens.actions.infusions import AlreadyRecorded
from regimens.actions.parts import VialFacts
from regimens.domain.infusion import InfusionPlan
from regimens.domain.reasons import Refused
from regimens.forms.infusion import GivenForm, ReactionRows, StartForm, VialRows, VitalsRows
from regimens.forms.missed import OmitForm
from regimens.models import Administration, Decision, MissedDoseDecision, Moment, PlannedDose
from regimens.templatetags import display
from regimens.views.frame import add_refusal, attempt, patient_frame
from regimens.views.infusion_record import infusion
from regimens.views.infusion_rows import plan_rows
from regimens.views.release import release_text
from regimens.views.release_rows import result_lines
from regimens.views.rows import basis_text

WAYS = ("start", "given")
OMIT = "omit"


def log(request: HttpRequest, dose_id: uuid.UUID) -> HttpResponse:
    """Start a planned dose now, or record that it was given (``?way=given``). A prescriber omits an earlier, missed one here."""
    dose = dose_for(request.membership, dose_id)
    way = request.POST.get("way", "") if request.method == "POST" else request.GET.get("way", "")
    decides = way == OMIT if request.method == "POST" else may(request.membership, "decide_missed")
    require(request.membership, "decide_missed" if decides else "log_infusion")
    now = timezone.now()
    chart = read_dose(dose)
    assert chart.dose is not None  # read_dose always finds it
    if request.method != "POST" and (live := chart.live_record(chart.dose)) is not None:
        return redirect("infusion", administration_id=live.pk)
    if chart.dose.pk != dose.pk:
        messages.info(request, "This dose was recalculated. This is its current version.")
        return redirect("infusion-log", dose_id=chart.dose.pk)
    page = _Page(request, chart, chart.dose, now)
    if request.method == "POST":
        return page.omit() if way == OMIT else page.start() if way == "start" else page.given()
    return page.answer(way if way in WAYS and (way != "start" or page.may_start) else page.default_way)


class _Page:
    """The page of one dose at one instant."""

    def __init__(self, request: HttpRequest, chart: Chart, dose: PlannedDose, now: datetime) -> None:
        self.request, self.chart, self.dose, self.now = request, chart, dose, now
        self.around = read_around(chart, dose)
        self._show_table()
        self.may_log = may(request.membership, "log_infusion")
        self.may_start = may(request.membership, "start_infusion")
        self.undecided = [
            row for row in chart.doses if not row.settled_as and row.number < dose.number and row.closes_at <= now
        ]
        self.stop = self._stop()

    def _show_table(self, lots: Collection[str] = ()) -> None:
        self.table = departures.rate_table_for(self.chart, self.dose, self.now, lots)
        self.plan: InfusionPlan = planning.infusion_plan_of(self.dose, self.table.code)

    def _stop(self) -> Refusal | Refused | None:
        """What would stop a start now, said before anything is typed."""
        try:
            departures.refuse_start(
                self.chart,
                self.dose,
                self.around,
                sheet_code=planning.sheet_code(self.dose),
                plan=self.plan,
                vial_entered_at=None,
                in_stages=True,
                vials=(),
                at=self.now,
            )
        except (Refusal, Refused) as refused:
            return refused
        return None

    @property
    def default_way(self) -> str:
        """Start where that is possible, else record; a prescriber reads."""
        if not self.may_log:
            return ""
        return "start" if self.may_start and self.stop is None else "given"

    def _pre_dose(self, zone: str) -> list[dict[str, str]]:
        """The last two creatinines, BUNs and urine outputs, and a prescriber's "slower"."""
        results = self.around.results
        rows = [
            {"label": findings.PLAUSIBLE[kind].name, "value": "; before: ".join(result_lines(results, kind, zone))}
            for kind in releases.LOOKED_AT
        ]
        risen = findings.rise_of(results, self.around.given_at(self.chart))
        if risen is not None and risen[1].answer == "slower":
            rows.append({"label": "Prescriber", "value": "Give slower: creatinine has risen since before the last dose"})
        return rows

    def _start_form(self, data: Any = None) -> StartForm:
        given: dict[str, Any] = {
            "by": self.request.membership,
            "now": self.now,
            "zone_name": self.chart.centre.time_zone,
            "may_stage": self.plan.exceeds_finish_limit,
            "needs_lot": departures.needs_lot(self.chart, self.table),
            "auto_id": "id_start_%s",
        }
        if data is not None:
            return StartForm(data, **given)
        return StartForm(initial={"token": uuid.uuid4(), "given_by": self.request.membership.pk}, **given)

    def start(self) -> HttpResponse:
        """Start now."""
        require(self.request.membership, "start_infusion")
        form = self._start_form(self.request.POST)
        if not form.is_valid():
            return self.answer("start", start=form, status=422)
        data = form.cleaned_data
        if data["lot_number"]:  # a new lot may take another table: what is shown next is what would be started
            self._show_table([data["lot_number"].strip()])

        def act() -> Administration:
            return infusions.start_infusion(
                dose=self.dose,
                token=data["token"],
                mrn_tail=data["mrn_tail"],
                birth_year=data["birth_year"],
                sheet_code=data["sheet_code"],
                given_by=data["given_by"],
                vial_entered_at=data["vial_entered_at"],
                in_stages=data.get("in_stages", False),
                rate_ml_per_h=data["rate_ml_per_h"],
                vials=self._first_vial(data),
                vitals=form.vitals(self.now, Moment.BEFORE) if form.has_vitals() else None,
                shown_table=self.request.POST.get("shown_table", ""),
                by=self.request.membership,
                at=self.now,
            )

        done = f"Started: dose {self.dose.number}, {display.format_unit(self.dose.dose_mg, 'mg')}."
        return carry_out(self.request, form, act, done, lambda **shown: self.answer("start", start=form, **shown))

    def _first_vial(self, data: dict[str, Any]) -> list[VialFacts]:
        """The first vial, hung whole unless the dose is smaller."""
        if not data["lot_number"]:
            return []
        size = planning.amount_of(self.dose).vial_ml
        return [VialFacts(data["lot_number"], data["expires_on"], min(size, self.dose.draw_ml))]

    def given(self) -> HttpResponse:
        """Record it as given."""
        value = self.dose.course.monograph.to_domain()
        forms_ = given_forms(self.request, self.chart.patient, value, self.now, self.request.POST)
        if not all_valid(forms_):
            return self.answer("given", given=forms_, status=422)
        facts = given_facts(forms_)
        data = forms_["form"].cleaned_data

        def act() -> Administration:
            return infusions.log_given(
                dose=self.dose,
                sheet_code=data["sheet_code"],
                stopped_early_reason=data["stopped_early_reason"],
                by=self.request.membership,
                at=self.now,
                **facts,
            )

        done = f"Recorded: dose {self.dose.number}, {display.format_unit(self.dose.dose_mg, 'mg')}."
        return carry_out(self.request, forms_["form"], act, done, lambda **shown: self.answer("given", given=forms_, **shown))

    def _omit_form(self, row: PlannedDose, data: Any = None) -> OmitForm | None:
        """The order to omit a missed dose, for who may sign it."""
        if not may(self.request.membership, "decide_missed"):
            return None
        value = self.dose.course.monograph.to_domain()
        return OmitForm(data, value=value, prefix=row.pk.hex, auto_id="id_omit_%s")

    def omit(self) -> HttpResponse:
        """Omit a dose that was missed before this one, by one signed order."""
        row = next((row for row in self.undecided if row.pk.hex == self.request.POST.get("missed")), None)
        if row is None:
            messages.info(self.request, "Nothing waits for a decision before this dose.")
            return redirect("infusion-log", dose_id=self.dose.pk)
        form = self._omit_form(row, self.request.POST)
        assert form is not None  # the role was required

        def act() -> MissedDoseDecision | None:
            data = form.cleaned_data
            signed_by(self.request, data.pop("password"))
            return missed.decide(dose=row, decision=Decision.OMIT, by=self.request.membership, at=self.now, **data)

        if attempt(form, act) is None:
            return self.answer(self.default_way, omit=form, status=422)
        messages.success(self.request, f"Signed: dose {row.number} is omitted.")
        return redirect("infusion-log", dose_id=self.dose.pk)

    def answer(
        self,
        way: str,
        *,
        start: StartForm | None = None,
        given: dict[str, Any] | None = None,
        refusal: Any = None,
        omit: OmitForm | None = None,
        first: uuid.UUID | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """The page with one of its two ways open."""
        dose, zone = self.dose, self.chart.centre.time_zone
        url = reverse("infusion-log", args=[dose.pk])
        ways = (("start", "Start now"), ("given", "Already given"))
        value = dose.course.monograph.to_domain()
        context = patient_frame(self.chart.patient, self.now, self.around.answers) | {
            "dose": dose,
            "dose_text": display.format_unit(dose.dose_mg, "mg"),
            "volume_text": display.format_unit(dose.draw_ml, "mL"),
            "basis": basis_text(dose),
            "undecided": [
                (row, omit if omit and omit.prefix == row.pk.hex else self._omit_form(row)) for row in self.undecided
            ],
            "plan": self.plan,
            "plan_rows": plan_rows(self.plan),
            "table_code": self.table.code,
            "table_title": value.rate_table(self.table.code).title,
            "table_steps": self.table.working.to_json(),
            "total": display.format_minutes(self.plan.pump_total_minutes),
            "begin_within": display.format_minutes(self.plan.begin_within),
            "finish_within": display.format_minutes(self.plan.must_finish_after_entry),
            "stop": self.stop if way == "start" else None,
            "released": release_text(dose, self.around, zone),
            "pre_dose": self._pre_dose(zone),
            "way": way,
            "tabs": [
                {"label": label, "url": f"{url}?way={code}", "current": code == way}
                for code, label in ways
                if self.may_start or (code == "given" and self.may_log)
            ],
            "start": start or (self._start_form() if way == "start" else None),
            "given": given or (given_forms(self.request, self.chart.patient, value, self.now) if way == "given" else None),
            "refusal": refusal,
            "first": first,
            "zone": zone,
        }
        return render(self.request, "regimens/infusion_log.html", context, status=status)


def unplanned(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Record an infusion outside a plan: an additional dose, or one without a course."""
    patient = patient_for(request.membership, patient_id)
    require(request.membership, "log_infusion")
    now = timezone.now()
    value = planning.published().to_domain()
    posted = request.POST if request.method == "POST" else None
    forms_ = given_forms(request, patient, value, now, posted, is_planned=False)

    def answer(refusal: Any = None, first: uuid.UUID | None = None, status: int = 200) -> HttpResponse:
        context = patient_frame(patient, now) | {"given": forms_, "refusal": refusal, "first": first}
        return render(request, "regimens/infusion_unplanned.html", context, status=status)

    if request.method != "POST":
        return answer()
    if not all_valid(forms_):
        return answer(status=422)
    facts = given_facts(forms_)

    def act() -> Administration:
        return infusions.log_unplanned(patient=patient, by=request.membership, at=now, **facts)

    return carry_out(request, forms_["form"], act, "Recorded: an infusion outside the plan.", answer)


# The form for what was given ---------------------------------------------------------------------------------------------


def given_forms(
    request: HttpRequest, patient: Patient, value: Any, now: datetime, data: Any = None, *, is_planned: bool = True
) -> dict[str, Any]:
    """The form of an infusion given before, with its rows of vials, vital signs and reactions."""
    timed = {"now": now, "zone_name": patient.centre.time_zone}
    shared: dict[str, Any] = {"by": request.membership, "is_planned": is_planned, "auto_id": "id_given_%s", **timed}
    if data is not None:
        form = GivenForm(data, **shared)
    else:
        giver = request.membership.pk if may(request.membership, "start_infusion") else None
        form = GivenForm(initial={"token": uuid.uuid4(), "given_by": giver}, **shared)
    return {
        "form": form,
        "vials": VialRows(data, prefix="vials"),
        "vitals": VitalsRows(data, prefix="vitals", form_kwargs=timed),
        "reactions": ReactionRows(data, prefix="reactions", form_kwargs=timed | {"terms": value.reactions}),
    }


def all_valid(forms_: dict[str, Any]) -> bool:
    """Every part is checked, so that every error is shown at once."""
    answers = [part.is_valid() for part in forms_.values()]
    return all(answers)


def given_facts(forms_: dict[str, Any]) -> dict[str, Any]:
    """What the actions take, from a valid form and its rows."""
    data = forms_["form"].cleaned_data

    def rows(part: Iterable[Any], read: str) -> list[Any]:
        return [found for row in part if (found := getattr(row, read)()) is not None]

    return {
        "token": data["token"],
        "mrn_tail": data["mrn_tail"],
        "birth_year": data["birth_year"],
        "started_at": data["started_at"],
        "ended_at": data["ended_at"],
        "volume_ml": data["volume_ml"],
        "given_by": data["given_by"],
        "vial_entered_at": data["vial_entered_at"],
        "reason": data["reason"],
        "vials": rows(forms_["vials"], "vial"),
        "vitals": rows(forms_["vitals"], "row"),
        "reactions": rows(forms_["reactions"], "reaction"),
    }


def carry_out(
    request: HttpRequest, form: forms.Form, act: Callable[[], Administration], done: str, answer: Callable[..., HttpResponse]
) -> HttpResponse:
    """Do it and show the record; a refusal is shown with the form. 409 and the way to the record where somebody was first."""
    try:
        record = act()
    except AlreadyRecorded as refused:
        return answer(refusal=refused, first=refused.record_id, status=409)
    except (Refusal, Refused) as refused:
        return answer(refusal=add_refusal(form, refused), status=422)
    messages.success(request, done)
    return redirect("infusion", administration_id=record.pk)


urls = [
    path("doses/<uuid:dose_id>/infusion/", log, name="infusion-log"),
    path("patients/<uuid:patient_id>/infusion/", unplanned, name="infusion-unplanned"),
    path("infusions/<uuid:administration_id>/", infusion, name="infusion"),
]
