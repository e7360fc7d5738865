"""A draft of the monograph as the one who decides about it reads it: what it changes, what follows from that, and publishing it."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import require
from patients.signing import signed_by
from regimens.actions import impact
from regimens.actions import library as actions
from regimens.domain.library_checks import problems
from regimens.domain.library_diff import Difference, differences, side_by_side
from regimens.domain.library_impact import MODEL_WEIGHTS_KG, CourseImpact, Effect, Figures, effects
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.units import MONTHS
from regimens.forms.course import SignForm
from regimens.forms.library import SendBackForm
from regimens.models import Monograph
from regimens.templatetags import display

READABLE = (Monograph.State.DRAFT, Monograph.State.SUBMITTED)
COURSES_SHOWN = 50
ARROW = f"{display.NBSP}→ "


def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """What a draft changes and what follows; when it is submitted, another person than the editor publishes it or sends it back."""
    require(request.membership, "publish_monograph")
    found = get_object_or_404(Monograph.objects.select_related("based_on", "drafted_by__user"), pk=pk, state__in=READABLE)
    form = SignForm(request.POST) if "publish" in request.POST else SignForm()
    back = SendBackForm(request.POST) if "send_back" in request.POST else SendBackForm()
    refusal = None
    try:
        if "publish" in request.POST and form.is_valid():
            signed_by(request, form.cleaned_data["password"], done="published")
            actions.publish(monograph=found, by=request.membership, at=timezone.now())
            messages.success(request, "Published. New courses use this version; running courses keep theirs.")
            return redirect("monograph")
        if "send_back" in request.POST and back.is_valid():
            actions.send_back(monograph=found, by=request.membership, at=timezone.now(), reason=back.cleaned_data["reason"])
            messages.success(request, "Sent back to the editor.")
            return redirect("monograph")
    except Refusal as refused:
        refusal = refused
    value = found.to_domain()
    before = found.based_on.to_domain() if found.based_on else None
    context = {
        "draft": found,
        "value": value,
        "is_submitted": found.state == Monograph.State.SUBMITTED,
        "problems": problems(value, in_use=True),
        "form": form,
        "back": back,
        "refusal": refusal,
    }
    if before is not None:
        context |= {"groups": difference_groups(differences(before, value))} | _consequences(before, value, request.membership)
    return render(request, "regimens/monograph_draft.html", context, status=422 if request.method == "POST" else 200)


def difference_groups(found: list[Difference]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The differences under the part of the document they stand in, side by side."""
    rows = [(*row.where.partition(" › ")[::2], *side_by_side(row)) for row in found]
    return [
        (part.capitalize(), [{"where": where or part, "before": before, "after": after} for _, where, before, after in group])
        for part, group in groupby(rows, key=lambda row: row[0])
    ]


def _consequences(before: MonographValue, after: MonographValue, by: Membership) -> dict[str, Any]:
    """At three weights, in the worked cases, and in the courses that run: named ones only of the reader's own patients."""
    running = impact.running_impact(after)
    differing = running.differing
    largest = sorted(differing, key=lambda key: -abs(differing[key].mg_after - differing[key].mg_before))
    own = impact.courses_of_centre(by, largest[: COURSES_SHOWN * 10])
    order = {key: place for place, key in enumerate(largest)}
    own = sorted(own, key=lambda course: order[course.pk])
    return {
        "weights": [display.format_unit(kg, "kg") for kg in MODEL_WEIGHTS_KG],
        "effects": _effect_rows(effects(before, after)),
        "cases": impact.case_changes(before, after),
        "months": [
            (f"{MONTHS[month.month - 1]}-{month.year}", display.format_number(was), display.format_number(now), was != now)
            for month, (was, now) in running.vials_by_month.items()
        ],
        "running": len(running.courses),
        "differing": len(differing),
        "total": _mg_change(
            sum((course.mg_before for course in running.courses.values()), Decimal(0)),
            sum((course.mg_after for course in running.courses.values()), Decimal(0)),
        ),
        "courses": [
            {
                "name": display.format_name(course.patient.family_name, course.patient.given_name),
                "mrn": display.format_mrn(course.patient.mrn),
                "url": reverse("chart", args=[course.patient_id]),
                "protocol": course.protocol.title,
            }
            | course_change(differing[course.pk])
            for course in own[:COURSES_SHOWN]
        ],
        "courses_left_out": max(len(differing) - min(len(own), COURSES_SHOWN), 0),
    }


def course_change(course: CourseImpact) -> dict[str, Any]:
    """What is left of one course, as saved and by the other version, in words."""
    words = [
        (course.amounts_changed, "amount"),
        (course.windows_changed, "window"),
        (course.rates_changed, "infusion time"),
    ]
    return {
        "version": course.version,
        "left": course.doses,
        "mg": _mg_change(course.mg_before, course.mg_after),
        "vials": f"{course.vials_before}{ARROW}{course.vials_after}"
        if course.vials_before != course.vials_after
        else display.format_number(course.vials_before),
        "what": ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for count, word in words if count),
        "refusals": sorted(course.refusals),
        "differs": course.differs,
    }


def _effect_rows(found: list[Effect]) -> list[dict[str, Any]]:
    """One line per dose, one cell per model weight."""
    return [
        {
            "protocol": protocol,
            "dose": dose,
            "cells": [
                next((_effect_words(row) for row in rows if row.weight_kg == kg), ["As it is"]) for kg in MODEL_WEIGHTS_KG
            ],
        }
        for (protocol, dose), group in groupby(found, key=lambda row: (row.protocol, row.dose))
        for rows in [list(group)]
    ]


def _effect_words(row: Effect) -> list[str]:
    before, after = row.before, row.after
    if not (isinstance(before, Figures) and isinstance(after, Figures)):
        return [f"{_figures_text(before)}{ARROW}{_figures_text(after)}"]
    told = []
    if before.dose_mg != after.dose_mg:
        told.append(_mg_change(before.dose_mg, after.dose_mg))
    if before.draw_ml != after.draw_ml:
        told.append(f"{display.format_number(before.draw_ml)}{ARROW}{display.format_unit(after.draw_ml, 'mL')}")
    if before.vials != after.vials:
        told.append(f"{before.vials}{ARROW}{after.vials} vials")
    if before.minutes != after.minutes:
        told.append(f"{display.format_minutes(before.minutes)}{ARROW}{display.format_minutes(after.minutes)}")
    return told


def _figures_text(figures: Figures | str | None) -> str:
    if figures is None:
        return "no such dose"
    return figures if isinstance(figures, str) else display.format_unit(figures.dose_mg, "mg")


def _mg_change(before: Decimal, after: Decimal) -> str:
    """ "3,500 → 4,200 mg (+20%)", or the amount alone where it stays."""
    if before == after:
        return display.format_unit(before, "mg")
    percent = display.format_rounded((after - before) * 100 / before, "percent") if before else ""
    sign = "+" if after > before else ""
    return f"{display.format_number(before)}{ARROW}{display.format_unit(after, 'mg')} ({sign}{percent})"


urls = [path("monograph/drafts/<int:pk>/publish/", draft, name="monograph-publish")]
