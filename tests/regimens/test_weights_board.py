"""Weights that no longer hold: what stops a start, what a pharmacist may sign instead, and the board of both."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patients.refusal import Refusal
from regimens.actions import weighing
from regimens.models import PlannedDose
from tests.factories import NOW, make_weight
from tests.regimens.courses import doses_of, make_course, make_team

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=6)


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def first_dose(course) -> PlannedDose:
    return doses_of(course)[0]


@pytest.mark.parametrize(
    ("weight_kg", "stops"), [("76.9", False), ("77", True), ("80", True), ("63.1", False), ("63", True), ("70", False)]
)
def test_a_weight_10_percent_off_stops_the_start_and_exactly_10_percent_is_off(weight_kg: str, stops: bool) -> None:
    course = make_course(make_team())
    make_weight(course.patient, weight_kg, at=LATER, reason="Weighed twice")
    if not stops:
        return weighing.check_weight_holds(first_dose(course), LATER)
    with refused("weight_changed") as refusal:
        weighing.check_weight_holds(first_dose(course), LATER)
    assert "70\u00a0kg" in refusal.value.sentence
    assert f"{weight_kg}\u00a0kg" in refusal.value.sentence
