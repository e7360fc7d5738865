"""What is typed into the forms of a course."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.forms import ValidationError

from regimens.forms.course import AmountField


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("10,500", "10500"), ("10500", "10500"), ("937.5", "937.5"), (" 480 ", "480"), ("0.5", "0.5"), ("", None)],
)
def test_an_amount_is_read_as_the_product_writes_it(typed: str, amount: str | None) -> None:
    assert AmountField(unit="mg", required=False).clean(typed) == (Decimal(amount) if amount else None)


@pytest.mark.parametrize(
    "typed", ["140,5", "10,50", "1,05,00", "10.500,5", "1e4", "+5", "7_0", "７０", "٧٠", ".5", "5.", "5.125", "-1", "NaN"]
)
def test_an_amount_that_could_be_read_in_two_ways_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        AmountField(unit="mg").clean(typed)
