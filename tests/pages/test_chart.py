"""The chart: each course with its picture and its doses at this moment, what stands in the way, and what may be done by whom."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from patients.models import Membership
from patients.roles import Role
from regimens.actions import notes
from regimens.domain.clock import local_day
from regimens.models import (
    Administration,
    AntibodyRemoval,
    Authorization,
    Consent,
    Course,
    Handover,
    Hold,
    LabResult,
    NotGivenToday,
    OutsideDose,
    PlannedDose,
    Reaction,
    Release,
    RiskReview,
    WeightKept,
)
from tests.factories import NEW_YORK, make_member, make_transplant, make_weight
from tests.regimens import ward as wards
from tests.regimens.ward import Ward, make_ward

pytestmark = pytest.mark.django_db
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def now():
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch, now) -> Ward:
    monkeypatch.setattr(wards, "TRANSPLANTED", now - timedelta(days=20))
    return make_ward()


def course_of(ward: Ward, now, *, ago: timedelta = timedelta(days=13), **facts: Any) -> Course:
    """A verified course of somebody operated so long ago; its doses are released where a start asks for it."""
    return wards.make_course(ward, at=now - ago, **facts)


def chart(client: Client, by: Membership, course: Course) -> str:
    client.force_login(by.user)
    answer = client.get(f"/patients/{course.patient_id}/")
    assert answer.status_code == 200
    return answer.content.decode().replace(NBSP, " ").replace("&#x27;", "'")


def row_of(page: str, number: int) -> str:
    """A dose's line with the quieter one beneath it."""
    rows = re.split(r"<tr data-row", page)
    found = next(row for row in rows if re.search(rf'<td class="num">{number}</td>', row))
    return found.partition("</tbody>")[0]


def acts(page: str, number: int) -> list[str]:
    """The words on the links of one dose, without what only a screen reader says."""
    row = re.sub(r'<span class="visually-hidden">.*?</span>', "", row_of(page, number))
    inside = re.findall(r'<td class="act">(.*?)</td>', row, re.S) + re.findall(r'<span class="acts">(.*?)</span>', row, re.S)
    return [word for part in inside for word in re.findall(r"<a [^>]*>([^<]+)</a>", part)]


def hold(course: Course, ward: Ward, now, **facts: Any) -> Hold:
    given = {
        "reason_code": "sepsis",
        "ordered_by": ward.prescriber,
        "held_by": ward.pharmacist,
        "held_at": now - timedelta(hours=5),
    }
    return Hold.objects.create(course=course, review_on=local_day(now, NEW_YORK), **(given | facts))


# What may be done, by role and state ----------------------------------------------------------------------------------------


