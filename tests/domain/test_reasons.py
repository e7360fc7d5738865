"""The working of a result: lazy, readable, and the same after a round trip; the refusal names what was wrong."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from regimens.domain import guards
from regimens.domain.monograph import Limit, Source, SourceKind
from regimens.domain.reasons import SITE_POLICY, Derivation, Refused, Step, source_text
from tests.domain.factory import LABEL

LIMIT = Limit("begin_within_h", "Begin within", Decimal(6), "h", LABEL)


def test_a_derivation_becomes_words_only_when_read() -> None:
    asked = []

    def make(weight: Decimal) -> tuple[tuple[str, str, tuple[object, ...], Source], ...]:
        asked.append(weight)
        return (("R-X-1", "{} and {}", ((weight, "kg"), weight), LABEL),)

    derivation = Derivation.later(make, Decimal("70.50"))
    assert not asked
    assert derivation.steps == (Step("R-X-1", "70.5\u00a0kg and 70.5", "Label, Dosage and administration"),)
    assert derivation.rules == ("R-X-1",)
    assert asked


def test_every_kind_of_value_is_written_its_own_way() -> None:
    at = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
    values = (
        True,
        False,
        1500,
        Decimal("0.50"),
        date(2026, 5, 1),
        at,
        (at, "America/New_York"),
        (Decimal(2), "mL"),
        (Decimal("2.345"), "mL", 2),
        "word",
    )
    pattern = " · ".join("{}" for _ in values)
    sentence = Derivation((("R-X-1", pattern, values, "Order"),)).steps[0].sentence
    assert sentence == (
        "yes · no · 1,500 · 0.5 · 01-May-2026 · 22-Nov-2026 14:05 (UTC) · 22-Nov-2026 09:05 (America/New_York) · "
        "2\u00a0mL · 2.35\u00a0mL · word"
    )


def test_a_derivation_survives_json() -> None:
    first = Derivation((("R-X-1", "{}", ((Decimal(7000), "mg"),), LABEL), Step("R-X-2", "as told", "Order")))
    again = Derivation.from_json(json.loads(json.dumps(first.to_json())))
    assert again == first
    assert hash(again) == hash(first) != hash(Derivation(first.parts[:1]))
    assert first != Derivation(first.parts[:1])
    assert first != "R-X-1"
    assert first.to_json()[0] == {"rule": "R-X-1", "sentence": "7,000\u00a0mg", "source": "Label, Dosage and administration"}


def test_derivations_join_count_iterate_and_name_their_rules() -> None:
    one, two = Derivation((Step("R-X-1", "a", ""),)), Derivation((("R-X-2", "b", (), ""),))
    both = one + two
    assert both.rules == ("R-X-1", "R-X-2")
    assert len(both) == 2
    assert [step.sentence for step in both] == ["a", "b"]
    assert repr(both) == "Derivation(R-X-1, R-X-2)"
    assert len(Derivation()) == 0


def test_a_source_is_told_in_words_once() -> None:
    assert source_text(LABEL) == "Label, Dosage and administration"
    assert source_text(Source(SourceKind.SITE_POLICY, "")) == "Site policy"
    assert source_text(Source(SourceKind.SITE_POLICY, "Site policy on windows")) == "Site policy on windows"
    assert source_text("Order") == "Order"
    assert {source_text(Source(kind, "x")).split(",")[0] for kind in SourceKind} == {
        "Monograph",
        "Label",
        "EU label",
        "Guideline",
        "Literature",
        "Site policy",
        "Design choice",
    }


def test_a_refusal_names_field_value_limit_and_source() -> None:
    refusal = Refused(
        "over_cap", "Too much.", source=LABEL, field="mg_per_kg", value=Decimal("1500.0"), limit=(Decimal(150), "mg per kg")
    )
    assert str(refusal) == refusal.sentence == "Too much."
    assert (refusal.code, refusal.field, refusal.value, refusal.limit) == (
        "over_cap",
        "mg_per_kg",
        "1,500",
        "150\u00a0mg per kg",
    )
    assert refusal.source == "Label, Dosage and administration"
    bare = Refused("x", "y")
    assert (bare.source, bare.field, bare.value, bare.limit) == ("", "", "", "")


@pytest.mark.parametrize(
    "value", [70.0, "70", 70, None, Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("sNaN")]
)
def test_only_an_exact_number_passes(value: object) -> None:
    with pytest.raises(Refused) as refusal:
        guards.exact(value, "weight_kg", "kg")
    assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("not_a_decimal", "weight_kg", str(value))
    assert "number of kg" in refusal.value.sentence
    with pytest.raises(Refused, match=r"number\.$"):
        guards.exact(value, "weight_kg")


@pytest.mark.parametrize(
    ("value", "passes"),
    [("0", True), ("0E+40", True), ("1E-9", True), ("9.9E-10", False), ("-999999999.9", True), ("1E+9", False)],
)
def test_a_number_has_nine_digits_on_either_side_of_the_point(value: str, passes: bool) -> None:
    if passes:
        assert guards.exact(Decimal(value), "x") == Decimal(value)
        return
    with pytest.raises(Refused) as refusal:
        guards.exact(Decimal(value), "x")
    assert (refusal.value.code, refusal.value.value) == ("out_of_reach", value)


@pytest.mark.parametrize(
    ("value", "passes"), [("1899-12-31", False), ("1900-01-01", True), ("2199-12-31", True), ("2200-01-01", False)]
)
def test_the_calendar_of_the_rules_is_1900_to_2199(value: str, passes: bool) -> None:
    on = date.fromisoformat(value)
    for ask in (lambda: guards.day(on, "on"), lambda: guards.instant(datetime.combine(on, time(), UTC), "at")):
        if passes:
            ask()
            continue
        with pytest.raises(Refused) as refusal:
            ask()
        assert (refusal.value.code, refusal.value.limit) == ("beyond_calendar", "01-Jan-1900 to 31-Dec-2199")


@pytest.mark.parametrize("value", ["0", "-1", "-0.1"])
def test_what_must_be_more_than_nothing_is(value: str) -> None:
    with pytest.raises(Refused) as refusal:
        guards.positive(Decimal(value), "ceiling", "mg per kg per h")
    assert (refusal.value.code, refusal.value.field, refusal.value.limit) == ("not_positive", "ceiling", "more than 0")
    assert guards.positive(Decimal("0.1"), "ceiling", "x") == Decimal("0.1")


def test_a_site_may_shorten_a_time_never_lengthen_it() -> None:
    assert guards.not_longer(Decimal(4), LIMIT, "begin_within_h") == 4
    assert guards.not_longer(Decimal(6), LIMIT, "begin_within_h") == 6
    with pytest.raises(Refused) as refusal:
        guards.not_longer(Decimal("6.1"), LIMIT, "begin_within_h")
    assert (refusal.value.code, refusal.value.limit, refusal.value.source) == (
        "only_shorter",
        "6",
        "Label, Dosage and administration",
    )
    with pytest.raises(Refused, match="more than 0"):
        guards.not_longer(Decimal(0), LIMIT, "begin_within_h")
    with pytest.raises(Refused, match="not an exact number"):
        guards.not_longer(Decimal("NaN"), LIMIT, "begin_within_h")


def test_decimals_are_limited() -> None:
    assert guards.at_most_decimals(Decimal("70.50"), "weight_kg", 1) == Decimal("70.5")
    with pytest.raises(Refused, match=r"70\.55 has more than 1 decimals"):
        guards.at_most_decimals(Decimal("70.55"), "weight_kg", 1)


def test_an_instant_is_turned_to_utc() -> None:
    got = guards.instant(datetime.fromisoformat("2026-11-22T14:05-05:00"), "at")
    assert got.isoformat() == "2026-11-22T19:05:00+00:00"
    assert got.tzinfo is UTC  # and not the zone of the machine, which may be at UTC today
    for wrong in (datetime(2026, 1, 1), date(2026, 1, 1), "2026-01-01", None):  # noqa: DTZ001
        with pytest.raises(Refused):
            guards.instant(wrong, "at")


def test_a_day_is_a_day() -> None:
    assert guards.day(date(2026, 1, 1), "on") == date(2026, 1, 1)
    with pytest.raises(Refused, match="not a calendar day"):
        guards.day("2026-01-01", "on")


def test_site_policy_is_named_as_such() -> None:
    assert source_text(SITE_POLICY) == "Site policy"
