"""What another version would change: at three model weights, and in what is left of running courses."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from regimens.domain.library_impact import Effect, Figures, Impact, OpenDose, effects, impact
from regimens.domain.monograph import Monograph, Protocol
from tests.domain.factory import KIDNEY, MONOGRAPH, monograph

D = Decimal
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def kidney(code: str = "W16", **changes: object) -> Monograph:
    """The monograph of the tests with another row in the kidney protocol."""
    rows = tuple(replace(row, **changes) if row.code == code else row for row in KIDNEY.doses)  # type: ignore[arg-type]
    return with_kidney(replace(KIDNEY, doses=rows))


def with_kidney(protocol: Protocol) -> Monograph:
    return replace(MONOGRAPH, protocols=tuple(protocol if p.code == "kidney" else p for p in MONOGRAPH.protocols))


def waiting(code: str = "W16", course: str = "c1", **changes: object) -> OpenDose:
    """A dose of a patient of 70 kg as version 1 made it."""
    mg_per_kg = KIDNEY.dose(code).mg_per_kg
    row = OpenDose(
        course=course, version=1, protocol="kidney", code=code, target_on=date(2026, 11, 24), weight_kg=D(70), mg_per_kg=mg_per_kg,
        dose_mg=mg_per_kg * 70, rounded_from_mg=None, vials=int(mg_per_kg * 70 / 2500) + 1, rate_table="subsequent",
        ceiling_mg_per_kg_per_h=None, increment_ml_per_h=D("0.1"), is_remainder=False,
    )  # fmt: skip
    return row._replace(**changes)


def seen(doses: list[OpenDose], after: Monograph) -> Impact:
    return impact(doses, {1: MONOGRAPH}, after)


def test_the_same_version_changes_nothing() -> None:
    assert effects(MONOGRAPH, monograph()) == []
    found = seen([waiting("W12"), waiting("W16")], monograph())
    assert found.differing == {}
    assert (found.courses["c1"].doses, found.courses["c1"].mg_before, found.courses["c1"].mg_after) == (2, 7000, 7000)
    assert found.vials_by_month == {NOVEMBER: (4, 4)}


def test_60_instead_of_50_mg_per_kg_is_told_at_10_70_and_140_kg() -> None:
    found = effects(MONOGRAPH, kidney(mg_per_kg=D(60)))
    assert [(row.dose, row.weight_kg) for row in found] == [("Dose W16", 10), ("Dose W16", 70), ("Dose W16", 140)]
    told = [figures.dose_mg for row in found for figures in (row.before, row.after) if isinstance(figures, Figures)]
    assert told == [500, 600, 3500, 4200, 7000, 8400]


def test_a_row_that_is_new_or_gone_stands_beside_nothing() -> None:
    gone = with_kidney(replace(KIDNEY, doses=KIDNEY.doses[:-1]))
    for before, after in ((MONOGRAPH, gone), (gone, MONOGRAPH)):
        found = effects(before, after)
        assert len(found) == 3
        assert {(row.before is None, row.after is None) for row in found} == {(before is gone, after is gone)}


def test_a_protocol_that_is_switched_off_is_gone() -> None:
    found = effects(MONOGRAPH, with_kidney(replace(KIDNEY, enabled=False)))
    assert len(found) == 7 * 3
    assert all(row.after is None for row in found)


def test_what_the_rules_refuse_is_told_in_their_sentence() -> None:
    found = effects(MONOGRAPH, monograph(weight_max_kg="100"))
    refused = [row for row in found if row.weight_kg == 140]
    assert refused and all(isinstance(row.before, Figures) and "100" in str(row.after) for row in refused)
    assert isinstance(refused[0], Effect)


def test_a_course_is_told_with_its_mg_and_vials_before_and_after() -> None:
    found = seen([waiting("W12"), waiting("W16", target_on=date(2026, 12, 22))], kidney(mg_per_kg=D(100)))
    course = found.differing["c1"]
    assert (course.version, course.doses, course.amounts_changed, course.windows_changed, course.rates_changed) == (
        1,
        2,
        1,
        0,
        0,
    )
    assert (course.mg_before, course.mg_after, course.vials_before, course.vials_after) == (7000, 10500, 4, 5)
    assert found.vials_by_month == {NOVEMBER: (2, 2), DECEMBER: (2, 3)}


@pytest.mark.parametrize(
    "change", [{"offset_days": 110}, {"opens_days_before": 5}, {"closes_days_after": 5}, {"min_interval_hours": 100}]
)
def test_another_window_makes_a_course_differ_with_the_same_amounts(change: dict[str, int]) -> None:
    course = seen([waiting("W12"), waiting("W16")], kidney(**change)).differing["c1"]
    assert (course.amounts_changed, course.windows_changed, course.mg_before) == (0, 1, course.mg_after)


def test_another_rate_makes_a_course_differ_and_one_that_changes_no_minute_does_not() -> None:
    slower = monograph(max_rate_ml_per_h="40")
    assert seen([waiting()], slower).differing["c1"].rates_changed == 1
    assert seen([waiting()], monograph(older_than_years="70")).differing == {}
    impossible = waiting(increment_ml_per_h=D(50))
    assert seen([impossible], slower).differing["c1"].refusals  # by either version the pump cannot be set
    finer = impact([impossible], {1: monograph(max_rate_ml_per_h="40")}, monograph())
    assert finer.differing["c1"].refusals == seen([impossible], slower).differing["c1"].refusals


def test_a_dose_that_could_not_run_by_its_own_version_and_can_by_the_new_one_counts_as_another_rate() -> None:
    coarse = waiting(increment_ml_per_h=D(20))
    faster = replace(MONOGRAPH, rate_tables=tuple(replace(t, steps=t.steps[1:]) for t in MONOGRAPH.rate_tables))
    lighter = coarse._replace(weight_kg=D(60), dose_mg=D(3000))
    found = seen([lighter], faster)
    assert found.differing["c1"].rates_changed == 1
    assert found.differing["c1"].refusals == set()


def test_an_amount_that_a_prescriber_changed_stays_changed() -> None:
    changed = waiting(mg_per_kg=D(75), dose_mg=D(5250))
    assert seen([changed], kidney(mg_per_kg=D(60))).differing == {}


def test_what_is_left_of_a_stopped_dose_keeps_its_own_amount() -> None:
    rest = waiting(is_remainder=True, dose_mg=D(1234))
    assert seen([rest], kidney(mg_per_kg=D(60))).differing == {}


def test_a_rounded_dose_is_compared_by_what_it_was_rounded_from() -> None:
    rounded = waiting(dose_mg=D(3750), rounded_from_mg=D(3500))
    assert seen([rounded], monograph()).differing == {}
    course = seen([rounded], kidney(mg_per_kg=D(60))).differing["c1"]
    assert (course.mg_before, course.mg_after) == (3750, 4200)


def test_a_course_whose_row_is_gone_or_is_refused_says_why() -> None:
    gone = with_kidney(replace(KIDNEY, doses=KIDNEY.doses[:-1]))
    assert seen([waiting()], gone).differing["c1"].refusals == {"kidney has no dose W16 any more"}
    refused = seen([waiting()], monograph(weight_max_kg="60")).differing["c1"]
    assert len(refused.refusals) == 1
    assert refused.mg_before == refused.mg_after


def test_courses_are_kept_apart_and_share_what_was_reckoned() -> None:
    found = seen([waiting(course="c1"), waiting(course="c2"), waiting("W12", course="c2")], kidney(mg_per_kg=D(60)))
    assert {key: row.doses for key, row in found.courses.items()} == {"c1": 1, "c2": 2}
    assert set(found.differing) == {"c1", "c2"}
