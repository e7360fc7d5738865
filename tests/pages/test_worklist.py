"""The worklist: right at the moment it is asked, one centre's alone, every dose in one group."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients import actions
from patients.models import Membership
from patients.roles import Role
from regimens.actions import notes, verification
from regimens.models import Authorization, Course, Handover, Hold, Order, PlannedDose, Release
from regimens.views import waiting, worklist
from regimens.views.frame import local_day
from tests.factories import NEW_YORK, make_member, make_patient
from tests.regimens.courses import Team, make_course, make_recipient, make_team, verify

pytestmark = pytest.mark.django_db


def course_operated(team: Team, ago: timedelta):
    """A verified kidney course of somebody operated so long ago, registered then."""
    now = timezone.now().replace(microsecond=0)
    at = now - ago + timedelta(hours=2)
    return verify(team, make_course(team, make_recipient(team, at=at, reperfusion_at=now - ago), at=at), at=at)


@pytest.fixture
def team() -> Team:
    return make_team(timezone.now() - timedelta(days=200))


def page_of(client: Client, team: Team) -> str:
    client.force_login(team.verifier.user)
    return client.get("/").content.decode()


def groups_of(client: Client, team: Team) -> dict[str, str]:
    """The count of each group of doses, by the beginning of its title."""
    return counted(page_of(client, team).partition('id="also-waiting"')[0])


def waiting_of(client: Client, by: Membership) -> dict[str, str]:
    """The count of each group beneath the doses, by the beginning of its title."""
    client.force_login(by.user)
    return counted(client.get("/").content.decode().partition('id="also-waiting"')[2])


def counted(page: str) -> dict[str, str]:
    return {title.strip(): count for title, count in re.findall(r'scope="colgroup">([^(:]+)[^(]*\(([0-9,+]+)\)', page)}


def test_a_dose_whose_window_closed_is_missed_at_once_with_no_job_running(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    assert groups_of(client, team) == {"Missed": "1"}
    assert f"/doses/{course.doses.get(number=1).pk}/decide/" in page_of(client, team)


def test_the_72_hours_count_down_until_they_are_over(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=71))
    page = page_of(client, team)
    assert "Time running" in page
    assert "min left" in page


def test_nothing_is_due_for_somebody_who_died_until_the_chart_is_reopened(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=timezone.now())
    assert groups_of(client, team) == {}
    actions.reopen_patient(patient=course.patient, reason="Wrong chart", by=team.builder, at=timezone.now())
    assert groups_of(client, team) == {"Missed": "1"}


def test_another_centres_patients_are_never_listed(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=73))
    assert groups_of(client, make_team(timezone.now() - timedelta(days=1))) == {}


def test_an_unverified_plan_waits_for_a_second_pharmacist(client: Client, team: Team) -> None:
    now = timezone.now()
    make_course(team, make_recipient(team, at=now - timedelta(hours=3), reperfusion_at=now - timedelta(hours=5)), at=now)
    assert waiting_of(client, team.verifier)["Awaiting verification"] == "1"
    page = page_of(client, team)
    assert "Nobody is being infused" not in page


def test_an_empty_list_says_when_it_was_computed(client: Client, team: Team) -> None:
    page = page_of(client, team)
    assert "No dose is missed, due or opening in the next 7 days." in page
    assert re.search(r"List computed \d\d:\d\d", page)


def test_pages_follow_each_other_without_losing_or_repeating_a_dose(client: Client, team: Team, monkeypatch) -> None:
    monkeypatch.setattr(worklist, "PAGE_ROWS", 2)
    for hours in (73, 80, 90, 100, 110):
        course_operated(team, timedelta(hours=hours))
    client.force_login(team.verifier.user)
    seen: list[str] = []
    address = "/"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'id="row-([0-9a-f-]+)"', page)
        following = re.search(r'href="(/\?after=[^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    soon = PlannedDose.objects.filter(opens_at__lt=timezone.now() + worklist.AHEAD).order_by("closes_at", "pk")
    assert len(seen) > 5
    assert seen == [str(dose.pk) for dose in soon]


@pytest.mark.parametrize("mark", ["x", "1_2", "nan_" + "0" * 32, "99999999999999999999_" + "0" * 32])
def test_a_mangled_position_is_the_first_page(client: Client, team: Team, mark: str) -> None:
    client.force_login(team.verifier.user)
    assert client.get("/", {"after": mark}).status_code == 200


def test_an_editor_is_sent_to_the_monograph_and_sees_no_patient(client: Client, team: Team) -> None:
    course_operated(team, timedelta(hours=73))
    client.force_login(make_member("monograph_editor", centre=team.centre).user)
    assert client.get("/").headers["Location"] == "/monograph/"


# Doses on hold --------------------------------------------------------------------------------------------------------------


def hold(
    course: Course, team: Team, ago: timedelta, *, resumed: timedelta | None = None, review: timedelta = timedelta(3)
) -> Hold:
    """A hold that began so long ago, and ended ``resumed`` ago where it did."""
    now = timezone.now()
    ended = {} if resumed is None else {
        "resumed_at": now - resumed, "resumed_by": team.builder, "resume_ordered_by": team.prescriber, "resume_reason": "Well again"
    }  # fmt: skip
    return Hold.objects.create(
        course=course,
        reason_code="sepsis",
        ordered_by=team.prescriber,
        held_by=team.builder,
        held_at=now - ago,
        review_on=local_day(now + review, NEW_YORK),
        **ended,
    )


def test_a_dose_on_hold_is_neither_due_nor_overdue(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=60))
    assert groups_of(client, team) == {"Time running": "1"}
    hold(course, team, timedelta(hours=1))
    assert groups_of(client, team) == {"On hold": "1"}
    assert "decide" not in page_of(client, team)


def test_a_window_that_closed_on_hold_stands_among_the_missed_with_its_own_word(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=73))
    hold(course, team, timedelta(hours=10))
    assert groups_of(client, team) == {"Missed": "1"}
    page = page_of(client, team)
    assert "Passed on hold" in page
    assert f"/doses/{course.doses.get(number=1).pk}/decide/" in page


def test_a_day_of_its_own_is_no_window_in_hours(client: Client, team: Team) -> None:
    at = timezone.now() - timedelta(days=11)
    course = make_course(team, make_recipient(team, at=at, reperfusion_at=at), at=at)
    begins = timezone.now() - timedelta(hours=1)
    ends = begins + timedelta(hours=20)
    rows = PlannedDose.objects.filter(pk=course.doses.get(number=2).pk)
    rows.update(opens_at=begins, overdue_at=ends, closes_at=ends, target_on=local_day(begins, NEW_YORK))
    assert "Time running" not in groups_of(client, team)
    assert waiting_of(client, team.verifier)["No booking, and the target day is near"] == "1"


def book(dose: PlannedDose, at) -> None:
    PlannedDose.objects.filter(pk=dose.pk).update(booked_for=at, booked_place="Clinic")


def test_the_counts_say_what_the_list_shows_whatever_the_states(client: Client, team: Team) -> None:
    """Courses at every age, on hold and not, resumed before and after a window closed, booked and not."""
    now = timezone.now()
    for days, hours in ((2, 20), (3, 1), (11, 0), (13, 22), (14, 1), (16, 0), (17, 22), (19, 0), (52, 0), (80, 0), (118, 0)):
        for state in ("plain", "held", "resumed", "passed", "booked"):
            course = course_operated(team, timedelta(days=days, hours=hours))
            if state == "held":
                hold(course, team, timedelta(days=5))
            if state == "resumed":
                hold(course, team, timedelta(days=9), resumed=timedelta(hours=30))
            if state == "passed":
                hold(course, team, timedelta(days=9), resumed=timedelta(minutes=5))
            for dose in course.doses.filter(settled_at=None) if state == "booked" else ():
                book(dose, now - timedelta(hours=1) if dose.number % 2 else now + timedelta(hours=30))
    listed: dict[str, int] = {code: 0 for code, _ in worklist.GROUPS}
    statuses = set()
    after = None
    while rows := worklist.open_doses(team.centre, now, after)[: worklist.PAGE_ROWS]:
        for row in rows:
            listed[worklist.group_of(row, local_day(now, NEW_YORK))] += 1
            statuses.add(row["status"])
        after = (rows[-1]["closes_at"], rows[-1]["pk"])
    counts, people = worklist.counts_of(team.centre, now)
    assert counts == listed
    assert statuses == {"missed", "passed_on_hold", "overdue", "due", "upcoming", "held"}
    assert min(counts.values()) > 0
    assert len(people) == 55


# What waits besides ---------------------------------------------------------------------------------------------------------


def later(days: int):
    """The course of somebody operated so that the second dose's target lies so many days ahead."""
    return timedelta(days=14 - days)


