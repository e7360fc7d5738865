"""Where a center starts slowly with a new lot: the lot is known first, the page shows its rates, and only then the pump runs."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.models import Centre
from patients.refusal import Refusal
from regimens.actions.parts import VialFacts
from regimens.models import Administration
from tests.regimens.test_infusion_pages import signed_in, start_data, typed
from tests.regimens.ward import LOT_EXPIRES, Ward, dose, give, make_course, make_ward, release, start

pytestmark = pytest.mark.django_db


def second_due(*, is_slow: bool = True) -> tuple[Ward, Any]:
    """A ward whose center starts slowly with a new lot, and a second dose that is due now; the first came from lot A21K77."""
    ward = make_ward()
    Centre.objects.filter(pk=ward.centre.pk).update(slow_with_new_lot=is_slow)
    now = timezone.now()
    course = make_course(ward, at=now - timedelta(days=14))
    give(ward, dose(course), at=now - timedelta(days=13, hours=12))
    second = dose(course, 2)
    assert (second.rate_table, second.opens_at < now < second.closes_at) == ("subsequent", True)
    release(ward, second, at=now)
    return ward, second


def vial(lot: str) -> list[VialFacts]:
    return [VialFacts(lot, LOT_EXPIRES, Decimal(50))]


@pytest.mark.parametrize(
    ("changes", "table"),
    [
        ({"vials": vial("A21K77")}, "subsequent"),
        ({"vials": vial("B7"), "shown_table": "initial"}, "initial"),
        ({}, "lot_first"),
        ({"vials": vial("B7"), "shown_table": "subsequent"}, "new_lot"),
        ({"vials": vial("B7")}, "new_lot"),
    ],
)
def test_a_new_lot_starts_by_the_initial_table_once_that_was_shown(changes, table):
    ward, second = second_due()
    if table in ("initial", "subsequent"):
        assert start(ward, second, at=timezone.now(), **changes).rate_table == table
        return
    with pytest.raises(Refusal) as caught:
        start(ward, second, at=timezone.now(), **changes)
    assert (caught.value.code, caught.value.field) == (table, "lot_number")
    assert not Administration.objects.filter(dose=second).exists()


def test_a_center_that_asks_for_nothing_starts_a_new_lot_as_planned():
    ward, second = second_due(is_slow=False)
    assert start(ward, second, at=timezone.now(), vials=vial("B7")).rate_table == "subsequent"


def test_what_was_given_from_a_new_lot_is_judged_by_the_initial_table_and_never_refused():
    ward, second = second_due()
    why = "Begun before the release was signed"
    record = give(ward, second, at=timezone.now() - timedelta(hours=5), vials=vial("B7"), reason=why)
    assert record.rate_table == "initial"


def test_the_page_shows_the_rates_of_the_new_lot_before_it_starts():
    ward, second = second_due()
    client, url = signed_in(ward.nurse), reverse("infusion-log", args=[second.pk])
    page = client.get(url).content.decode()
    assert typed(page, "shown_table") == "subsequent"
    without = client.post(url, start_data(ward, second, page))
    assert (without.status_code, Administration.objects.filter(dose=second).exists()) == (422, False)
    assert re.search(r'name="lot_number"[^>]* required', without.content.decode())
    data = start_data(ward, second, page, lot_number="B7", expires_on="30-Sep-2099", shown_table="subsequent")
    answer = client.post(url, data)
    again = answer.content.decode()
    assert (answer.status_code, typed(again, "shown_table")) == (422, "initial")
    assert "of another lot" in again
    assert "a new lot, where the site restarts slowly for it" in again
    assert client.post(url, data | {"shown_table": typed(again, "shown_table")}).status_code == 302
    assert Administration.objects.get(dose=second).rate_table == "initial"
