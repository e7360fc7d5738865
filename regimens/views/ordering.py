"""What the pages of an order and of a course share: everything on record for one transplant, read once, and what is shown of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse

from patients import actions as patient_actions
from patients import facts
from patients.models import Precaution, Transplant
from patients.roles import may
from regimens.actions import courses, planning
from regimens.actions.risks import screening_of
from regimens.domain import screening
from regimens.domain.clock import local_day
from regimens.domain.monograph import Monograph as MonographValue
from regimens.forms.order import Offered
from regimens.forms.outside import given_text
from regimens.models import COUNTED, Administration, Course, Monograph, Order, OutsideDose, PlannedDose, RiskReview
from regimens.models.together import attach_people, read_together
from regimens.templatetags import display
from regimens.views.frame import patient_frame
from regimens.views.ordered import ordered_rows


@dataclass(frozen=True, slots=True)
class Case:
    """What is on record for one transplant, read once."""

    transplant: Transplant
    answers: list[Precaution]
    monograph: Monograph
    value: MonographValue
    proposal: screening.Proposal
    weights: planning.Weights
    order: Order | None
    given_elsewhere: list[OutsideDose]
    others: list[Course]
    ended: Course | None  # the course of this transplant that was stopped last, and its doses
    stopped: list[PlannedDose]
    closed_days: set[date]
    had_cmvig_here: bool
    risk: RiskReview | None

    @property
    def had_cmvig(self) -> bool:
        """The answer of planning.had_cmvig_before, from the rows read."""
        return self.had_cmvig_here or any(row.product == OutsideDose.Product.CMV_IG for row in self.given_elsewhere)


def read_case(transplant: Transplant, now: datetime, answers: list[Precaution]) -> Case:
    """Everything a page about ordering or building shows and computes from, in few statements."""
    patient = transplant.patient
    monograph = planning.published()
    value = monograph.to_domain()
    ended = Course.objects.filter(transplant=transplant).exclude(stopped_at=None).order_by("-stopped_at")[:1]
    rows = read_together(
        {
            "weights": facts.valid_weights(patient)[:100],
            "order": Order.objects.filter(transplant=transplant, course=None, superseded_at=None),
            "given": OutsideDose.objects.filter(patient=patient, error_at=None).order_by("given_at", "pk"),
            "here": Administration.objects.filter(COUNTED, patient=patient)[:1],
            "others": courses.other_open_courses(patient, transplant).annotate(
                graft_number=F("transplant__number"), protocol_title=F("protocol__title")
            ),
            "ended": ended,
            "stopped": PlannedDose.objects.filter(course__in=ended.values("pk"))
            .exclude(settled_as="superseded")
            .order_by("number"),
            "risk": RiskReview.objects.filter(patient=patient, superseded_at=None),
            "closed": patient.centre.closed_days.filter(
                removed_at=None, on__gte=local_day(now, patient.centre.time_zone) - timedelta(days=150)
            ),
        }
    )
    attach_people(rows["order"])
    return Case(
        transplant=transplant,
        answers=answers,
        monograph=monograph,
        value=value,
        proposal=planning.proposal_for(transplant, value, now),
        weights=planning.weights_among(rows["weights"], transplant),
        order=rows["order"][0] if rows["order"] else None,
        given_elsewhere=rows["given"],
        others=rows["others"],
        ended=rows["ended"][0] if rows["ended"] else None,
        stopped=rows["stopped"],
        closed_days={day.on for day in rows["closed"]},
        had_cmvig_here=bool(rows["here"]),
        risk=rows["risk"][0] if rows["risk"] else None,
    )


def offered_for(request: HttpRequest, case: Case, codes: tuple[str, ...], now: datetime) -> Offered:
    """What the forms of an order and of a course may offer."""
    transplant, centre = case.transplant, request.membership.centre
    rounding = planning.rounding_of(centre, planning.age_of(transplant.patient, now))
    return Offered(
        by=request.membership,
        value=case.value,
        codes=codes,
        weights=case.weights,
        asks_antiviral=any(planning.asks_antiviral(transplant, case.value.protocol(code)) for code in codes),
        rounding_percent=display.format_unit(rounding.max_percent, "percent") if rounding else "",
    )


def record_antiviral(transplant: Transplant, data: dict[str, Any], by, now: datetime) -> None:
    """Keep with the transplant what was answered in the order."""
    patient_actions.correct_transplant(
        transplant=transplant,
        version=transplant.version,
        reason="Recorded with the order",
        antiviral=data["antiviral"],
        antiviral_started_on=data.get("antiviral_started_on"),
        by=by,
        at=now,
    )


def case_frame(request: HttpRequest, case: Case, now: datetime) -> dict:
    """What the pages of an order and of a course show of the case."""
    transplant = case.transplant
    zone = transplant.patient.centre.time_zone
    group = screening.risk_group(
        donor_igg=transplant.donor_cmv_igg, recipient_igg=transplant.recipient_cmv_igg, organs=transplant.organs
    )
    return patient_frame(transplant.patient, now, case.answers) | {
        "transplant": transplant,
        "organs": transplant.organ_names,
        "monograph": case.monograph,
        "proposal": case.proposal,
        "risk_group": group,
        "order": case.order,
        "ordered_protocol": next((p for p in case.value.protocols if case.order and p.code == case.order.protocol_code), None),
        "ordered_rows": ordered_rows(case.order) if case.order else [],
        "given_elsewhere": [(row, given_text(row, zone)) for row in case.given_elsewhere],
        "others": case.others,
        "may_stop": may(request.membership, "stop_course"),
        "weights": case.weights,
        "two_weights": case.weights if case.weights.dry and case.weights.dry != case.weights.latest else None,
        "weight_change": display.format_limit(case.value.limit("weight_change_percent")),
        "weights_differ": case.weights.differ(case.value),
        "cautions": screening_notes(case, local_day(now, zone)),
        "chart_url": reverse("chart", args=[transplant.patient_id]),
    }


def screening_notes(case: Case, today: date) -> list[screening.Finding]:
    """What the monograph asks to be seen once before the order: cautions and notes, never a stop (those refused the page)."""
    findings = screening_of(case.transplant, case.value, case.answers, case.risk, today).findings
    return [finding for finding in findings if finding.level != "stop"]
