"""Bookings: inside the window by those who book, without touching what was signed; and who is not booked yet."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import bookings, courses, planning
from regimens.models import PlannedDose
from regimens.models.status import status_of
from tests.factories import make_member
from tests.regimens.ward import TRANSPLANTED, dose, give, make_course, make_ward

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
SECOND = timedelta(seconds=1)


def refused(code: str, act) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    return caught.value


def test_a_booking_inside_the_window_changes_nothing_that_was_signed_and_overdue_counts_from_it():
    ward = make_ward()
    course = make_course(ward)
    second = dose(course, 2)
    booked_for = second.opens_at + timedelta(hours=9)
    booked = bookings.book_dose(dose=second, booked_for=booked_for, place="Infusion clinic", by=ward.nurse, at=FIRST)
    assert (booked.booked_for, booked.booked_place, booked.revision) == (booked_for, "Infusion clinic", second.revision)
    assert planning.content_hash(dose(course, 2)) == second.content_hash
    assert status_of(dose(course, 2), booked_for - SECOND) == "due"
    assert status_of(dose(course, 2), booked_for) == "overdue"


def test_the_window_is_the_limit_and_outside_it_the_prescriber_is_asked():
    ward = make_ward()
    second = dose(make_course(ward), 2)

    def book(booked_for: datetime, at: datetime = FIRST, place: str = "Clinic") -> PlannedDose:
        return bookings.book_dose(dose=second, booked_for=booked_for, place=place, by=ward.nurse, at=at)

    refusal = refused("outside_window", lambda: book(second.opens_at - SECOND))
    assert "ask the prescriber" in refusal.sentence
    assert refusal.field == "booked_for"
    refused("outside_window", lambda: book(second.closes_at))
    book(second.opens_at)
    book(second.closes_at - SECOND)
    refused("booking_past", lambda: book(second.opens_at, at=second.opens_at + SECOND))
    refused("booking_place", lambda: book(second.opens_at, place="  "))


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.NURSE, True),
        (Role.COORDINATOR, True),
        (Role.PHARMACIST, True),
        (Role.PRESCRIBER, False),
        (Role.TECHNICIAN, False),
    ],
)
def test_nurse_coordinator_and_pharmacist_book(role, may):
    ward = make_ward()
    second = dose(make_course(ward), 2)
    by = make_member(role, centre=ward.centre, at=TRANSPLANTED)

    def act() -> PlannedDose:
        return bookings.book_dose(dose=second, booked_for=second.opens_at, place="Clinic", by=by, at=FIRST)

    if may:
        assert act().booked_place == "Clinic"
    else:
        refused("role", act)


def test_a_booking_is_taken_away_and_a_settled_dose_is_not_booked():
    ward = make_ward()
    course = make_course(ward)
    second = dose(course, 2)
    refused("not_booked", lambda: bookings.clear_booking(dose=second, by=ward.nurse, at=FIRST))
    bookings.book_dose(dose=second, booked_for=second.opens_at, place="Clinic", by=ward.nurse, at=FIRST)
    cleared = bookings.clear_booking(dose=second, by=ward.nurse, at=FIRST)
    assert (cleared.booked_for, cleared.booked_place) == (None, "")
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=ward.prescriber, at=FIRST)
    act = {"dose": second, "booked_for": second.opens_at, "place": "Clinic", "by": ward.nurse, "at": FIRST}
    refused("not_waiting", lambda: bookings.book_dose(**act))


@pytest.mark.parametrize(("days", "is_listed"), [(6, False), (5, True), (0, True)])
def test_a_dose_without_a_booking_is_listed_from_5_days_before_its_target(days, is_listed):
    ward = make_ward()
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    at = second.overdue_at - timedelta(days=days, hours=12)
    listed = PlannedDose.objects.filter(bookings.unbooked(ward.centre, at))
    assert list(listed.values_list("number", flat=True)) == ([2] if is_listed else [])
    bookings.book_dose(dose=second, booked_for=second.overdue_at - SECOND, place="Clinic", by=ward.nurse, at=at)
    assert not listed.exists()
    assert not PlannedDose.objects.filter(bookings.unbooked(make_ward().centre, at)).exists()


def test_the_first_dose_of_72_hours_needs_no_booking():
    ward = make_ward()
    make_course(ward)
    assert not PlannedDose.objects.filter(bookings.unbooked(ward.centre, FIRST)).exists()


def test_a_dose_is_booked_and_unbooked_on_its_page(django_assert_max_num_queries):
    ward = make_ward()
    now = timezone.now()
    course = make_course(ward, at=now - timedelta(days=12))
    second = dose(course, 2)
    url = reverse("booking", args=[second.pk])
    client = Client()
    client.force_login(ward.nurse.user)
    client.get("/")
    with django_assert_max_num_queries(12):
        assert "Not booked" in client.get(url).content.decode()
    on = second.target_on.isoformat()
    late = client.post(url, {"booked_for_on": "2099-01-01", "booked_for_time": "10:00", "booked_place": "Clinic"})
    assert (late.status_code, "ask the prescriber" in late.content.decode()) == (422, True)
    data = {"booked_for_on": on, "booked_for_time": "23:30", "booked_place": "Clinic"}
    assert client.post(url, data).status_code == 302
    assert "Clinic" in client.get(url).content.decode()
    assert client.post(url, {"act": "clear"}).status_code == 302
    assert dose(course, 2).booked_for is None
    doctor = Client()
    doctor.force_login(ward.prescriber.user)
    assert doctor.post(url, data).status_code == 403
