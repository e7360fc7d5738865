"""One patient's chart: each course with its picture and its doses at this moment, and everything that bears on them."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from patients.access import patient_for
from patients.models import Answer
from patients.roles import may, require
from regimens.actions import planning, replanning
from regimens.models import Monograph
from regimens.views import chart_panels
from regimens.views.chart_course import course_view
from regimens.views.chart_facts import ChartFacts, read_chart
from regimens.views.frame import patient_frame
from regimens.views.notes import note_lines

WEIGHTS_SHOWN = 8
MAY = ("edit_patient", "hand_over", "record_finding", "record_transplant", "record_weight")


def chart(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Everything about one patient's treatment on one page."""
    by = request.membership
    require(by, "read_charts")
    patient = patient_for(by, patient_id)
    now = timezone.now()
    zone = patient.centre.time_zone
    facts = read_chart(patient)
    several = len(facts.transplants) > 1 and bool(facts.courses)
    older = {course.pk for course in replanning.older_open_courses(patient)} if several else set()
    views = [course_view(facts, course, by, now, older) for course in facts.courses]
    monograph = _monograph(facts)
    context = patient_frame(patient, now, facts.answers, facts.weights) | {
        "courses": [view for view in views if not view["course"].stopped_at],
        "past_courses": [view for view in views if view["course"].stopped_at],
        "transplants": chart_panels.running_transplants(facts, by, zone, now),
        "infusions": chart_panels.infusion_lines(facts, zone),
        "weights": facts.weights[:WEIGHTS_SHOWN],
        "more_weights": max(len(facts.weights) - WEIGHTS_SHOWN, 0),
        "results": chart_panels.result_lines(facts, zone),
        "vaccines": chart_panels.vaccines(facts, monograph, zone),
        "risks": chart_panels.risk_lines(facts.review, zone),
        "precautions": facts.answers,
        "alerts": [row for row in facts.answers if row.answer != Answer.ABSENT],
        "denied": [row.get_kind_display() for row in facts.answers if row.answer == Answer.ABSENT],
        "outside": chart_panels.outside_lines(facts, zone),
        "removals": facts.removals,
        "questions": list(chart_panels.questions(facts, monograph.to_domain() if monograph else None, by, zone)),
        "notes": note_lines(facts.notes, now, zone),
        "open_queries": sum(note.is_query and note.answered_at is None for note in facts.notes),
        "handover": facts.handover,
        "writes": may(by, "write_note"),
        "may": {action: may(by, action) for action in MAY},
    }
    return render(request, "regimens/chart.html", context)


def _monograph(facts: ChartFacts) -> Monograph | None:
    """The version of the newest course; the published one where something was given or found and no course is built."""
    if facts.courses:
        return facts.courses[0].monograph
    return planning.published() if facts.given_at or facts.removals else None


urls = [path("patients/<uuid:patient_id>/", chart, name="chart")]