def test_nothing_but_running_papers_and_bookings_waits_for_a_plain_course(client: Client, team: Team) -> None:
    course_operated(team, later(4))
    assert waiting_of(client, team.builder) == {
        "No booking, and the target day is near": "1",
        "Payer or vials not settled, and the dose is near": "1",
    }


@pytest.mark.parametrize(("days", "asked"), [(6, False), (5, True), (0, True), (-3, True), (-4, False)])
def test_a_dose_without_a_booking_is_named_from_five_days_before_its_target(
    client: Client, team: Team, days: int, asked: bool
) -> None:
    course = course_operated(team, later(days))
    assert ("No booking, and the target day is near" in waiting_of(client, team.nurse)) is asked
    book(course.doses.get(number=2), timezone.now())
    assert "No booking, and the target day is near" not in waiting_of(client, team.nurse)


def paper(course: Course, team: Team, **facts) -> None:
    given = {"state": "not_needed", "vials": "reserved", "vials_for_on": course.doses.get(number=2).target_on}
    Authorization.objects.filter(course=course).update(superseded_at=timezone.now())
    Authorization.objects.create(course=course, recorded_by=team.builder, recorded_at=timezone.now(), **(given | facts))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"state": "pending"}, "Payer: pending"),
        ({"state": "denied"}, "Payer: denied"),
        ({"state": "approved", "approved_until": 0}, ""),
        ({"state": "approved", "approved_until": -1}, "Payer: ends before the dose"),
        ({"vials": "not_asked", "vials_for_on": None}, "Vials not asked for"),
        ({"vials": "ordered"}, ""),
        ({"vials_for_on": -3}, ""),
        ({"vials_for_on": 3}, ""),
        ({"vials_for_on": 4}, "Vials are for another dose"),
        ({"vials_for_on": -4}, "Vials are for another dose"),
    ],
)
def test_papers_that_are_not_green_are_named_14_days_before(client: Client, team: Team, facts: dict, said: str) -> None:
    course = course_operated(team, later(10))
    target_on = course.doses.get(number=2).target_on
    days = {name: target_on + timedelta(days=value) for name, value in facts.items() if isinstance(value, int)}
    assert "Nothing recorded" in page_of(client, team)
    paper(course, team, **(facts | days))
    waits = waiting_of(client, team.builder)
    assert ("Payer or vials not settled, and the dose is near" in waits) is bool(said)
    assert said in page_of(client, team)