def test_a_due_dose_offers_each_role_what_it_may_do(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    dose = course.doses.get(number=2)
    assert dose.opens_at < now < dose.closes_at
    assert acts(chart(client, ward.pharmacist, course), 2) == ["Release", "Log infusion", "Book", "Move"]
    assert acts(chart(client, ward.nurse, course), 2) == ["Log infusion", "Not given", "Book"]
    assert acts(chart(client, ward.prescriber, course), 2) == ["Move"]
    coordinator = make_member(Role.COORDINATOR, centre=ward.centre)
    auditor = make_member(Role.AUDITOR, centre=ward.centre)
    assert acts(chart(client, coordinator, course), 2) == ["Book"]
    assert acts(chart(client, auditor, course), 2) == []


def test_a_dose_far_ahead_is_booked_or_moved_and_not_started(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    assert acts(chart(client, ward.pharmacist, course), 7) == ["Book", "Move"]
    assert acts(chart(client, ward.nurse, course), 7) == ["Book"]


def test_a_window_in_hours_is_neither_booked_nor_moved(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now, ago=timedelta(hours=20))
    page = chart(client, ward.pharmacist, course)
    assert re.search(r"5[12] h (\d+ min )?left", row_of(page, 1))
    assert acts(page, 1) == ["Release", "Log infusion"]


def test_a_dose_given_late_on_one_day_is_booked_like_any_other(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now, verified=False)
    begins, ends = now - timedelta(hours=1), now + timedelta(hours=20)
    PlannedDose.objects.filter(course=course, number=2).update(opens_at=begins, overdue_at=ends, closes_at=ends)
    page = chart(client, ward.nurse, course)
    assert "left" not in row_of(page, 2) and "Due" in row_of(page, 2)
    assert "Book" in acts(page, 2)


def release(dose: PlannedDose, ward: Ward, at) -> Release:
    return Release.objects.create(
        dose=dose,
        weight=dose.weight,
        creatinine_missing_reason="Not sampled",
        released_by=ward.second_pharmacist,
        released_at=at,
    )


@pytest.mark.parametrize(("minutes", "offered", "said"), [(-1, False, "Release good until"), (1, True, "Release ran out")])
def test_a_release_lasts_48_hours_and_is_then_asked_for_again(
    client: Client, ward: Ward, now, minutes: int, offered: bool, said: str
) -> None:
    course = course_of(ward, now)
    release(course.doses.get(number=2), ward, timezone.now() - timedelta(hours=48, minutes=minutes))
    page = chart(client, ward.pharmacist, course)
    assert ("Release" in acts(page, 2)) is offered
    assert said in row_of(page, 2) and "Ravi Patel" in row_of(page, 2)


def test_an_unverified_dose_is_verified_first(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now, verified=False)
    page = chart(client, ward.second_pharmacist, course)
    assert "Not verified" in row_of(page, 2)
    assert acts(page, 2) == ["Verify", "Book", "Move"]
    assert "wait for a second pharmacist" in page
    assert f"/courses/{course.pk}/verify/" in page


def test_a_missed_dose_waits_for_a_prescriber(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now, ago=timedelta(days=18))
    assert acts(chart(client, ward.prescriber, course), 2) == ["Decide"]
    assert acts(chart(client, ward.nurse, course), 2) == ["Open the case"]
    assert "Missed" in row_of(chart(client, ward.nurse, course), 2)
    assert "Outside 72 h" in row_of(chart(client, ward.nurse, course), 1)


def test_a_course_on_hold_says_so_on_each_dose_and_can_be_resumed(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    hold(course, ward, now, reason="Blood cultures positive")
    page = chart(client, ward.prescriber, course)
    assert "On hold" in row_of(page, 2) and "On hold" in row_of(page, 7)
    assert acts(page, 2) == []
    assert f"/courses/{course.pk}/resume/" in page and f"/courses/{course.pk}/hold/" not in page
    assert "Sepsis, Blood cultures positive. Ordered by Imani Okafor. Review day reached" in page


def test_a_window_that_closed_on_hold_is_decided_about(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now, ago=timedelta(days=18))
    hold(course, ward, now, held_at=now - timedelta(days=3))
    page = chart(client, ward.prescriber, course)
    assert "Passed on hold" in row_of(page, 2)
    assert acts(page, 2) == ["Decide"]


def test_bookings_and_what_nurses_noted_stand_beneath_the_dose(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    dose = course.doses.get(number=2)
    PlannedDose.objects.filter(pk=dose.pk).update(booked_for=now + timedelta(hours=2), booked_place="Infusion clinic")
    NotGivenToday.objects.create(
        dose=dose,
        reason_code="no_access",
        reason_words="No venous access",
        reason="Line lost",
        was_prepared=False,
        recorded_by=ward.nurse,
        recorded_at=now,
    )
    row = row_of(chart(client, ward.nurse, course), 2)
    assert "Booked " in row and "Infusion clinic" in row
    assert "no venous access, Line lost (Ana Ruiz)" in row
    assert "Rebook" in acts(chart(client, ward.nurse, course), 2)


def test_a_dose_given_elsewhere_is_named_as_that(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    dose = course.doses.get(number=1)
    PlannedDose.objects.filter(pk=dose.pk).update(settled_at=now, settled_as="before_referral")
    OutsideDose.objects.create(
        patient=course.patient, dose=dose, product="cmv_ig", given_at=now - timedelta(days=12), given_mg=Decimal(10000),
        said_by="Discharge letter, Lakeside", recorded_by=ward.pharmacist, recorded_at=now,
    )  # fmt: skip
    row = row_of(chart(client, ward.nurse, course), 1)
    assert "Given elsewhere" in row and "10,000 mg" in row and "Discharge letter, Lakeside" in row


# What stands in the way -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kg", "asks"), [("76.9", False), ("77", True), ("63", True), ("63.1", False)])
def test_a_weight_ten_percent_off_asks_to_recalculate_or_keep(client: Client, ward: Ward, now, kg: str, asks: bool) -> None:
    course = course_of(ward, now)
    weight = make_weight(course.patient, kg, by=ward.nurse, at=now, reason="Fluid gained, measured twice")
    page = chart(client, ward.pharmacist, course)
    assert (f"/courses/{course.pk}/keep-weight/" in page) is asks
    assert f"/courses/{course.pk}/replan/" in page
    assert ("differs by 10" in page) is asks
    if asks:
        WeightKept.objects.create(
            course=course, weight=weight, reason="Fluid, not tissue", kept_by=ward.pharmacist, kept_at=now
        )
        page = chart(client, ward.pharmacist, course)
        assert f"/courses/{course.pk}/keep-weight/" not in page
        assert "Fluid, not tissue" in page


def test_a_corrected_transplant_time_is_named_with_what_still_counts(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    type(course.transplant).objects.filter(pk=course.transplant_id).update(reperfusion_at=now - timedelta(days=14))
    assert "time was corrected after this course was built" in chart(client, ward.pharmacist, course)


def test_an_open_course_of_an_earlier_transplant_asks(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    assert "belongs to an earlier transplant" not in chart(client, ward.pharmacist, course)
    make_transplant(course.patient, by=ward.pharmacist, at=now, reperfusion_at=now - timedelta(hours=5))
    page = chart(client, ward.prescriber, course)
    assert "belongs to an earlier transplant" in page
    assert f"/courses/{course.pk}/stop/?reason=retransplant" in page


def test_a_query_about_the_course_is_shown_until_it_is_answered(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now, verified=False)
    note = notes.return_with_query(
        course=course, text="Which weight is dry?", due_on=local_day(now, NEW_YORK), by=ward.second_pharmacist, at=now
    )
    page = chart(client, ward.pharmacist, course)
    assert "Query: Which weight is dry? Waits for Kemi Adeyemi" in page and f"/notes/{note.pk}/answer/" in page
    notes.answer_query(note=note, answer="68 kg", by=ward.pharmacist, at=now)
    assert "Query: Which weight" not in chart(client, ward.pharmacist, course)


def test_an_unsigned_order_says_its_age_and_its_own_prescriber_can_sign(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    order = course.orders.get()
    course.orders.update(signed_at=None)
    assert f"/orders/{order.pk}/sign/" in chart(client, ward.prescriber, course)
    page = chart(client, ward.pharmacist, course)
    assert f"/orders/{order.pk}/sign/" not in page
    assert "Not signed by the prescriber: entered 312 h" in page and "the limit was" in page


def test_what_a_result_asks_leads_a_prescriber_to_the_answer(client: Client, ward: Ward, now) -> None:
    course = course_of(ward, now)
    result = LabResult.objects.create(
        patient=course.patient, kind="cmv_pcr", value=Decimal(1200), sampled_at=now - timedelta(hours=3), recorded_by=ward.nurse,
        recorded_at=now,
    )  # fmt: skip
    assert f"/results/{result.pk}/decide/" in chart(client, ward.prescriber, course)
    page = chart(client, ward.nurse, course)
    assert "A prescriber is asked: CMV PCR is positive" in page
    assert f"/results/{result.pk}/decide/" not in page


# Panels ---------------------------------------------------------------------------------------------------------------------


def result(course: Course, ward: Ward, kind: str, at, **facts: Any) -> LabResult:
    return LabResult.objects.create(
        patient=course.patient, kind=kind, sampled_at=at, recorded_by=ward.nurse, recorded_at=timezone.now(), **facts
    )


# Cost -----------------------------------------------------------------------------------------------------------------------


def test_a_chart_with_everything_on_it_asks_at_most_twelve_statements(
    client: Client, ward: Ward, now, django_assert_max_num_queries
) -> None:
    course = course_of(ward, now, ago=timedelta(days=13))
    patient = course.patient
    by, today = {"recorded_by": ward.nurse, "recorded_at": now}, local_day(now, NEW_YORK)
    make_transplant(patient, by=ward.pharmacist, at=now, reperfusion_at=now - timedelta(hours=5))
    make_weight(patient, "80", by=ward.nurse, at=now, reason="Fluid gained, measured twice")
    dose = course.doses.get(number=2)
    record = Administration.objects.create(
        patient=patient, centre=ward.centre, token=course.pk, started_at=now - timedelta(hours=3), given_by=ward.nurse,
        reason="Given in the emergency room", **by,
    )  # fmt: skip
    Reaction.objects.create(administration=record, onset_at=now, term="Flushing", is_serious=False, action_taken="Slowed", **by)
    release(dose, ward, now)
    hold(course, ward, now, resumed_at=now, resumed_by=ward.prescriber, resume_ordered_by=ward.prescriber, resume_reason="Well")
    hold(course, ward, now, held_at=now + timedelta(seconds=1))
    NotGivenToday.objects.create(dose=dose, reason_code="unwell", was_prepared=False, **by)
    for kind, facts in (
        ("creatinine", {"value": 1}),
        ("cmv_pcr", {"value": 5}),
        ("cmv_igg", {"word": "positive"}),
        ("iga", {"value": 90}),
    ):
        result(course, ward, kind, now, **facts)
    OutsideDose.objects.create(patient=patient, product="cmv_ig", given_at=now - timedelta(days=15), said_by="Letter", **by)
    AntibodyRemoval.objects.create(patient=patient, kind="plasma_exchange", at=now - timedelta(hours=1), **by)
    RiskReview.objects.create(patient=patient, factors=["diabetes"], pregnancy="not_recorded", **by)
    Authorization.objects.create(
        course=course, state="approved", approved_until=today, vials="reserved", vials_for_on=today, **by
    )
    Consent.objects.create(
        course=course, given_by="The patient", obtained_by=ward.nurse, obtained_on=today, form_version="3", **by
    )
    Handover.objects.create(patient=patient, to_person="Dr Lee", to_place="Lakeside", handed_by=ward.pharmacist, handed_at=now)
    for number in range(3):
        notes.write_note(
            patient=patient,
            course=course,
            text=f"Question {number}",
            is_query=True,
            owner=ward.nurse,
            due_on=today,
            by=ward.nurse,
            at=now,
        )
    chart(client, ward.pharmacist, course)
    with django_assert_max_num_queries(12):
        page = client.get(f"/patients/{patient.pk}/").content.decode()
    for said in (
        "Flushing",
        "Lakeside",
        "Diabetes",
        "Letter",
        "Plasma exchange",
        "Question 2",
        "Unplanned",
        "belongs to an earlier",
    ):
        assert said in page, said
    with django_assert_max_num_queries(12):
        client.get(f"/doses/{dose.pk}/")
