"""What stands beside the courses on a chart: results with their trend, live vaccines, risks, doses elsewhere, and what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse

from patients.models import Membership, Transplant
from patients.roles import may
from regimens.actions import findings, outside
from regimens.domain import screening
from regimens.domain.clock import local_day
from regimens.domain.monograph import Monograph as MonographValue
from regimens.models import LabResult, Monograph, OutsideDose, ResultKind, RiskReview
from regimens.templatetags import display
from regimens.views.chart_facts import ChartFacts
from regimens.views.rows import short_title

# What the chart shows of the results, in this order; all of them stand on their own page.
SHOWN_KINDS = (ResultKind.CMV_IGG, ResultKind.CMV_PCR, ResultKind.CREATININE, ResultKind.IGA)


@dataclass(frozen=True, slots=True)
class ResultLine:
    """The last result of a kind: its value, when it was sampled, how it went, and what must be known with it."""

    name: str
    value: str
    sampled: str
    trend: str
    caution: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a prescriber is asked: the sentence and where it is answered ("" for who may not)."""

    sentence: str
    url: str


def result_lines(facts: ChartFacts, zone: str) -> list[ResultLine]:
    """The last value of each kind that is on record."""
    first_on = local_day(facts.given_at[0], zone) if facts.given_at else None
    lines = []
    for kind in SHOWN_KINDS:
        rows = [row for row in facts.results if row.kind == kind]
        if not rows:
            continue
        last = rows[-1]
        passive = kind == ResultKind.CMV_IGG and screening.is_antibody_passive(
            sampled_on=local_day(last.sampled_at, zone), first_dose_on=first_on
        )
        lines.append(
            ResultLine(
                name=findings.PLAUSIBLE[kind].name,
                value=findings.value_text(last),
                sampled=display.format_instant(last.sampled_at, zone),
                trend=_trend(rows),
                caution="may be passive: sampled after the first dose" if passive else "",
            )
        )
    return lines


def _trend(rows: Sequence[LabResult]) -> str:
    """ "up from 1.1", "unchanged", "before: Negative"; "" for a single result."""
    if len(rows) < 2:
        return ""
    before, last = rows[-2], rows[-1]
    if before.value is None or last.value is None:
        return (
            "unchanged"
            if findings.value_text(before) == findings.value_text(last)
            else f"before: {findings.value_text(before)}"
        )
    if before.value == last.value:
        return "unchanged"
    return f"{'▲ up' if last.value > before.value else '▼ down'} from {display.format_number(before.value)}"


# Live vaccines ---------------------------------------------------------------------------------------------------------------


def vaccines(facts: ChartFacts, monograph: Monograph | None, zone: str) -> dict[str, Any] | None:
    """Until when antibody given here or elsewhere may blunt a live vaccine; None before the first dose.

    An amount that nobody knows counts as a high one, so that the date is never too early.
    """
    if monograph is None or not facts.given_at:
        return None
    value = monograph.to_domain()
    last_on = local_day(facts.given_at[-1], zone)
    found = screening.vaccine_interference(last_given_on=last_on, highest_mg_per_kg=_highest(facts, value), monograph=value)
    return {
        "sentence": found.sentence,
        "last": display.format_day(last_on),
        "steps": found.working.to_json(),
        "version": monograph.version,
        "is_unknown": any(row.given_mg is None for row in facts.outside),
    }


def _highest(facts: ChartFacts, value: MonographValue) -> Decimal:
    """The highest dose given, in mg per kg of the weight it was given at."""
    high = value.limit("vaccine_high_dose_mg_per_kg").value
    per_ml = value.product.concentration_mg_per_ml
    weight = facts.latest_weight
    amounts = []
    for row in facts.counted:
        weight_kg = row.dose.weight_kg if row.dose_id and row.dose else weight.weight_kg if weight else None
        if row.volume_ml and weight_kg:
            amounts.append(row.volume_ml * per_ml / weight_kg)
        elif row.dose_id and row.dose:
            amounts.append(row.dose.mg_per_kg)  # running, or struck out and disputed: what was planned
    amounts += [row.given_mg / weight.weight_kg if row.given_mg and weight else high for row in facts.outside]
    return max(amounts, default=high)


# Risks, doses elsewhere, removals --------------------------------------------------------------------------------------------


