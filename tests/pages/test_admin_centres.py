"""The admin site's page of a center: its whole policy, and the days on which it is closed, saved by actions, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients import actions
from patients.models import Centre, ClosedDay, Event, User
from patients.refusal import Refusal
from patients.roles import Role
from patients.when import day_text, local_day
from tests.factories import NEW_YORK, make_centre, make_member

pytestmark = pytest.mark.django_db
PROTOCOL = "Missed CMV immune globulin, signed 14-Nov-2026"
HOLIDAY = date(2026, 12, 25)
NOON = datetime(2026, 12, 1, 17, tzinfo=UTC)


@pytest.fixture
def administrator():
    return make_member(Role.ADMINISTRATOR)


@pytest.fixture
def page(client, administrator):
    client.force_login(User.objects.get(pk=administrator.user_id))
    return client


def text(response) -> str:
    return response.content.decode()


def address(centre: Centre) -> str:
    return reverse("admin:patients_centre_change", args=[centre.pk])


def typed(
    centre: Centre, *, days: Sequence[dict[str, Any]] = (), listed: Sequence[ClosedDay] = (), **changes: Any
) -> dict[str, Any]:
    """What the browser sends: the centre as it is with these changes, the listed closed days, and new ones."""
    data: dict[str, Any] = {
        "name": centre.name,
        "time_zone": centre.time_zone,
        "phone": centre.phone,
        "pump_increment_ml_per_h": "0.1",
        "vial_rounding_percent": "0",
        "closed_weekdays": ["5", "6"],
        "collaborative_protocol": "",
        "closed_days-TOTAL_FORMS": len(listed) + len(days),
        "closed_days-INITIAL_FORMS": len(listed),
    }
    for number, row in enumerate(listed):
        data |= {f"closed_days-{number}-id": row.pk, f"closed_days-{number}-centre": centre.pk}
    for number, row in enumerate(days, start=len(listed)):
        data |= {f"closed_days-{number}-{name}": value for name, value in row.items()}
    return data | changes


def next_year() -> date:
    return local_day(timezone.now(), NEW_YORK) + timedelta(days=300)


# --- The page ----------------------------------------------------------------------------------------------------------------


def test_the_whole_policy_of_a_center_is_edited_on_its_page(page, administrator):
    centre = administrator.centre
    changes = {
        "consent_required": "on",
        "shift_allowed": "on",
        "second_factor_required": "on",
        "vial_rounding_percent": "5",
        "closed_weekdays": ["6"],
        "collaborative_protocol": PROTOCOL,
    }
    assert page.post(address(centre), typed(centre, **changes)).status_code == 302
    saved = Centre.objects.get(pk=centre.pk)
    assert (saved.consent_required, saved.shift_allowed, saved.second_factor_required) == (True, True, True)
    assert (saved.closed_weekdays, saved.collaborative_protocol, saved.vial_rounding_percent) == ([6], PROTOCOL, 5)
    changed = Event.objects.filter(name="correct_centre").latest("pk").facts["changed"]
    assert set(changed) == set(changes)


def test_the_days_of_the_week_are_seven_boxes_and_none_may_be_ticked(page, administrator):
    centre = administrator.centre
    shown = text(page.get(address(centre)))
    assert [day for day in ("Monday", "Tuesday", "Saturday", "Sunday") if day not in shown] == []
    assert shown.count('name="closed_weekdays"') == 7
    assert shown.count("checked") == 2
    assert page.post(address(centre), typed(centre, closed_weekdays=[])).status_code == 302
    assert Centre.objects.get(pk=centre.pk).closed_weekdays == []
    assert "Select a valid choice" in text(page.post(address(centre), typed(centre, closed_weekdays=["7"])))


def test_the_limits_stand_beside_the_fields(page, administrator):
    shown = text(page.get(address(administrator.centre)))
    for said in ("above 0 and at most 99.99", "0 (off) to 10", "Left empty, a prescriber alone decides", "stay a prescriber"):
        assert said in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"collaborative_protocol": "yes"}, "the name and the date of the signed document"),
        ({"pump_increment_ml_per_h": "0"}, "pump"),
        ({"vial_rounding_percent": "10.1"}, "10 percent"),
    ],
)
def test_a_policy_outside_its_limits_comes_back_with_a_sentence_and_saves_nothing(page, administrator, changes, words):
    centre = administrator.centre
    answer = page.post(address(centre), typed(centre, name="Another name", **changes))
    assert answer.status_code == 200 and words in text(answer)
    assert Centre.objects.get(pk=centre.pk).name == centre.name


def test_a_time_zone_that_no_clock_knows_is_refused(page, administrator):
    centre = administrator.centre
    assert "no time zone" in text(page.post(address(centre), typed(centre, time_zone="Mars")))
    assert page.post(address(centre), typed(centre, time_zone="America/Chicago")).status_code == 302
    assert Centre.objects.get(pk=centre.pk).time_zone == "America/Chicago"


def test_closed_days_are_added_and_removed_on_the_page_of_the_center(page, administrator):
    centre, on = administrator.centre, next_year()
    rows = [{"on": day_text(on), "title": "New Year"}, {"on": "", "title": ""}]
    assert page.post(address(centre), typed(centre, days=rows)).status_code == 302
    row = ClosedDay.objects.get(centre=centre)
    assert (row.on, row.title, row.removed_at) == (on, "New Year", None)
    shown = text(page.get(address(centre)))
    assert "New Year" in shown and 'value="New Year"' not in shown  # read, not edited
    removal = typed(centre, listed=[row]) | {"closed_days-0-DELETE": "on"}
    assert page.post(address(centre), removal).status_code == 302
    row.refresh_from_db()
    assert row.removed_at is not None
    assert "New Year" not in text(page.get(address(centre))).partition("Closed days from today on")[2]
    names = Event.objects.filter(name__contains="closed_day").order_by("pk").values_list("name", "actor_id")
    assert list(names) == [("add_closed_day", administrator.user_id), ("remove_closed_day", administrator.user_id)]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"on": "03/04/2027", "title": "Holiday"}, "two different days"),
        ({"on": "01-Jan-2020", "title": "Holiday"}, "over"),
        ({"on": "", "title": "Holiday"}, "required"),
    ],
)
def test_a_refused_day_saves_nothing_of_the_page(page, administrator, row, words):
    centre = administrator.centre
    good = {"on": day_text(next_year()), "title": "Founders' day"}
    answer = page.post(address(centre), typed(centre, days=[good, row], phone="+1 212 555 0199"))
    assert answer.status_code == 200 and words in text(answer)
    assert not ClosedDay.objects.exists()
    assert Centre.objects.get(pk=centre.pk).phone == centre.phone
    assert not Event.objects.filter(name__in=["add_closed_day", "correct_centre"]).exists()


def test_a_refused_center_adds_no_day(page, administrator):
    centre = administrator.centre
    good = {"on": day_text(next_year()), "title": "Founders' day"}
    assert page.post(address(centre), typed(centre, days=[good], time_zone="Mars")).status_code == 200
    assert not ClosedDay.objects.exists()


def test_the_page_of_another_center_takes_no_closed_day(page):
    other = make_centre()
    good = {"on": day_text(next_year()), "title": "Founders' day"}
    answer = page.post(address(other), typed(other, days=[good]))
    assert answer.status_code == 200 and "own center only" in text(answer)
    assert not ClosedDay.objects.exists()


def test_a_pharmacist_does_not_see_the_page():
    pharmacist = make_member(Role.PHARMACIST)
    client = Client()
    client.force_login(User.objects.get(pk=pharmacist.user_id))
    assert client.get(address(pharmacist.centre)).status_code in (302, 403)


# --- The actions -------------------------------------------------------------------------------------------------------------


def add(by, centre: Centre, on: date = HOLIDAY, title: str = "Christmas Day", at: datetime = NOON) -> ClosedDay:
    return actions.add_closed_day(by=by, at=at, centre=centre, on=on, title=title)


def refused(code: str, act) -> None:
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code


def test_a_day_is_listed_once_and_may_be_listed_again_after_it_was_removed(administrator):
    first = add(administrator, administrator.centre)
    refused("closed_day_is_listed_once", lambda: add(administrator, administrator.centre, title="Holiday"))
    actions.remove_closed_day(by=administrator, at=NOON, closed_day=first)
    refused("removed_already", lambda: actions.remove_closed_day(by=administrator, at=NOON, closed_day=first))
    add(administrator, administrator.centre)
    assert ClosedDay.objects.filter(removed_at=None).count() == 1


@pytest.mark.parametrize(("hours", "is_over"), [(-1, False), (0, True)])
def test_a_day_is_over_at_the_centers_own_midnight(administrator, hours, is_over):
    row = add(administrator, administrator.centre)
    midnight = datetime(2026, 12, 26, 5, tzinfo=UTC)  # in New York
    at = midnight + timedelta(hours=hours)
    if is_over:
        refused("day_is_past", lambda: actions.remove_closed_day(by=administrator, at=at, closed_day=row))
    else:
        actions.remove_closed_day(by=administrator, at=at, closed_day=row)
    other = make_centre()
    if is_over:
        refused("day_is_past", lambda: add(None, other, at=at))
    else:
        add(None, other, at=at)


def test_a_closed_day_has_a_title(administrator):
    refused("title_needed", lambda: add(administrator, administrator.centre, title="  "))
    refused("too_long", lambda: add(administrator, administrator.centre, title="x" * 81))


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_only_an_administrator_of_the_center_closes_days(administrator, role):
    centre = administrator.centre
    row = add(administrator, centre)
    by = make_member(role, centre=centre)
    refused("role", lambda: add(by, centre, on=HOLIDAY + timedelta(days=1)))
    refused("role", lambda: actions.remove_closed_day(by=by, at=NOON, closed_day=row))


def test_an_administrator_closes_no_day_of_another_center(administrator):
    other = make_centre()
    row = add(None, other)
    refused("other_centre", lambda: add(administrator, other, on=HOLIDAY + timedelta(days=1)))
    refused("other_centre", lambda: actions.remove_closed_day(by=administrator, at=NOON, closed_day=row))
