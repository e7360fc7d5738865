"""What a release looks at, as lines to read: the value now, and whether it stops, is to be seen, or is in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.safestring import SafeString

from patients.models import PrecautionKind, WeightMeasurement
from patients.refusal import Refusal
from patients.rules import weight_change
from regimens.actions import findings, orders, papers, releases, risks
from regimens.actions.around import Around
from regimens.actions.charting import Chart
from regimens.actions.previous import signature_under
from regimens.actions.releases import Check
from regimens.domain.clock import local_day
from regimens.domain.units import with_unit
from regimens.forms.outside import given_text
from regimens.models import LabResult, PlannedDose, ResultKind, RiskReview
from regimens.templatetags import display
from regimens.views.rows import consent_text, payer_text

TWO = 2  # how many values of each result and weight are shown: the last and the one before
MARKS = {"stop": ("stop", "Stops"), "see": ("overdue", "See"), "ok": ("given", "In order"), "none": ("planned", "None")}


@dataclass(frozen=True, slots=True)
class Row:
    """One line. ``links`` are (words, address) of where it is put right; ``is_none`` is nothing on record, and nothing asked for."""

    title: str
    lines: tuple[str, ...]
    stop: Refusal | None = None
    see: str = ""
    links: tuple[tuple[str, str], ...] = ()
    is_none: bool = False

    @property
    def mark(self) -> SafeString:
        """Stops, to be seen, in order, or nothing on record."""
        return display.format_status(*MARKS["stop" if self.stop else "see" if self.see else "none" if self.is_none else "ok"])


def rows_of(chart: Chart, dose: PlannedDose, around: Around, checks: Iterable[Check], now: datetime) -> list[Row]:
    """All lines, in the order in which they are read."""
    stops = {check.name: check.stop for check in checks}
    zone = chart.centre.time_zone
    patient = [chart.patient.pk]
    questions = findings.result_questions(around.results, around.given_at(chart))
    asked = tuple(("Answer", reverse(question.url_name, args=[question.pk])) for question in questions)
    rows = [
        _plan(dose, stops, zone),
        _weight(dose, around, stops, zone),
        _order(dose, around, stops, zone),
        *_results(dose, around, stops, asked, zone, now),
        _answers(dose, around, stops["precautions"], patient, zone),
        _risks(chart, dose, around, now),
        _removals(around, stops["removals"], patient, now, zone),
        _elsewhere(around, stops["outside"], patient, zone),
        _consent(chart, around, stops["consent"], dose),
        _authorization(dose, around, zone),
        _booking(dose, now, zone),
    ]
    if releases.is_treatment(dose):
        rows.insert(3, _load(chart, dose, around, now))
    is_signed = signature_under(around.intervals, chart.previous()) is not None
    if (earliest := releases.earliest_start(chart, dose, now)) is not None and not is_signed:
        text = f"Kept from {display.format_instant(earliest, zone)}"
        link = (("Shorter, signed", reverse("interval-release", args=[dose.pk])),)
        rows.append(Row("Minimum interval", (text,), see="Too soon now; a start waits until then.", links=link))
    return rows


def _first(*stops: Refusal | None) -> Refusal | None:
    return next((stop for stop in stops if stop is not None), None)


def _plan(dose: PlannedDose, stops: dict[str, Refusal | None], zone: str) -> Row:
    signed = f"Verified {display.format_instant(dose.verified_at, zone)}" if dose.verified_at else "Not verified"
    return Row("Plan", (signed,), _first(stops["patient"], stops["status"], stops["signature"], stops["overtaken"]))


def _weight(dose: PlannedDose, around: Around, stops: dict[str, Refusal | None], zone: str) -> Row:
    weights = around.latest_weights[:TWO]
    lines = [f"Dose computed from {display.format_unit(dose.weight_kg, 'kg')}"]
    lines += [f"{display.format_unit(w.weight_kg, 'kg')}, {display.format_instant(w.measured_at, zone)}" for w in weights]
    lines += _trend(weights)
    link = (("Weigh", reverse("weight-new", args=[dose.course.patient_id])),)
    return Row("Weight", tuple(lines), _first(stops["stale"], stops["weight"]), links=link)


def _trend(weights: Sequence[WeightMeasurement]) -> list[str]:
    if len(weights) < TWO:
        return []
    latest, before = weights
    return [f"Trend {weight_change(before.weight_kg, latest.weight_kg).percent_text}"]


def _order(dose: PlannedDose, around: Around, stops: dict[str, Refusal | None], zone: str) -> Row:
    order = next(iter(around.orders), None)
    if order is None:
        return Row("Order", ("None active",), stops["order"])
    ordered = display.format_instant(order.ordered_at, zone)
    lines = [f"{order.person}, {ordered}, {order.get_mode_display().lower()}"]
    see = ""
    if order.signed_at:
        lines.append(f"Signed {display.format_instant(order.signed_at, zone)}")
    else:
        see = f"Not signed yet: by {display.format_instant(orders.cosign_by(order, dose.course.monograph.to_domain()), zone)}"
    if order.expires_on:
        lines.append(f"Good until {display.format_day(order.expires_on)}")
    return Row("Order", tuple(lines), stops["order"], see)


def result_lines(results: Sequence[LabResult], kind: ResultKind, zone: str) -> tuple[str, ...]:
    """The last two results of a kind, newest first: "1.4 mg per dL, 22-Nov-2026 06:00"."""
    last = [row for row in results if row.kind == kind][-TWO:]
    return tuple(f"{findings.value_text(row)}, {display.format_instant(row.sampled_at, zone)}" for row in reversed(last))


def _results(
    dose: PlannedDose,
    around: Around,
    stops: dict[str, Refusal | None],
    asked: tuple[tuple[str, str], ...],
    zone: str,
    now: datetime,
) -> list[Row]:
    missing = releases.missing_results(dose, around.results, now)
    add = (("Results", reverse("results", args=[dose.course.patient_id])),)
    rows = []
    for kind in (*releases.LOOKED_AT, ResultKind.CMV_PCR):
        lines = result_lines(around.results, kind, zone)
        first = kind == ResultKind.CREATININE
        stop = _first(stops["results"], stops["creatinine"]) if first else None
        see = "No recent one: enter it, or say why there is none." if kind in missing else ""
        links = (*add, *asked) if first else add
        name = findings.PLAUSIBLE[kind].name
        rows.append(Row(name, lines or (display.NOT_RECORDED,), stop, see, links, is_none=not lines))
    return rows


def _answers(dose: PlannedDose, around: Around, stop: Refusal | None, patient: list, zone: str) -> Row:
    since = [row for row in around.answers if dose.verified_at is not None and row.recorded_at > dose.verified_at]
    lines = [
        f"{PrecautionKind(row.kind).label}: {row.get_answer_display().lower()}, {display.format_instant(row.recorded_at, zone)}"
        for row in since
    ]
    see = "Answered anew since the plan was signed." if since else ""
    link = (("Precautions", reverse("precautions", args=patient)),)
    return Row("Contraindications", tuple(lines) or ("Nothing new since the plan was signed",), stop, see, link)


def _risks(chart: Chart, dose: PlannedDose, around: Around, now: datetime) -> Row:
    review = next(iter(around.reviews), None)
    value = dose.course.monograph.to_domain()
    today = local_day(now, chart.centre.time_zone)
    transplant = dose.course.transplant
    transplant.patient = chart.patient
    shown = risks.screening_of(transplant, value, around.answers, review, today)
    link = (("Checklist", reverse("risks", args=[chart.patient.pk])),)
    if review is None:
        return Row("Risks", tuple(f.sentence for f in shown.cautions), None, "The checklist was not answered yet.", link)
    named = ", ".join(RiskReview.FACTORS[factor].lower() for factor in review.factors) or "none present"
    lines = [f"Checklist of {display.format_instant(review.recorded_at, chart.centre.time_zone)}: {named}"]
    lines += [finding.sentence for finding in shown.cautions]
    lines += [review.prescriber_statement] if review.prescriber_statement else []
    see = "A prescriber has not stated that it is clearly needed." if risks.lacks_statement(around.answers, review) else ""
    return Row("Risks", tuple(lines), None, see, link)


def _load(chart: Chart, dose: PlannedDose, around: Around, now: datetime) -> Row:
    load = releases.load_of(chart, dose, around, now)
    since = now - timedelta(days=load.days)
    unknown = any(row.given_mg is None and row.given_at > since for row in around.outside)
    lines = (
        f"{'at least ' if unknown else ''}{with_unit(load.mg_per_kg, 'mg per kg', 1)} with this dose",
        with_unit(load.ml_per_kg, "mL per kg", 1),
        f"{with_unit(load.sucrose_mg_per_kg or 0, 'mg per kg', 1)} sucrose",
    )
    return Row(f"Load of {load.days} days", lines, None, "Fluid state is asked below.")


def _removals(around: Around, stop: Refusal | None, patient: list, now: datetime, zone: str) -> Row:
    near = [row for row in around.removals if row.at >= now] or around.removals[-1:]
    lines = [f"{row.get_kind_display()}, {display.format_instant(row.at, zone)}" for row in near]
    links = [("Antibody removal", reverse("removals", args=patient))]
    if stop is not None:
        links += [("Answer", reverse("removal-decide", args=[row.pk])) for row in near if not row.decision][:1]
    return Row("Antibody removal", tuple(lines) or ("None on record",), stop, links=tuple(links))


def _elsewhere(around: Around, stop: Refusal | None, patient: list, zone: str) -> Row:
    lines = [f"{row.get_product_display()}, {given_text(row, zone)}" for row in around.outside[-TWO:]]
    link = (("Given elsewhere", reverse("outside-doses", args=patient)),)
    return Row("Doses elsewhere", tuple(lines) or ("None on record",), stop, links=link)


def _consent(chart: Chart, around: Around, stop: Refusal | None, dose: PlannedDose) -> Row:
    consent = next(iter(around.consents), None)
    link = (("Papers", reverse("papers", args=[dose.course_id])),)
    if consent is None:
        words = "None on record" if stop else "None on record; this center does not ask for one"
        return Row("Consent", (words,), stop, links=link, is_none=True)
    return Row("Consent", (consent_text(consent),), stop, links=link)


def _authorization(dose: PlannedDose, around: Around, zone: str) -> Row:
    row = next(iter(around.authorizations), None)
    link = (("Papers", reverse("papers", args=[dose.course_id])),)
    if row is None:
        return Row("Authorization and vials", (display.NOT_RECORDED,), None, "Not recorded.", link)
    green = papers.pays(row, dose) and papers.has_vials(row, dose, zone)
    return Row("Authorization and vials", (payer_text(row),), None, "" if green else "Not there for this dose.", link)


def _booking(dose: PlannedDose, now: datetime, zone: str) -> Row:
    link = (("Booking", reverse("booking", args=[dose.pk])),)
    if dose.booked_for is None:
        see = "" if dose.in_hours else "The patient is not booked."  # a window in hours is given at once
        return Row("Booking", ("None",), None, see, link, is_none=True)
    lines = (f"{display.format_instant(dose.booked_for, zone)}, {dose.booked_place}",)
    late = dose.booked_for > now and releases.expected_start(dose, now) != dose.booked_for
    return Row("Booking", lines, None, "A release of now does not last until then." if late else "", link)
