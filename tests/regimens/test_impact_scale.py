"""Differences and impact of a draft with 20 changes over many running courses: few statements, and little beyond computing them.

`./dev test --full` takes 5,000 courses and holds the time to 1.5 times that of computing those courses in the same run; else 200
courses are counted and told.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Transplant, WeightMeasurement
from patients.roles import Role
from regimens.actions import impact, library
from regimens.domain import monograph as domain
from regimens.domain.course import plan_course
from regimens.domain.library_diff import differences
from regimens.domain.library_file import parse
from regimens.domain.library_impact import effects
from regimens.domain.schedule import TransplantAnchor
from regimens.library import SHIPPED
from regimens.models import Course, Monograph, PlannedDose
from tests.factories import NEW_YORK, NOW, make_member
from tests.regimens.courses import doses_of, make_course, make_team
from tests.support import FULL, count

VALUE = parse(SHIPPED.read_text("utf-8"))
COURSES = count(200, 5000)
ROUNDS = 3


def twenty_changes() -> domain.Monograph:
    """The shipped monograph with 20 changed values: amounts, windows, rates, limits and words."""
    kidney, other, *protocols = VALUE.protocols
    rows = {
        "W2": {"mg_per_kg": Decimal(110), "closes_days_after": 4}, "W4": {"mg_per_kg": Decimal(105), "title": "Fourth week"},
        "W6": {"mg_per_kg": Decimal(95), "opens_days_before": 2}, "W8": {"mg_per_kg": Decimal(90), "latest_late_day": 69},
        "W12": {"mg_per_kg": Decimal(55), "min_interval_hours": 160}, "W16": {"mg_per_kg": Decimal(60), "closes_days_after": 8},
    }  # fmt: skip
    doses = tuple(replace(row, **rows.get(row.code, {})) for row in kidney.doses)  # type: ignore[arg-type]
    initial, *tables = VALUE.rate_tables
    first, *steps = initial.steps
    limits = {"max_rate_ml_per_h": 70, "pump_under_plan_warn_percent": 9, "observation_min": 25, "older_than_years": 66}
    return replace(
        VALUE,
        title="CMV-IGIV, changed",
        protocols=(replace(kidney, doses=doses), replace(other, indication="Other words"), *protocols),
        rate_tables=(replace(initial, steps=(replace(first, minutes=Decimal(35)), *steps)), *tables),
        limits=tuple(replace(row, value=Decimal(limits.get(row.code, row.value))) for row in VALUE.limits),
        sections=(replace(VALUE.sections[0], text="Other words."), *VALUE.sections[1:]),
    )


def many_courses() -> list[tuple[Decimal, TransplantAnchor]]:
    """So many running kidney courses, each with its own weight and transplant: weight and anchor of each, as they are saved."""
    team = make_team()
    model = make_course(team)
    doses, patient, graft = doses_of(model), model.patient, model.transplant
    scale = patient.weights.get()
    weights, grafts, courses, rows, facts = [], [], [], [], []
    for number in range(2, COURSES + 1):
        kg = Decimal(100 + (number * 7) % 1400) / 10
        weights.append(copy_of(scale, weight_kg=kg, measured_at=scale.measured_at - timedelta(minutes=number)))
        grafts.append(
            copy_of(graft, id=uuid.uuid4(), number=number, reperfusion_at=graft.reperfusion_at - timedelta(minutes=number))
        )
    weights, grafts = WeightMeasurement.objects.bulk_create(weights), Transplant.objects.bulk_create(grafts)
    for weight, other in zip(weights, grafts, strict=True):
        course = copy_of(model, id=uuid.uuid4(), transplant=other, anchor_at=other.reperfusion_at)
        courses.append(course)
        facts.append((weight.weight_kg, TransplantAnchor(other.reperfusion_at, NEW_YORK)))
        for dose in doses:
            mg = dose.mg_per_kg * weight.weight_kg
            amounts = {"dose_mg": mg, "volume_ml": mg / 50, "draw_ml": mg / 50 // Decimal("0.1") * Decimal("0.1")}
            vials = int(-(-mg // 2500))
            rows.append(
                copy_of(dose, id=uuid.uuid4(), course=course, weight=weight, weight_kg=weight.weight_kg, vials=vials, **amounts)
            )
    Course.objects.bulk_create(courses)
    PlannedDose.objects.bulk_create(rows, batch_size=2000)
    return [(Decimal(70), TransplantAnchor(graft.reperfusion_at, NEW_YORK)), *facts]


def copy_of(row, **changes):
    """An unsaved row like this one."""
    kept = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname != "id"}
    made = type(row)(**kept)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


@pytest.mark.django_db
def test_twenty_changes_over_all_running_courses_cost_little_more_than_computing_those_courses() -> None:
    facts = many_courses()
    draft, _ = library.load_draft(value=twenty_changes(), by=make_member(Role.MONOGRAPH_EDITOR), at=NOW)
    before, kidney = VALUE, VALUE.protocol("kidney")

    def compute() -> None:
        for weight_kg, anchor in facts:
            plan_course(protocol=kidney, anchor=anchor, centre_zone=NEW_YORK, weight_kg=weight_kg, monograph=before)

    def read() -> impact.Impact:
        after = Monograph.objects.select_related("based_on").get(pk=draft.pk).to_domain()
        assert len(differences(before, after)) == 20
        effects(before, after)
        impact.case_changes(before, after)
        return impact.running_impact(after)

    with CaptureQueriesContext(connection) as queries:
        found = read()
    assert len(queries) <= 12
    assert len(found.courses) == len(found.differing) == COURSES
    assert sum(course.doses for course in found.courses.values()) == 7 * COURSES
    ratios = [seconds(read) / seconds(compute) for _ in range(ROUNDS)]
    ratio = statistics.median(ratios)
    print(f"differences and impact over {COURSES} courses: {ratio:.2f} times computing them, {len(queries)} statements")
    assert not FULL or ratio <= 1.5, ratios