def test_papers_are_no_matter_fifteen_days_before_nor_for_a_course_on_hold(client: Client, team: Team) -> None:
    course_operated(team, timedelta(days=14 - 15 + 15))  # the second target is today, the third in 14 days
    assert waiting_of(client, team.builder)["Payer or vials not settled, and the dose is near"] == "1"
    Course.objects.get().doses.filter(number=2).update(settled_at=timezone.now(), settled_as="omitted")
    Course.objects.get().doses.filter(number=3).update(settled_at=timezone.now(), settled_as="omitted")
    assert "Payer or vials not settled, and the dose is near" not in waiting_of(client, team.builder)
    held = course_operated(team, later(4))
    hold(held, team, timedelta(hours=1))
    assert waiting_of(client, team.builder) == {}


@pytest.mark.parametrize(("days", "named"), [(1, False), (0, True), (-2, True)])
def test_a_hold_is_named_from_its_review_day_on(client: Client, team: Team, days: int, named: bool) -> None:
    course = course_operated(team, timedelta(hours=60))
    hold(course, team, timedelta(days=2), review=timedelta(days=days))
    assert waiting_of(client, team.builder) == ({"On hold, review day reached": "1"} if named else {})


def test_an_order_waits_until_it_is_built(client: Client, team: Team) -> None:
    now = timezone.now()
    transplant = make_recipient(team, at=now - timedelta(hours=3), reperfusion_at=now - timedelta(hours=5))
    order = Order.objects.create(
        transplant=transplant, protocol_code="kidney", ordered_rows=[], prescriber=team.prescriber, ordered_at=now, mode="written",
        indication="Prophylaxis", entered_by=team.prescriber, entered_at=now, signed_at=now,
    )  # fmt: skip
    assert waiting_of(client, team.builder) == {"Orders to build": "1"}
    Order.objects.filter(pk=order.pk).update(superseded_at=now)
    assert waiting_of(client, team.builder) == {}


