"""One way to write a number, a day, an instant; exact helpers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from regimens.domain import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10500", "10,500"),
        ("10500.00", "10,500"),
        ("70.50", "70.5"),
        ("0.5", "0.5"),
        ("0", "0"),
        ("-0.0", "0"),
        ("100", "100"),
        ("1E+3", "1,000"),
        ("999.9", "999.9"),
        ("1000000", "1,000,000"),
        ("0.01", "0.01"),
        ("-2.50", "-2.5"),
        ("1E-7", "0.0000001"),
    ],
)
def test_a_number_has_no_trailing_zero_and_a_comma_from_1000(value: str, text: str) -> None:
    assert units.number(Decimal(value)) == text


def test_a_number_is_rounded_half_up_only_when_asked() -> None:
    assert units.number(Decimal("189.4736"), 1) == "189.5"
    assert units.number(Decimal("0.125"), 2) == "0.13"
    assert units.number(Decimal("-4.7619"), 2) == "-4.76"
    assert units.number(Decimal("2.5"), 0) == "3"
    assert units.number(7) == "7"


def test_number_and_unit_do_not_part() -> None:
    assert units.with_unit(Decimal(10500), "mg") == "10,500\u00a0mg"
    assert units.with_unit(Decimal("1.005"), "mL", 2) == "1.01\u00a0mL"


def test_a_day_and_an_instant_are_written_one_way() -> None:
    assert units.day_text(date(2026, 5, 1)) == "01-May-2026"
    assert (
        units.instant_text(datetime(2026, 11, 1, 5, 5, tzinfo=UTC), "America/New_York")
        == "01-Nov-2026 01:05 (America/New_York)"
    )


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        ("202.8", "3\u00a0h 23\u00a0min"),
        ("59.1", "1\u00a0h"),
        ("59", "59\u00a0min"),
        ("60", "1\u00a0h"),
        ("0", "0\u00a0min"),
        ("60.5", "1\u00a0h 1\u00a0min"),
    ],
)
def test_a_duration_is_rounded_up_to_the_minute(minutes: str, text: str) -> None:
    assert units.duration_text(Decimal(minutes)) == text


def test_pounds_are_an_echo() -> None:
    assert units.pounds(Decimal(70)) == 154
    assert units.pounds(Decimal("3.2")) == 7
    assert units.pounds_echo(Decimal(70)) == "about 154\u00a0lb"
    assert units.pounds(units.KG_PER_POUND / 2) == 1  # half up


def test_floors_never_round_up() -> None:
    assert units.floor_to(Decimal("24.75"), Decimal("0.1")) == Decimal("24.7")
    assert units.floor_to(Decimal("0.96"), Decimal(1)) == 0
    assert units.ceil_div(Decimal(210), Decimal(50)) == 5
    assert units.ceil_div(Decimal(200), Decimal(50)) == 4
    assert units.whole_minutes(Decimal("202.0001")) == 203
    assert units.whole_minutes(Decimal(202)) == 202
    assert units.elapsed(Decimal("0.5")) == timedelta(seconds=30)
    assert units.elapsed(Decimal("0.000000098")) == timedelta(microseconds=5)  # 5.88: downwards


@pytest.mark.parametrize(("value", "places"), [("70.50", 1), ("70", 0), ("1E+3", 0), ("3.27", 2), ("0", 0)])
def test_decimals_are_counted_without_trailing_zeros(value: str, places: int) -> None:
    assert units.decimals(Decimal(value)) == places


def test_a_value_that_is_no_number_has_no_decimals() -> None:
    assert units.decimals(Decimal("NaN")) == 0


@pytest.mark.parametrize(
    ("on", "months", "result"),
    [
        ("2026-08-31", 6, "2027-02-28"),
        ("2027-08-31", 6, "2028-02-29"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2026-04-30", 8, "2026-12-30"),
    ],
)
def test_months_end_with_the_month(on: str, months: int, result: str) -> None:
    assert units.add_months(date.fromisoformat(on), months) == date.fromisoformat(result)


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("1960-11-22", "2026-11-21", 65),
        ("1960-11-22", "2026-11-22", 66),
        ("1960-11-22", "2026-12-01", 66),
        ("2008-02-29", "2026-02-28", 17),
        ("2008-02-29", "2026-03-01", 18),
        ("2026-01-01", "2026-01-01", 0),
    ],
)
def test_age_counts_from_birthday_to_birthday(born: str, on: str, age: int) -> None:
    assert units.age_on(date.fromisoformat(born), date.fromisoformat(on)) == age


def test_an_hour_that_comes_twice_says_which_it_is_where_the_zone_is_named_elsewhere() -> None:
    first, second = datetime(2026, 11, 1, 5, 5, tzinfo=UTC), datetime(2026, 11, 1, 6, 5, tzinfo=UTC)
    assert units.wall_text(first, "America/New_York") == "01-Nov-2026 01:05\u00a0EDT"
    assert units.wall_text(second, "America/New_York") == "01-Nov-2026 01:05\u00a0EST"
    assert units.wall_text(second, "UTC") == "01-Nov-2026 06:05"