def risk_lines(review: RiskReview | None, zone: str) -> list[tuple[str, str]]:
    """The answered checklist: label and answer; [] while it is not answered."""
    if review is None:
        return []
    factors = ", ".join(RiskReview.FACTORS[code] for code in review.factors) or "None of the list"
    pregnancy = review.get_pregnancy_display() + (
        f" on {display.format_day(review.pregnancy_on)}" if review.pregnancy_on else ""
    )
    lines = [("Kidney and clots", factors), ("Pregnancy", pregnancy)]
    if review.prescriber_statement:
        lines.append(("Prescriber", review.prescriber_statement))
    by = f"{review.recorded_by.user.printed_name}, {display.format_instant(review.recorded_at, zone)}"
    return [*lines, ("Answered", by)]


def infusion_lines(facts: ChartFacts, zone: str) -> list[dict[str, Any]]:
    """Infusions recorded here, the newest first."""
    return [
        {
            "record": row,
            "started": display.format_instant(row.started_at, zone),
            "what": short_title(row.dose.title) if row.dose_id and row.dose else "Unplanned",
        }
        for row in facts.records
    ]


def outside_lines(facts: ChartFacts, zone: str) -> list[dict[str, str]]:
    """Immune globulin given elsewhere."""
    return [
        {
            "when": display.format_told(row.given_at, zone, is_time_known=row.is_time_known),
            "what": row.get_product_display(),
            "mg": display.format_unit(row.given_mg, "mg") if row.given_mg is not None else "Amount not known",
            "source": row.said_by,
            "decision": OutsideDose.DECISIONS.get(row.decision, ""),
        }
        for row in facts.outside
    ]


def questions(facts: ChartFacts, value: MonographValue | None, by: Membership, zone: str) -> Iterator[Question]:
    """What results, antibody removals and doses given elsewhere ask a prescriber now."""
    decides = may(by, "decide_finding")
    asked = findings.result_questions(facts.results, facts.given_at)
    if value is not None:
        booked = [
            dose.booked_for
            for course in facts.courses
            if not course.stopped_at
            for dose in facts.doses[course.pk]
            if dose.booked_for is not None and not dose.settled_at
        ]
        asked += findings.removal_questions(facts.removals, facts.given_at, booked, value)
    for question in asked:
        yield Question(question.sentence, reverse(question.url_name, args=[question.pk]) if decides else "")
    for row in _undecided_elsewhere(facts):
        sentence = (
            f"CMV immune globulin was given elsewhere on {display.format_day(local_day(row.given_at, zone))}: "
            "does it count as the initial dose?"
        )
        yield Question(sentence, reverse("outside-dose-decide", args=[row.pk]) if decides else "")


def _undecided_elsewhere(facts: ChartFacts) -> list[OutsideDose]:
    return [row for row in facts.outside if any(outside.asks(row, graft) for graft in _waiting_grafts(facts))]


def _waiting_grafts(facts: ChartFacts) -> Iterator[Transplant]:
    """The transplants whose initial dose is still open: after it was settled, what came before it is answered by what was done."""
    for graft in facts.transplants:
        courses = [course for course in facts.courses if course.transplant_id == graft.pk and not course.stopped_at]
        if all(not facts.doses[course.pk] or not facts.doses[course.pk][0].settled_at for course in courses):
            yield graft


def running_transplants(facts: ChartFacts, by: Membership, zone: str, now: datetime) -> list[dict[str, Any]]:
    """The transplants, each with the order that waits for its course and what is to be done next."""
    courses = {course.transplant_id for course in facts.courses if not course.stopped_at}
    waiting = {order.transplant_id: order for order in facts.orders if order.course_id is None}
    today = local_day(now, zone)
    rows = []
    for graft in facts.transplants:
        order = waiting.get(graft.pk)
        pair = screening.risk_group(donor_igg=graft.donor_cmv_igg, recipient_igg=graft.recipient_cmv_igg, organs=graft.organs)
        rows.append(
            {
                "graft": graft,
                "pair": pair.pair,
                "risk": pair.sentence,
                "day": (today - local_day(graft.reperfusion_at, graft.zone_name)).days,
                "order": f"{order.prescriber.user.printed_name}, {display.format_instant(order.ordered_at, zone)}"
                if order
                else "",
                "order_age": display.format_elapsed(order.ordered_at, now) if order else "",
                "order_unsigned": bool(order and not order.signed_at),
                "may_order": may(by, "order") and graft.pk not in courses,
                "may_build": may(by, "build") and graft.pk not in courses,
            }
        )
    return rows
