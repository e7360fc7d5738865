"""Weights as people type them, and what a new one means beside the last (safety.md hazards H03, H04, H05)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from patients import rules
from patients.refusal import Refusal

ACCEPTED = [
    ("70", "70"),
    ("70.5", "70.5"),
    (" 70 ", "70"),
    ("2", "2"),
    ("2.05", "2.05"),
    ("9.99", "9.99"),
    ("4.25", "4.25"),
    ("10", "10"),
    ("10.5", "10.5"),
    ("300", "300"),
]
REFUSED = [
    ("70,5", "weight_text", "Use a point"),
    ("7_0", "weight_text", "plain number"),
    ("７０", "weight_text", "digits 0 to 9"),
    ("٧٠", "weight_text", "digits 0 to 9"),
    ("7e1", "weight_text", "plain number"),
    ("+70", "weight_text", "plus or minus"),
    (".5", "weight_text", "zero before the point"),
    ("70.", "weight_text", "digit after the point"),
    ("070", "weight_text", "zero in front"),
    ("70kg", "weight_text", "always kg"),
    ("154 lb", "weight_text", "kg only"),
    ("NaN", "weight_text", "plain number"),
    ("Infinity", "weight_text", "plain number"),
    ("-70", "weight_text", "plus or minus"),
    ("0", "weight_range", "outside"),
    ("1e400", "weight_text", "plain number"),
    ("0x46", "weight_text", "plain number"),
    ("70.55", "weight_decimals", "one decimal"),
    ("²", "weight_text", "digits 0 to 9"),
    ("", "weight_text", "Enter the weight"),
    ("70\u200f", "weight_text", "digits 0 to 9"),
    ("1,070", "weight_text", "Use a point"),
    ("70 kg", "weight_text", "always kg"),
    ("11 st", "weight_text", "kg only"),
    ("1.99", "weight_range", "outside"),
    ("300.1", "weight_range", "outside"),
    ("9.999", "weight_decimals", "two decimals"),
    ("70\n", "weight_text", "plain number"),
    ("7 0", "weight_text", "plain number"),
    ("70.5.5", "weight_text", "plain number"),
]


def test_the_table_has_forty_strings():
    assert len(ACCEPTED) + len(REFUSED) == 40


@pytest.mark.parametrize(("typed", "weight_kg"), ACCEPTED)
def test_a_plain_weight_in_kg_is_read_exactly(typed, weight_kg):
    assert rules.parse_weight_kg(typed) == Decimal(weight_kg)


@pytest.mark.parametrize(("typed", "code", "words"), REFUSED)
def test_anything_else_is_refused_with_plain_words(typed, code, words):
    with pytest.raises(Refusal) as refused:
        rules.parse_weight_kg(typed)
    assert (refused.value.code, refused.value.field) == (code, "weight_kg")
    assert words in refused.value.sentence


def test_limits_of_a_weight_are_arguments():
    limits = rules.WeightLimits(min_kg=Decimal("0.5"), max_kg=Decimal(80))
    assert rules.parse_weight_kg("0.75", limits=limits) == Decimal("0.75")
    with pytest.raises(Refusal, match="weight_range"):
        rules.parse_weight_kg("80.1", limits=limits)


@pytest.mark.parametrize(
    ("last", "new", "asks"),
    [
        ("70", "77", True),
        ("70", "76.9", False),
        ("70", "63", True),
        ("70", "63.1", False),
        ("70", "70", False),
        ("4.5", "4.95", True),
    ],
)
def test_exactly_ten_percent_asks(last, new, asks):
    assert rules.weight_change(Decimal(last), Decimal(new)).asks is asks


@pytest.mark.parametrize(
    ("last", "new", "signature"),
    [
        ("70", "154", "pounds"),
        ("32", "70.5", "pounds"),
        ("70", "32", "pounds"),
        ("154", "70", "pounds"),
        ("70", "140", "pounds"),
        ("70", "139.9", ""),
        ("70", "168", "pounds"),
        ("70", "168.1", ""),
        ("70", "29.4", "pounds"),
        ("70", "29.3", ""),
        ("70", "35", "pounds"),
        ("70", "35.1", ""),
        ("7", "70", "decimal_point"),
        ("70.5", "7.05", "decimal_point"),
        ("20", "180", "decimal_point"),
        ("20", "179.9", ""),
        ("20", "220", "decimal_point"),
        ("20", "220.1", ""),
        ("90", "10", "decimal_point"),
        ("90", "10.1", ""),
        ("110", "10", "decimal_point"),
        ("111", "10", ""),
    ],
)
def test_slips_of_unit_and_of_point_are_recognised(last, new, signature):
    assert rules.weight_change(Decimal(last), Decimal(new)).signature == signature


def test_every_weight_from_10_to_130_kg_typed_in_pounds_is_recognised():
    for tenth in range(100, 1301):
        weight_kg = Decimal(tenth) / 10
        pounds = (weight_kg / rules.KG_PER_LB).quantize(Decimal("0.1"))
        assert rules.weight_change(weight_kg, pounds).signature == "pounds", weight_kg


def test_the_change_is_written_for_people():
    assert rules.weight_change(Decimal(70), Decimal(77)).percent_text == "+10%"
    assert rules.weight_change(Decimal(90), Decimal(60)).percent_text == "−33.3%"
    assert rules.about_lb(Decimal(70)) == "about 154\u00a0lb"
    assert rules.kg_text(Decimal("70.50")) == "70.5\u00a0kg"
    assert rules.number_text(Decimal("1500")) == "1,500"


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [("154", "157.08", True), ("154", "157.1", False), ("5", "5.2", True), ("5", "5.21", False), ("5", "4.8", True)],
)
def test_a_second_measurement_agrees_within_two_percent_or_200_grams(first, second, agree):
    assert rules.agrees(Decimal(first), Decimal(second)) is agree


@pytest.mark.parametrize(("early", "days"), [(True, 7), (False, 14)])
def test_a_weight_is_stale_one_second_after_its_limit(early, days):
    measured_at = datetime(2026, 11, 22, 6, 20, tzinfo=UTC)
    limit = measured_at + timedelta(days=days)
    assert not rules.is_stale(measured_at, limit, is_early_dose=early)
    assert rules.is_stale(measured_at, limit + timedelta(seconds=1), is_early_dose=early)
    assert rules.stale_from(measured_at, is_early_dose=early) == limit
