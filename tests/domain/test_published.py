"""Numbers that stand in published sources or can be reckoned from them by hand, each against the rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from regimens.domain.dosing import calculate_dose
from regimens.domain.infusion import InfusionPlan, plan_infusion
from regimens.domain.library_file import parse
from regimens.domain.monograph import RateStep, RateTable
from regimens.library import SHIPPED
from tests.domain.factory import INITIAL, MONOGRAPH, SUBSEQUENT, monograph

D = Decimal
UNCAPPED = monograph(max_rate_ml_per_h="1000")


def plan(mg_per_kg: str, kg: str, table: RateTable = INITIAL, *, capped: bool = True) -> InfusionPlan:
    of = MONOGRAPH if capped else UNCAPPED
    dose = calculate_dose(mg_per_kg=D(mg_per_kg), weight_kg=D(kg), cap_mg_per_kg=D(500), monograph=of)
    return plan_infusion(dose=dose, table=table, monograph=of)


@pytest.mark.parametrize("kg", ["10", "45", "62.5"])
def test_15_30_and_60_mg_per_kg_per_h_are_0_3_0_6_and_1_2_ml_per_kg_per_h(kg: str) -> None:
    assert [rate / D(kg) for rate in plan("150", kg).exact_rates_ml_per_h] == [D("0.3"), D("0.6"), D("1.2")]


def test_a_hospitals_table_of_rates_from_40_to_130_kg_is_the_same_until_75_ml_per_h() -> None:
    weights = range(40, 131, 5)
    assert [plan("150", str(kg), capped=False).exact_rates_ml_per_h[1:] for kg in weights] == [
        (24 + 3 * place, 48 + 6 * place) for place in range(len(weights))
    ]
    for kg in weights:
        assert plan("150", str(kg)).exact_rates_ml_per_h[1:] == (min(D("0.6") * kg, 75), min(D("1.2") * kg, 75))


@pytest.mark.parametrize("mg_per_kg", ["25", "50", "100", "150", "200", "400"])
def test_an_uncapped_infusion_takes_an_hour_and_what_is_left_at_the_highest_rate(mg_per_kg: str) -> None:
    assert plan(mg_per_kg, "50").total_minutes == 60 + (D(mg_per_kg) - D("0.375") * 60)


@pytest.mark.parametrize("kg", ["2", "33.3", "62.5"])
@pytest.mark.parametrize(
    ("mg_per_kg", "table", "minutes"),
    [("150", INITIAL, "187.5"), ("150", SUBSEQUENT, "168.75"), ("100", SUBSEQUENT, "118.75"), ("50", SUBSEQUENT, "68.75")],
)
def test_up_to_62_5_kg_the_time_is_the_same_at_any_weight(kg: str, mg_per_kg: str, table: RateTable, minutes: str) -> None:
    assert plan(mg_per_kg, kg, table).total_minutes == D(minutes)


@pytest.mark.parametrize(
    ("mg_per_kg", "table", "kg", "hours"),
    [("400", INITIAL, "109.27", 12), ("150", INITIAL, "144.73", 6), ("150", SUBSEQUENT, "147.43", 6)],
)
def test_the_weight_at_which_a_vials_hours_are_used_up(mg_per_kg: str, table: RateTable, kg: str, hours: int) -> None:
    assert plan(mg_per_kg, kg, table).total_minutes <= hours * 60 < plan(mg_per_kg, str(D(kg) + D("0.01")), table).total_minutes


def test_a_newborns_pump_in_tenths_takes_two_minutes_longer() -> None:
    newborn = plan("150", "3.2")
    assert newborn.total_minutes == D("187.5")
    assert newborn.pump_total_minutes.quantize(D("0.01")) == D("189.47")


@pytest.mark.parametrize("kg", ["3", "50", "90"])
def test_the_european_products_table_takes_84_minutes_at_any_weight(kg: str) -> None:
    table = RateTable("eu", "EU", (RateStep(D(4), D(10)), RateStep(D(40), None)), INITIAL.source)
    assert plan("50", kg, table, capped=False).total_minutes == 84


@pytest.mark.parametrize(
    ("code", "optional", "total"),
    [
        ("kidney", (), 650),
        ("other_organ", (), 950),
        ("heart_paediatric_8_week", (), 350),
        ("hsct_pneumonitis", (), 1400),
        ("hsct_pneumonitis", ("D21",), 1600),
    ],
)
def test_a_shipped_protocol_has_its_published_total_per_kg(code: str, optional: tuple[str, ...], total: int) -> None:
    rows = parse(SHIPPED.read_text("utf-8")).protocol(code).doses
    assert sum(row.mg_per_kg for row in rows if not row.optional or row.code in optional) == total


def test_five_whole_vials_at_70_kg_would_be_178_6_mg_per_kg() -> None:
    dose = plan("150", "70").dose
    hung = replace(dose, dose_mg=dose.vials * MONOGRAPH.product.vials[0].content_mg)
    assert (dose.vials, dose.effective_mg_per_kg) == (5, 150)
    assert hung.effective_mg_per_kg.quantize(D("0.1")) == D("178.6")


def test_400_mg_per_kg_carries_as_much_sucrose() -> None:
    assert plan("400", "70").dose.sucrose_mg_per_kg == 400
