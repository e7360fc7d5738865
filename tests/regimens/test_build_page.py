"""The build page: what it shows is what it saves and what is signed, and what may not be planned shows no number."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients import actions
from patients.models import Transplant
from regimens.actions import courses, orders, planning
from regimens.models import Course, OutsideDose, PlannedDose
from regimens.templatetags import display
from tests.factories import PASSWORD, make_transplant, make_weight
from tests.regimens.build_form import ZONE, a_course, instant, typed
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team, order_of, verify
from tests.support import count

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    """This minute: the pages read the clock."""
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def team(now: datetime) -> Team:
    return make_team(now - timedelta(days=400))


def signed_in(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def preview(client: Client, transplant: Transplant, data: dict[str, str]) -> str:
    """What the script would swap in."""
    answer = client.post(reverse("course-build", args=[transplant.pk]), data, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def save(client: Client, transplant: Transplant, data: dict[str, str]):
    return client.post(reverse("course-build", args=[transplant.pk]), data | {"request": "1"})


def shown(page: str) -> list[tuple[str, ...]]:
    """Number, target, DOSE, volume, vials and waste of each dose in the preview, as they are written."""
    rows = re.findall(r'<tr class="two-line[^"]*" data-dose="(\d+)">(.*?)</tr>', page, re.S)
    found = []
    for number, row in rows:
        cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)]
        found.append((number, cells[2], *cells[-4:]))
    return found


def as_written(dose: PlannedDose) -> tuple[str, ...]:
    """A saved dose as the preview writes one."""
    return (
        str(dose.number),
        display.format_weekday_day(dose.target_on),
        display.format_unit(dose.dose_mg, "mg"),
        display.format_unit(dose.draw_ml, "mL"),
        display.format_number(dose.vials),
        display.format_unit(dose.waste_ml, "mL"),
    )


# Preview = saved = signed ----------------------------------------------------------------------------------------------------


def test_preview_saved_rows_and_signature_are_one_for_random_courses(team: Team, now: datetime) -> None:
    client = signed_in(team.builder)
    for seed in range(count(40, 1000)):
        transplant, data = a_course(random.Random(seed), team, now)
        lines = shown(preview(client, transplant, data))
        answer = save(client, transplant, data)
        assert answer.status_code == 302, (seed, re.findall(r"<li>(.*?)</li>", answer.content.decode()))
        course = Course.objects.select_related("patient", "protocol", "monograph", "transplant").get(transplant=transplant)
        doses = doses_of(course)
        assert lines == [as_written(dose) for dose in doses], seed
        if course.protocol.off_label:
            orders.cosign_order(order=course.orders.get(), by=team.prescriber, at=now)
        verify(team, course, at=timezone.now())
        for dose in doses_of(course):
            assert dose.content_hash == planning.content_hash(dose), seed
            again = planning.amount_of(dose)
            assert (again.dose_mg, again.draw_ml, again.vials) == (dose.dose_mg, dose.draw_ml, dose.vials), seed


def test_a_posted_value_of_the_preview_changes_nothing(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    client = signed_in(team.builder)
    forged = {
        "dose_mg": "1",
        "1-dose_mg": "1",
        "mg_per_kg": "999",
        "vials": "1",
        "draw_ml": "1",
        "verified_by": str(team.verifier.pk),
        "verified_at": now.isoformat(),
        "content_hash": "f" * 64,
        "built_by": str(team.verifier.pk),
        "settled_as": "recorded",
        "revision": "7",
        "signed_at": now.isoformat(),
    }
    assert save(client, transplant, typed(team, transplant, now) | forged).status_code == 302
    course = Course.objects.get()
    doses = doses_of(course)
    assert [dose.dose_mg for dose in doses] == [10500, 7000, 7000, 7000, 7000, 3500, 3500]
    assert {(dose.verified_by, dose.content_hash, dose.built_by, dose.revision) for dose in doses} == {
        (None, "", team.builder, 1)
    }
    assert course.orders.get().signed_at is None


# What may not be planned -----------------------------------------------------------------------------------------------------


def test_a_plan_that_is_refused_shows_no_dose(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    make_course(team, make_transplant(transplant.patient, at=now, reperfusion_at=now - timedelta(days=90)), at=now)
    client = signed_in(team.builder)
    data = typed(team, transplant, now)
    assert "10,500" in preview(client, transplant, data)
    pump = preview(client, transplant, data | {"ceiling_mg_per_kg_per_h": "0.01"})
    assert "Cannot be planned" in pump
    assert shown(pump) == []
    answer = save(client, transplant, data | {"other_course": "keep", "other_course_reason": "short"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Cannot be planned" in page
    assert shown(page) == []


def test_the_question_about_the_last_28_days_is_asked_on_the_page(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    client = signed_in(team.builder)
    data = typed(team, transplant, now)
    assert save(client, transplant, data | {"prior_ig": ""}).status_code == 422
    assert save(client, transplant, data | {"prior_ig": "unknown"}).status_code == 422
    assert save(client, transplant, data | {"prior_ig": "yes"}).status_code == 422
    assert not Course.objects.exists()
    given = {
        "prior_ig": "yes",
        "outside-0-product": "other_ig",
        **instant("outside-0-given_at", now - timedelta(days=3)),
        "outside-0-given_mg": "35,000",
    }
    incomplete = save(client, transplant, data | given)
    assert incomplete.status_code == 422
    assert "not complete" in incomplete.content.decode()
    assert save(client, transplant, data | given | {"outside-0-said_by": "Ward 7 chart"}).status_code == 302
    assert OutsideDose.objects.get().given_mg == 35000


def test_another_open_course_is_stopped_by_a_prescribers_word(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    old = make_course(team, make_transplant(transplant.patient, at=now, reperfusion_at=now - timedelta(days=90)), at=now)
    client = signed_in(team.builder)
    data = typed(team, transplant, now)
    page = save(client, transplant, data).content.decode()
    assert "Say whether it is stopped or goes on." in page
    assert "The course of transplant 2" in page
    assert save(client, transplant, data | {"other_course": "stop"}).status_code == 422, "a prescriber stops it"
    doctor = signed_in(team.prescriber)
    assert save(doctor, transplant, data | {"other_course": "stop", "password": PASSWORD}).status_code == 302
    old.refresh_from_db()
    assert (old.stop_reason_code, bool(old.stopped_at)) == ("retransplant", True)
    assert set(old.doses.values_list("settled_as", flat=True)) == {"cancelled"}
    assert "course of transplant 2 stopped" in transplant.courses.get().choice_reason


def test_both_courses_go_on_where_somebody_says_why(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    old = make_course(team, make_transplant(transplant.patient, at=now, reperfusion_at=now - timedelta(days=90)), at=now)
    data = typed(team, transplant, now) | {"other_course": "keep", "other_course_reason": "Liver first, kidney after"}
    assert save(signed_in(team.builder), transplant, data).status_code == 302
    old.refresh_from_db()
    assert old.stopped_at is None
    assert "goes on: Liver first, kidney after" in transplant.courses.get().choice_reason


# Beside the numbers ----------------------------------------------------------------------------------------------------------


def test_the_order_stands_beside_the_plan_and_is_used(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    orders.place_order(
        transplant=transplant,
        protocol_code="kidney",
        order=order_of(team, now, is_signed=True, order_number="ORD-7", ceiling_mg_per_kg_per_h=Decimal(15)),
        by=team.prescriber,
        at=now,
    )
    client = signed_in(team.builder)
    page = client.get(reverse("course-build", args=[transplant.pk])).content.decode()
    assert "ORD-7" in page
    assert 'name="prescriber"' not in page
    assert page.count("Ordered 150\u00a0mg\u00a0per\u00a0kg</b>") == 1, "ordered beside built"
    data = {name: text for name, text in typed(team, transplant, now).items() if name not in ("prescriber", "mode")}
    assert save(client, transplant, data | {"protocol_code": "other_organ"}).status_code == 302
    course = Course.objects.get()
    assert course.protocol.code == "kidney", "as ordered, whatever was posted"
    assert {dose.ceiling_mg_per_kg_per_h for dose in doses_of(course)} == {15}


def test_the_vials_are_rounded_as_ordered_and_both_figures_are_shown_and_kept(team: Team, now: datetime) -> None:
    actions.correct_centre(by=None, at=now, centre=team.centre, vial_rounding_percent=Decimal(5))
    transplant = make_recipient(team, at=now, weight_kg="68")
    client = signed_in(team.builder)
    exact = typed(team, transplant, now)
    assert "Rounded" not in preview(client, transplant, exact)
    page = preview(client, transplant, exact | {"allows_vial_rounding": "on"})
    assert "Rounded to whole vials: 10,000\u00a0mg for 10,200\u00a0mg ordered (-2\u00a0percent)." in page
    assert save(client, transplant, exact | {"allows_vial_rounding": "on"}).status_code == 302
    course = verify(team, Course.objects.get(), at=timezone.now())
    first, second, *_ = doses_of(course)
    assert (first.dose_mg, first.rounded_from_mg, first.vials, first.waste_ml) == (10000, 10200, 4, 0)
    assert (second.dose_mg, second.rounded_from_mg) == (6800, None), "7,500 is more than 5 percent away"
    before = first.content_hash
    first.rounded_from_mg = Decimal(10201)
    assert planning.content_hash(first) != before
    first.rounded_from_mg = Decimal(10200)
    actions.correct_centre(by=None, at=now, centre=team.centre, vial_rounding_percent=Decimal(0))
    first.refresh_from_db()
    first.course = course
    assert planning.amount_of(first).dose_mg == 10000, "a saved dose is what it was, whatever the center's percent is today"


def test_a_closed_day_is_said_with_the_open_days_of_the_window(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    client = signed_in(team.builder)
    actions.correct_centre(by=None, at=now, centre=team.centre, closed_weekdays=[])
    data = typed(team, transplant, now)
    assert "closed" not in preview(client, transplant, data)
    target = transplant.reperfusion_at.astimezone(ZONE).date() + timedelta(days=14)
    row = actions.add_closed_day(by=None, at=now, centre=team.centre, on=target, title="Holiday")
    page = preview(client, transplant, data)
    near = ", ".join(display.format_weekday_day(target + timedelta(days=step)) for step in (-1, 1, -2, 2))
    assert f"closed. Open days in its window: {near}." in page
    assert page.count("Open days in its window") == 1
    actions.remove_closed_day(by=None, at=now, closed_day=row)
    assert "Open days in its window" not in preview(client, transplant, data)


def test_the_difference_to_a_stopped_course_of_this_transplant_is_shown(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    old = make_course(team, transplant, at=now)
    courses.stop_course(course=old, reason_code="prescriber_decision", reason="Weight was wrong", by=team.prescriber, at=now)
    make_weight(transplant.patient, "72", at=now, measured_at=now - timedelta(minutes=10), by=team.builder)
    page = preview(signed_in(team.builder), transplant, typed(team, transplant, now))
    assert page.count("In the stopped course: 10,500\u00a0mg.") == 1
    assert page.count("In the stopped course:") == 7


def test_the_dry_weight_is_chosen_by_word_where_today_differs_by_ten_percent(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now, weight_kg="77")
    make_weight(
        transplant.patient,
        "70",
        at=now,
        measured_at=transplant.reperfusion_at - timedelta(hours=6),
        by=team.builder,
        reason="Fluid",
    )
    client = signed_in(team.builder)
    address = reverse("course-build", args=[transplant.pk])
    page = client.get(address).content.decode()
    assert "Choose which of the two weights" in page
    assert re.findall(r'name="weight_basis"[^>]*checked', page) == []
    data = typed(team, transplant, now)
    assert shown(preview(client, transplant, data)) == []
    assert save(client, transplant, data).status_code == 422
    assert "11,550" in preview(client, transplant, data | {"weight_basis": "latest"})
    assert "10,500" in preview(client, transplant, data | {"weight_basis": "dry"})
    assert save(client, transplant, data | {"weight_basis": "dry"}).status_code == 302
    course = Course.objects.get()
    assert course.orders.get().weight_basis == "dry"
    assert {dose.weight_kg for dose in doses_of(course)} == {70}
    assert "dry weight" in course.choice_reason


def test_two_weights_less_than_ten_percent_apart_leave_the_latest_proposed(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now, weight_kg="76.9")
    make_weight(transplant.patient, "70", at=now, measured_at=transplant.reperfusion_at - timedelta(hours=6), by=team.builder)
    page = signed_in(team.builder).get(reverse("course-build", args=[transplant.pk])).content.decode()
    assert "11,535" in page
    assert re.findall(r'value="latest"[^>]*checked', page)


def test_a_prescriber_who_builds_signs_the_own_order_with_the_password(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now)
    client = signed_in(team.prescriber)
    data = typed(team, transplant, now)
    assert save(client, transplant, data | {"password": "wrong"}).status_code == 422
    assert save(client, transplant, data | {"password": PASSWORD}).status_code == 302
    assert Course.objects.get().orders.get().signed_at is not None


def test_visits_given_elsewhere_are_placed_from_what_is_on_record(team: Team, now: datetime) -> None:
    transplant = make_recipient(team, at=now, reperfusion_at=now - timedelta(days=35))
    client = signed_in(team.builder)
    row = OutsideDose.objects.create(
        patient=transplant.patient,
        product="cmv_ig",
        given_at=transplant.reperfusion_at + timedelta(hours=9),
        given_mg=Decimal(10500),
        said_by="Discharge letter",
        recorded_by=team.nurse,
        recorded_at=now,
    )
    data = typed(team, transplant, now) | {"referred_from": "Lakeside", **instant("referred_at", now), f"visit_{row.pk}": "W0"}
    page = preview(client, transplant, data)
    assert page.count("Given elsewhere") == 1
    assert page.count("Not given here") == 2
    assert "72 h were over" not in page
    assert "72 h were over" in preview(client, transplant, data | {f"visit_{row.pk}": ""})
    assert save(client, transplant, data).status_code == 302
    row.refresh_from_db()
    assert row.dose == doses_of(Course.objects.get())[0]


def test_the_pages_ask_the_database_at_most_twelve_times(team: Team, now: datetime, django_assert_max_num_queries) -> None:
    transplant = make_recipient(team, at=now, weight_kg="72")
    make_weight(transplant.patient, "70", at=now, measured_at=transplant.reperfusion_at - timedelta(hours=6), by=team.builder)
    old = make_course(team, transplant, at=now)
    courses.stop_course(course=old, reason_code="prescriber_decision", reason="Weight was wrong", by=team.prescriber, at=now)
    make_course(team, make_transplant(transplant.patient, at=now, reperfusion_at=now - timedelta(days=90)), at=now)
    client = signed_in(team.prescriber)
    client.get(reverse("orders"))
    for waiting in (False, True):
        if waiting:
            orders.place_order(
                transplant=transplant,
                protocol_code="kidney",
                order=order_of(team, now, is_signed=True),
                by=team.prescriber,
                at=now,
            )
        for name in ("course-build", "order-new"):
            with django_assert_max_num_queries(12, info=name):
                assert client.get(reverse(name, args=[transplant.pk])).status_code == 200
        with django_assert_max_num_queries(12):
            preview(client, transplant, typed(team, transplant, now))
        with django_assert_max_num_queries(12):
            client.get(reverse("orders"))
