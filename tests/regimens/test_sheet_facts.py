"""What a printed sheet says about how long it holds."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from regimens.actions import sheets
from regimens.domain.units import wall_text
from regimens.models import PlannedDose
from regimens.sheets.data import DoseSheet
from tests.factories import NEW_YORK, NOW
from tests.regimens.courses import Team, doses_of, make_course, make_team, verify

pytestmark = pytest.mark.django_db


def sheet_of(team: Team, dose: PlannedDose, at: datetime) -> DoseSheet:
    copy = sheets.register_copy(dose=dose, size="a4", by=team.verifier, at=at)
    return sheets.dose_sheet(dose=dose, copy=copy, check_url="https://cmvig.example/x")


def test_a_sheet_holds_until_its_window_closes_where_the_weight_outlasts_it() -> None:
    team = make_team()
    dose = doses_of(verify(team, make_course(team)))[0]
    sheet = sheet_of(team, dose, NOW)
    assert (sheet.valid_until, sheet.check_weight_and_code) == (wall_text(dose.closes_at, NEW_YORK), False)


def test_a_sheet_for_a_later_visit_asks_for_a_look_at_the_scale() -> None:
    team = make_team()
    dose = doses_of(verify(team, make_course(team)))[1]
    assert sheet_of(team, dose, dose.opens_at).check_weight_and_code


def test_a_weight_that_ends_inside_the_window_ends_the_sheet() -> None:
    team = make_team()
    dose = doses_of(verify(team, make_course(team)))[0]
    dose.weight.measured_at = dose.closes_at - timedelta(days=7, hours=5)
    sheet = sheet_of(team, dose, NOW)
    assert (sheet.valid_until, sheet.check_weight_and_code) == (wall_text(dose.closes_at - timedelta(hours=5), NEW_YORK), False)
