"""Amounts: the working, the last vial, sucrose, rounding, and every refusal by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from regimens.domain.dosing import DoseAmount, calculate_dose, dose_for, needs_recalculation
from regimens.domain.monograph import Product, VialSize
from regimens.domain.reasons import Refused
from regimens.domain.rounding import VialRounding, leave_kept
from tests.domain.factory import KIDNEY, LABEL, MONOGRAPH, PRODUCT, TABLE, monograph

D = Decimal


def dose(
    mg_per_kg: str = "150", weight_kg: str = "70", cap: str = "500", percent: str = "", age: int | None = 45
) -> DoseAmount:
    return calculate_dose(
        mg_per_kg=D(mg_per_kg),
        weight_kg=D(weight_kg),
        cap_mg_per_kg=D(cap),
        monograph=MONOGRAPH,
        dose_source=TABLE,
        cap_source=LABEL,
        rounding=VialRounding(D(percent)) if percent else None,
        age_years=age,
    )


def test_the_working_of_a_dose_can_be_followed_by_hand() -> None:
    assert [(step.rule, step.sentence.replace("\u00a0", " "), step.source) for step in dose(cap="150").working] == [
        ("R-DOSE-1", "150 mg per kg × 70 kg = 10,500 mg", "Monograph, Dosage"),
        ("R-DOSE-2", "150 mg per kg is not above the cap of 150 mg per kg per infusion", "Label, Dosage and administration"),
        ("R-DOSE-3", "10,500 mg ÷ 50 mg per mL = 210 mL", "Label, Description"),
        ("R-DOSE-4", "drawn down to 0.1 mL: 210 mL", "Label, Dosage and administration"),
        ("R-DOSE-5", "210 mL in vials of 50 mL: 5, 40 mL left over", "Arithmetic"),
    ]


def test_what_needs_more_than_two_decimals_is_taken_down_and_said() -> None:
    odd = dose("62.5", "3.25")
    assert (odd.calculated_mg, odd.dose_mg) == (D("203.12"), D("203.12"))
    assert odd.volume_ml == D("4.06")
    told = [step.sentence.replace("\u00a0", " ") for step in odd.working]
    assert told[0] == "62.5 mg per kg × 3.25 kg = 203.125 mg"
    assert told[2] == "taken down to 203.12 mg"
    assert told[3] == "203.12 mg ÷ 50 mg per mL = 4.0624 mL"
    assert told[4] == "taken down to 4.06 mL"
    assert odd.working.rules == ("R-DOSE-1", "R-DOSE-2", "R-DOSE-8", "R-DOSE-3", "R-DOSE-8", "R-DOSE-4", "R-DOSE-5")
    assert dose("61", "70.3").working.rules.count("R-DOSE-8") == 1


@pytest.mark.parametrize(
    ("mg_per_kg", "weight", "line"),
    [
        ("150", "70", "Vials 1–4 whole; from vial 5 use 10 mL, discard 40 mL."),
        ("150", "100", "Vials 1–6 whole."),
        ("100", "62.5", "Vials 1–2 whole; from vial 3 use 25 mL, discard 25 mL."),
        ("100", "40", "Vial 1 whole; from vial 2 use 30 mL, discard 20 mL."),
        ("100", "25", "The vial whole."),
        ("150", "3.2", "From the vial use 9.6 mL, discard 40.4 mL."),
    ],
)
def test_the_last_vial_is_never_hung_whole(mg_per_kg: str, weight: str, line: str) -> None:
    assert dose(mg_per_kg, weight).vial_line.replace("\u00a0", " ") == line


def test_a_dose_knows_what_it_comes_to_per_kg() -> None:
    amount = dose()
    assert (amount.mg_per_kg, amount.weight_kg) == (150, 70)
    assert amount.effective_mg_per_kg == 150
    assert amount.ml_per_kg == 3
    assert amount.variance_percent == 0
    assert amount.vtbi_ml == amount.draw_ml == 210
    assert (amount.sucrose_mg, amount.sucrose_mg_per_kg) == (10500, 150)


def test_a_product_without_sucrose_shows_none() -> None:
    lean = monograph()
    lean = replace(lean, limits=tuple(limit for limit in lean.limits if limit.code != "sucrose_mg_per_ml"))
    amount = dose_for(protocol=KIDNEY, row=KIDNEY.doses[0], weight_kg=D(70), monograph=lean)
    assert (amount.sucrose_mg, amount.sucrose_mg_per_kg) == (None, None)


def test_rounding_to_vials_is_told_with_its_percent() -> None:
    amount = dose(percent="10", cap="150")
    assert amount.is_rounded_to_vials
    assert (amount.calculated_mg, amount.dose_mg, amount.vials) == (10500, 10000, 4)
    assert amount.variance_percent.quantize(D("0.01")) == D("-4.76")
    step = amount.working.steps[2]
    assert step.rule == "R-DOSE-6"
    assert (
        step.sentence.replace("\u00a0", " ")
        == "rounded to whole vials: 10,000 mg for 10,500 mg ordered (-4.76 percent, 10 allowed)"
    )


def test_rounding_up_never_passes_the_cap() -> None:
    amount = dose("150", "82.5", cap="150", percent="10")
    assert not amount.is_rounded_to_vials
    assert amount.dose_mg == amount.calculated_mg == 12375
    assert amount.working.rules[2] == "R-DOSE-7"
    assert "under the cap of 12,375\u00a0mg: exact dose" in amount.working.steps[2].sentence
    assert amount.working.steps[2].source == "Label, Dosage and administration"
    assert dose("150", "82.5", cap="151.6", percent="10").dose_mg == 12500


def test_whole_vials_exactly_at_the_cap_are_allowed() -> None:
    amount = dose("150", "100", cap="150", percent="10")
    assert (amount.dose_mg, amount.working.rules[2]) == (15000, "R-DOSE-6")


def test_rounding_takes_the_nearer_vial_and_a_tie_goes_down() -> None:
    assert dose("100", "37.5", percent="40").dose_mg == 2500  # 1.5 vials: 1,250 mg either way
    assert dose("100", "38", percent="40").dose_mg == 5000
    assert dose("100", "70", percent="8").dose_mg == 7500
    assert dose("100", "25", percent="1").dose_mg == 2500
    assert not dose("100", "25", percent="1").is_rounded_to_vials
    assert dose("10", "10", percent="100").dose_mg == 100  # no vial at all is not a dose


def test_rounding_at_exactly_the_percent_is_within_it() -> None:
    assert dose("100", "27.5", percent="9.0909").dose_mg == 2750
    assert dose("80", "31.25", percent="0.1").dose_mg == 2500
    assert dose("100", "50", percent="5", age=18).dose_mg == 5000
    assert dose("100", "52.5", percent="4.7619").dose_mg == 5250
    assert dose("200", "13.75", percent="10").dose_mg == 2500  # 250 of 2,750 mg
    assert dose("100", "40", percent="25").dose_mg == 5000  # exactly 25 percent up


def test_rounding_asks_for_a_positive_percent_and_an_adult() -> None:
    with pytest.raises(Refused, match="more than 0"):
        dose(percent="0")
    for age, shown in ((17, "17"), (None, "none")):
        with pytest.raises(Refused) as refusal:
            dose(percent="10", age=age)
        assert (refusal.value.code, refusal.value.value, refusal.value.limit) == ("rounding_under_18", shown, "18")
        assert refusal.value.source == "Site policy"


def test_a_dose_over_the_cap_names_field_value_limit_and_source() -> None:
    with pytest.raises(Refused) as refusal:
        dose("400", cap="150")
    assert refusal.value.sentence.replace("\u00a0", " ") == "400 mg per kg is above the cap of 150 mg per kg per infusion."
    assert (refusal.value.code, refusal.value.field, refusal.value.value, refusal.value.limit, refusal.value.source) == (
        "over_cap",
        "mg_per_kg",
        "400",
        "150",
        "Label, Dosage and administration",
    )


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("weight_kg", 70.0, "not_a_decimal"),
        ("weight_kg", D("NaN"), "not_a_decimal"),
        ("weight_kg", D("1.99"), "below_limit"),
        ("weight_kg", D("300.01"), "above_limit"),
        ("weight_kg", D("70.001"), "too_many_decimals"),
        ("mg_per_kg", 150, "not_a_decimal"),
        ("mg_per_kg", D("0.99"), "below_limit"),
        ("mg_per_kg", D("500.1"), "above_limit"),
        ("cap_mg_per_kg", D("Infinity"), "not_a_decimal"),
    ],
)
def test_bad_input_is_refused_by_its_name(field: str, value: object, code: str) -> None:
    good: dict[str, object] = {"mg_per_kg": D(150), "weight_kg": D(70), "cap_mg_per_kg": D(500)}
    with pytest.raises(Refused) as refusal:
        calculate_dose(monograph=MONOGRAPH, **{**good, field: value})  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert refusal.value.source
    assert refusal.value.limit


def test_the_edges_of_the_weight_are_allowed() -> None:
    assert dose("150", "2").dose_mg == 300
    assert dose("150", "300").dose_mg == 45000


def test_the_draw_is_finer_below_ten_kg_only() -> None:
    assert dose("61", "9.99").draw_ml == D("12.18")  # 609.39 mg, 12.1878 mL
    assert dose("61.2", "10").draw_ml == D("12.2")  # 612 mg, 12.24 mL: ten is not below ten
    assert dose("61", "10.01").draw_ml == D("12.2")  # 610.61 mg, 12.2122 mL


def test_a_volume_too_small_to_draw_is_refused() -> None:
    coarse = monograph(draw_increment_small_ml="0.1")
    with pytest.raises(Refused) as refusal:
        calculate_dose(mg_per_kg=D(1), weight_kg=D(2), cap_mg_per_kg=D(150), monograph=coarse)
    assert (refusal.value.code, refusal.value.value, refusal.value.limit) == ("too_small_to_draw", "0.04", "0.1")


def test_another_vial_size_is_counted_in_its_own_vials() -> None:
    small = VialSize(D(20), D(1000), "", "")
    amount = calculate_dose(mg_per_kg=D(150), weight_kg=D(70), cap_mg_per_kg=D(150), monograph=MONOGRAPH, vial=small)
    assert (amount.vials, amount.whole_vials, amount.last_vial_ml, amount.waste_ml) == (11, 10, 10, 10)
    assert amount.working.steps[1].source == "Site policy"


def test_a_concentration_that_does_not_divide_evenly_gives_volumes_taken_down() -> None:
    thin: Product = replace(PRODUCT, concentration_mg_per_ml=D(60))
    odd = replace(MONOGRAPH, product=thin)
    amount = calculate_dose(mg_per_kg=D(100), weight_kg=D(70), cap_mg_per_kg=D(150), monograph=odd)
    assert amount.volume_ml == D("116.66")
    assert "R-DOSE-8" in amount.working.rules
    assert amount.dose_mg == 7000


def test_a_protocol_row_is_dosed_at_its_own_cap_and_source() -> None:
    amount = dose_for(protocol=KIDNEY, row=KIDNEY.dose("W12"), weight_kg=D(70), monograph=MONOGRAPH)
    assert (amount.dose_mg, amount.cap_mg_per_kg) == (3500, 150)
    assert amount.working.steps[0].source == "Monograph, Dosage"
    rounded = dose_for(
        protocol=KIDNEY, row=KIDNEY.dose("W0"), weight_kg=D(70), monograph=MONOGRAPH, rounding=VialRounding(D(10)), age_years=45
    )
    assert rounded.dose_mg == 10000


def rest(rest_mg: str, weight_kg: str = "70") -> DoseAmount:
    return calculate_dose(
        mg_per_kg=D(100),
        weight_kg=D(weight_kg),
        cap_mg_per_kg=D(150),
        monograph=MONOGRAPH,
        cap_source=LABEL,
        rest_mg=D(rest_mg),
    )


def test_a_remainder_is_its_own_amount_whatever_the_weight() -> None:
    for kg in ("70", "80"):
        left = rest("4500", kg)
        assert (left.dose_mg, left.calculated_mg, left.draw_ml, left.vials) == (4500, 4500, 90, 2)
        assert not left.is_rounded_to_vials
        assert left.working.rules == ("R-DOSE-10", "R-DOSE-3", "R-DOSE-4", "R-DOSE-5")


@pytest.mark.parametrize(("rest_mg", "code"), [("10500.01", "over_cap"), ("0", "not_positive"), ("1.005", "too_many_decimals")])
def test_a_remainder_is_above_nothing_and_not_above_the_cap(rest_mg: str, code: str) -> None:
    assert rest("10500").dose_mg == 10500
    with pytest.raises(Refused) as refusal:
        rest(rest_mg)
    assert (refusal.value.code, refusal.value.field) == (code, "rest_mg")


@pytest.mark.parametrize(("planned", "latest"), [("0", "70"), ("70", "0"), ("-1", "70")])
def test_a_weight_of_nothing_cannot_be_compared(planned: str, latest: str) -> None:
    with pytest.raises(Refused) as refusal:
        needs_recalculation(
            planned_weight_kg=D(planned), latest_weight_kg=D(latest), percent=MONOGRAPH.limit("weight_change_percent")
        )
    assert refusal.value.field == ("planned_weight_kg" if D(planned) <= 0 else "latest_weight_kg")


@pytest.mark.parametrize(
    ("dose_mg", "exact_mg", "site_percent", "kept_percent"),
    [
        ("10000", "10500", "5", "5"),
        ("10000", "10500", "2", "4.77"),
        ("10000", "9750", "0", "2.57"),
        ("10500", "10500", "5", "5"),
    ],
)
def test_a_rounded_dose_keeps_leave_at_least_as_wide_as_it_used(
    dose_mg: str, exact_mg: str, site_percent: str, kept_percent: str
) -> None:
    kept = leave_kept(dose_mg=D(dose_mg), rounded_from_mg=D(exact_mg), site_percent=D(site_percent))
    assert kept == VialRounding(D(kept_percent))
