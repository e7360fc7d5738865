"""A product dosed in mL per kg: the mL stand in the file, the mg follow from the concentration, units of activity stay as they are."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from regimens.domain.dosing import DoseAmount, dose_for
from regimens.domain.infusion import plan_infusion
from regimens.domain.library_checks import problems
from regimens.domain.library_diff import differences
from regimens.domain.library_file import dump, parse
from regimens.domain.monograph import DoseUnit, Monograph
from regimens.domain.reasons import Refused
from regimens.library import FOLDER, SHIPPED

D = Decimal
TEXT = (FOLDER / "examples" / "ml_per_kg.toml").read_text("utf-8")
EXAMPLE = parse(TEXT)
PROTOCOL = EXAMPLE.protocols[0]


def dose(weight_kg: str, monograph: Monograph = EXAMPLE) -> DoseAmount:
    protocol = monograph.protocols[0]
    return dose_for(protocol=protocol, row=protocol.doses[0], weight_kg=D(weight_kg), monograph=monograph)


def test_the_example_is_written_in_ml_and_reads_back_the_same() -> None:
    assert dump(EXAMPLE) == TEXT
    assert "ml_per_kg = 1\n" in TEXT and "mg_per_kg = " not in TEXT
    assert {(row.ml_per_kg, row.mg_per_kg) for row in PROTOCOL.doses} == {(1, 50)}
    assert (PROTOCOL.cap_ml_per_kg, PROTOCOL.cap_mg_per_kg) == (1, 50)
    assert [(step.ml_per_kg_per_h, step.mg_per_kg_per_h) for step in EXAMPLE.rate_table("initial").steps] == [
        (D("0.08"), 4),
        (D("0.8"), 40),
    ]


def test_the_example_is_disabled_and_comes_into_use_only_switched_on() -> None:
    assert not any(protocol.enabled for protocol in EXAMPLE.protocols)
    assert problems(EXAMPLE) == ()
    assert [problem.field for problem in problems(EXAMPLE, in_use=True)] == ["protocol"]
    assert problems(replace(EXAMPLE, protocols=(replace(PROTOCOL, enabled=True),)), in_use=True) == ()


@pytest.mark.parametrize(
    ("weight_kg", "mg", "ml", "vials"), [("10", 500, 10, 1), ("70", 3500, 70, 7), ("82.5", 4125, D("82.5"), 9)]
)
def test_a_product_dosed_in_ml_is_reckoned_in_mg_and_comes_out_in_its_own_ml(
    weight_kg: str, mg: int, ml: Decimal, vials: int
) -> None:
    found = dose(weight_kg)
    assert (found.dose_mg, found.draw_ml, found.vials) == (mg, ml, vials)
    assert found.working.rules[:2] == ("R-DOSE-11", "R-DOSE-1")
    assert found.working.steps[0].sentence == "1\u00a0mL per kg × 50\u00a0mg per mL = 50\u00a0mg per kg"


def test_one_ml_per_kg_takes_84_minutes_at_any_weight_below_the_pumps_limit() -> None:
    for weight_kg in ("10", "70", "90"):
        plan = plan_infusion(dose=dose(weight_kg), table=EXAMPLE.rate_table("initial"), monograph=EXAMPLE)
        assert plan.total_minutes == 84
        assert plan.exact_rates_ml_per_h == (D("0.08") * D(weight_kg), D("0.8") * D(weight_kg))


def test_units_of_activity_are_shown_and_change_no_dose() -> None:
    product = EXAMPLE.product
    assert (product.doses_in, product.activity_per_ml) == (DoseUnit.ML, 100)
    other = replace(EXAMPLE, product=replace(product, activity_per_ml=D(50)))
    assert dose("70", other).dose_mg == dose("70").dose_mg
    assert dump(replace(EXAMPLE, product=replace(product, activity_per_ml=None, activity_unit=""))).count("activity") == 1


def test_a_product_dosed_in_mg_has_no_step_about_ml() -> None:
    shipped = parse(SHIPPED.read_text("utf-8"))
    assert "R-DOSE-11" not in dose("70", shipped).working.rules


@pytest.mark.parametrize(
    ("before", "after", "field", "words"),
    [
        ("ml_per_kg = 1\n", "mg_per_kg = 50\n", "protocol.prophylaxis_ml.ml_per_kg", ""),
        ("concentration_mg_per_ml = 50", "concentration_mg_per_ml = 33.33", "", "2 decimals"),
        (
            "ml_per_kg_per_h = 0.8\n",
            "ml_per_kg_per_h = 0.05\n",
            "rate_table.initial.step[1].mg_per_kg_per_h",
            "falls from 4 to 2.5",
        ),
        ("cap_ml_per_kg = 1\n", "cap_ml_per_kg = 20\n", "protocol.prophylaxis_ml.cap_mg_per_kg", "above 500"),
        ('doses_in = "mL"', 'doses_in = "U"', "product.doses_in", "one of: mg, mL"),
    ],
)
def test_a_file_in_the_wrong_unit_is_refused_by_its_key(before: str, after: str, field: str, words: str) -> None:
    text = TEXT.replace(before, after)
    assert text != TEXT
    with pytest.raises(Refused) as caught:
        parse(text)
    assert field.rpartition(".")[0] in caught.value.field
    assert words in caught.value.sentence.replace("\u00a0", " ")


def test_an_amount_without_its_ml_or_with_other_mg_is_a_problem_and_so_are_ml_of_a_product_in_mg() -> None:
    first, *others = PROTOCOL.doses

    def found(**changes: object) -> list[tuple[str, str]]:
        rows = (replace(first, **changes), *others)  # type: ignore[arg-type]
        changed = replace(EXAMPLE, protocols=(replace(PROTOCOL, doses=rows),))
        return [(problem.code, problem.field) for problem in problems(changed)]

    assert found(ml_per_kg=None) == [("missing", "protocol.prophylaxis_ml.dose[0].ml_per_kg")]
    assert found(mg_per_kg=D(40)) == [("mg_not_derived", "protocol.prophylaxis_ml.dose[0].ml_per_kg")]
    in_mg = replace(EXAMPLE, product=replace(EXAMPLE.product, doses_in=DoseUnit.MG))
    assert {problem.code for problem in problems(in_mg)} == {"wrong_unit"}


def test_the_difference_tells_ml_as_well() -> None:
    changed = parse(TEXT.replace("ml_per_kg = 1\n", "ml_per_kg = 0.5\n"))
    told = {(row.where.rpartition(" › ")[2], row.before, row.after) for row in differences(EXAMPLE, changed)}
    assert {("ml per kg", "1", "0.5"), ("mg per kg", "50", "25")} <= told