def test_an_order_entered_by_somebody_else_waits_for_its_own_prescriber_alone(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=60))
    course.orders.update(signed_at=None)
    assert "Orders for you to sign" in waiting_of(client, team.prescriber)
    for other in (team.builder, make_member(Role.PRESCRIBER, centre=team.centre)):
        assert "Orders for you to sign" not in waiting_of(client, other)
    course.orders.update(signed_at=timezone.now())
    assert "Orders for you to sign" not in waiting_of(client, team.prescriber)


def test_a_query_is_on_its_owners_list_until_it_is_answered(client: Client, team: Team) -> None:
    now = timezone.now()
    note = notes.write_note(
        patient=make_patient(by=team.builder), text="Which arm?", is_query=True, owner=team.builder, due_on=local_day(now, NEW_YORK),
        by=team.nurse, at=now,
    )  # fmt: skip
    assert waiting_of(client, team.builder) == {"Queries for you": "1"}
    assert waiting_of(client, team.verifier) == {}
    notes.answer_query(note=note, answer="The left", by=team.builder, at=now)
    assert waiting_of(client, team.builder) == {}


def test_a_handed_over_patient_stays_ours_until_acknowledged(client: Client, team: Team) -> None:
    now = timezone.now()
    handover = Handover.objects.create(
        patient=make_patient(by=team.builder), to_person="Dr Lee", to_place="Lakeside", handed_by=team.builder, handed_at=now
    )
    assert waiting_of(client, team.nurse) == {"Handed over, not acknowledged": "1"}
    Handover.objects.filter(pk=handover.pk).update(
        acknowledged_at=now, acknowledged_recorded_by=team.builder, acknowledged_how="By telephone"
    )
    assert waiting_of(client, team.nurse) == {}


def test_more_than_ten_of_a_kind_are_counted_as_ten_and_more(client: Client, team: Team) -> None:
    now = timezone.now()
    patient = make_patient(by=team.builder)
    for number in range(11):
        notes.write_note(
            patient=patient, text=f"Question {number}", is_query=True, owner=team.builder, due_on=local_day(now, NEW_YORK),
            by=team.nurse, at=now,
        )  # fmt: skip
    assert waiting_of(client, team.builder)["Queries for you"] == "10+"


def test_what_waits_elsewhere_or_for_a_closed_chart_is_not_listed(client: Client, team: Team) -> None:
    course = course_operated(team, later(4))
    hold(course_operated(team, timedelta(hours=60)), team, timedelta(days=1), review=timedelta(0))
    stranger = make_member(centre=make_team(timezone.now() - timedelta(days=1)).centre)
    assert waiting_of(client, stranger) == {}
    actions.close_patient(patient=course.patient, closed_reason="died", by=team.builder, at=timezone.now())
    assert waiting_of(client, team.builder) == {"On hold, review day reached": "1"}


def test_a_due_dose_leads_a_pharmacist_to_its_release_until_it_is_released(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(hours=60))
    dose = course.doses.get(number=1)
    address = f'href="/doses/{dose.pk}/release/"'
    assert address in page_of(client, team)
    client.force_login(team.nurse.user)
    assert address not in client.get("/").content.decode()
    Release.objects.create(
        dose=dose,
        weight=dose.weight,
        creatinine_missing_reason="Not sampled",
        released_by=team.verifier,
        released_at=timezone.now(),
    )
    assert address not in page_of(client, team)


def test_a_booked_dose_says_when_and_is_overdue_from_then(client: Client, team: Team) -> None:
    course = course_operated(team, timedelta(days=13))
    dose = course.doses.get(number=2)
    PlannedDose.objects.filter(course=course).exclude(pk=dose.pk).update(settled_at=timezone.now(), settled_as="omitted")
    book(dose, timezone.now() + timedelta(hours=1))
    assert set(groups_of(client, team)) == {"Window open"}
    assert "booked" in page_of(client, team)
    book(dose, timezone.now() - timedelta(hours=1))
    assert set(groups_of(client, team)) == {"Overdue"}


def test_five_statements_whatever_is_on_the_list(client: Client, team: Team, django_assert_num_queries) -> None:
    for hours in (60, 73, 24 * 13):
        course = course_operated(team, timedelta(hours=hours))
        hold(course_operated(team, timedelta(hours=hours)), team, timedelta(hours=30), review=timedelta(0))
    doses = list(verification.open_unsigned(course))
    assert doses == []
    page_of(client, team)
    with django_assert_num_queries(5):
        client.get("/")


def test_every_group_beneath_has_an_address() -> None:
    for kind in waiting.KINDS:
        assert kind.address("1" if kind.code in ("query", "cosign") else "00000000-0000-4000-8000-000000000000").startswith("/")
