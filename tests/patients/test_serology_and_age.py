"""CMV IgG of donor and recipient, and age: pure rules."""

from __future__ import annotations

from datetime import date

import pytest

from patients import rules

P, N, IND, U, X = "positive", "negative", "indeterminate", "unknown", "not_done"


@pytest.mark.parametrize(
    ("donor", "recipient", "code", "pair"),
    [
        (P, N, "highest", "D+/R−"),
        (P, P, "intermediate", "D+/R+"),
        (N, P, "intermediate", "D−/R+"),
        (N, N, "low", "D−/R−"),
        (IND, N, "highest", "D±/R−"),
        (P, IND, "highest", "D+/R±"),
        (IND, IND, "highest", "D±/R±"),
        (IND, P, "intermediate", "D±/R+"),
        (N, IND, "low", "D−/R±"),
        (U, N, "unknown", "D?/R−"),
        (P, U, "unknown", "D+/R?"),
        (X, X, "unknown", "D?/R?"),
        (P, X, "unknown", "D+/R?"),
    ],
)
def test_the_risk_group_of_a_solid_organ(donor, recipient, code, pair):
    group = rules.risk_group(donor, recipient, ["kidney"])
    assert group.code == code
    assert group.label.startswith(pair)
    assert group.source


def test_an_indeterminate_result_is_said_aloud():
    assert "higher risk" in rules.risk_group(IND, N, ["lung"]).note


def test_two_negatives_ask_to_confirm_the_indication():
    assert "Confirm the indication" in rules.risk_group(N, N, ["kidney"]).note


def test_unknown_is_never_read_as_negative():
    for donor in (U, X):
        assert rules.risk_group(donor, N, ["kidney"]).code == "unknown"


@pytest.mark.parametrize(("donor", "recipient"), [(P, N), (N, P), (N, N), (U, U)])
def test_stem_cells_are_not_put_in_the_order_of_solid_organs(donor, recipient):
    assert rules.risk_group(donor, recipient, ["hsct"]).code == "stem_cells"


@pytest.mark.parametrize(
    ("on", "years"),
    [(date(2026, 7, 13), 46), (date(2026, 7, 14), 47), (date(2026, 7, 15), 47), (date(1979, 7, 14), 0)],
)
def test_a_year_is_complete_on_the_birthday(on, years):
    assert rules.age_years(date(1979, 7, 14), on) == years


def test_a_leap_day_birthday_falls_on_the_first_of_march():
    assert rules.age_years(date(1988, 2, 29), date(2026, 2, 28)) == 37
    assert rules.age_years(date(1988, 2, 29), date(2026, 3, 1)) == 38
    assert rules.age_years(date(1988, 2, 29), date(2028, 2, 29)) == 40


@pytest.mark.parametrize(
    ("on", "text"),
    [
        (date(2026, 1, 28), "27d"),
        (date(2026, 1, 29), "0m"),
        (date(2026, 2, 1), "1m"),
        (date(2027, 12, 31), "23m"),
        (date(2028, 1, 1), "2y"),
    ],
)
def test_small_children_are_aged_in_days_and_months(on, text):
    assert rules.age_text(date(2026, 1, 1), on) == text


@pytest.mark.parametrize(
    ("sex", "age", "asked"),
    [("female", 9, False), ("female", 10, True), ("unknown", 60, True), ("other", 61, False), ("male", 30, False)],
)
def test_pregnancy_is_asked_where_it_can_be(sex, age, asked):
    assert rules.asks_about_pregnancy(sex, age) is asked
