"""The release of one dose: each check at its edge, the signature, and what a start then says."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients import actions
from patients.models import Centre, Event
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import courses, findings, papers, releases, replanning, risks
from regimens.models import Hold, Order, Release
from tests.factories import PASSWORD, make_answers, make_centre, make_member, make_weight, order_anew
from tests.regimens.ward import TRANSPLANTED, Ward, dose, give, make_course, make_ward, release, start, verify

pytestmark = pytest.mark.django_db
FIRST = TRANSPLANTED + timedelta(hours=20)
HOURS = timedelta(hours=1)


def refused(code: str, act) -> Refusal:
    """The refusal of an act, which must be of this code, and must have released nothing."""
    before = Release.objects.count()
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    assert Release.objects.count() == before
    return caught.value


def result(ward: Ward, patient, value: str, sampled_at: datetime, kind: str = "creatinine"):
    return findings.record_result(
        patient=patient, kind=kind, value=Decimal(value), word="", sampled_at=sampled_at, by=ward.nurse, at=sampled_at
    )


def second_dose(ward: Ward):
    """A course whose first dose was given; the second, and noon of its target day."""
    course = make_course(ward)
    give(ward, dose(course), at=FIRST)
    second = dose(course, 2)
    return course, second, second.overdue_at - 12 * HOURS


# The signature -------------------------------------------------------------------------------------------------------------


def test_a_release_keeps_who_when_the_weight_and_why_results_are_missing():
    ward = make_ward()
    course = make_course(ward)
    made = release(ward, dose(course), at=FIRST)
    assert (made.released_by, made.released_at, made.withdrawn_at) == (ward.second_pharmacist, FIRST, None)
    assert made.weight.weight_kg == 70
    assert (made.creatinine, made.creatinine_missing_reason) == (None, "Drawn today, not back yet")
    event = Event.objects.get(name="release_dose")
    assert (event.patient_id, event.actor_id) == (course.patient_id, ward.second_pharmacist.user_id)


def test_a_release_keeps_the_creatinine_it_saw_and_asks_for_no_reason_when_nothing_is_missing():
    ward = make_ward()
    course = make_course(ward)
    seen = result(ward, course.patient, "1.10", FIRST - 3 * HOURS)
    result(ward, course.patient, "14", FIRST - 3 * HOURS, "bun")
    result(ward, course.patient, "1.5", FIRST - 3 * HOURS, "urine_output")
    made = release(ward, dose(course), at=FIRST, missing_reason="")
    assert (made.creatinine, made.creatinine_missing_reason) == (seen, "")


@pytest.mark.parametrize(("days", "is_seen"), [(7, True), (7.001, False)])
def test_a_creatinine_older_than_seven_days_is_not_seen(days, is_seen):
    ward = make_ward()
    course, second, noon = second_dose(ward)
    result(ward, course.patient, "1.1", noon - timedelta(days=days))
    assert (release(ward, second, at=noon).creatinine is not None) is is_seen


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"on_hand": False}, "not_on_hand", "on_hand"),
        ({"expected": False}, "not_expected", "expected"),
        ({"missing_reason": "too short"}, "results_missing", "missing_reason"),
    ],
)
def test_what_the_pharmacist_confirms_is_asked_for(changes, code, field):
    ward = make_ward()
    planned = dose(make_course(ward))
    assert refused(code, lambda: release(ward, planned, at=FIRST, **changes)).field == field


@pytest.mark.parametrize("role", [Role.NURSE, Role.PRESCRIBER, Role.TECHNICIAN, Role.COORDINATOR])
def test_nobody_but_a_pharmacist_releases(role):
    ward = make_ward()
    planned = dose(make_course(ward))
    person = make_member(role, centre=ward.centre, at=TRANSPLANTED)
    refused("role", lambda: release(ward, planned, at=FIRST, by=person))
    release(ward, planned, at=FIRST)
    refused("role", lambda: releases.withdraw_release(dose=planned, reason="No longer wanted", by=person, at=FIRST))


# What stops it -------------------------------------------------------------------------------------------------------------


def test_an_unsigned_dose_and_a_stopped_course_and_a_closed_chart_are_not_released():
    ward = make_ward()
    refused("unsigned", lambda: release(ward, dose(make_course(ward, verified=False)), at=FIRST))
    course = make_course(ward)
    planned = dose(course)
    courses.stop_course(course=course, reason_code="graft_loss", reason="", by=ward.prescriber, at=FIRST)
    refused("course_stopped", lambda: release(ward, planned, at=FIRST))
    other = make_course(ward)
    actions.close_patient(patient=other.patient, closed_reason="died", closed_at=FIRST, by=ward.prescriber, at=FIRST)
    refused("patient_closed", lambda: release(ward, dose(other), at=FIRST))


def test_the_window_is_open_or_opens_within_the_48_hours_a_release_lasts():
    ward = make_ward()
    course, second, _ = second_dose(ward)
    early = second.opens_at - 48 * HOURS
    refused("release_too_early", lambda: release(ward, second, at=early - timedelta(seconds=1)))
    release(ward, second, at=early)
    third = dose(course, 3)
    refused("window_closed", lambda: release(ward, third, at=third.closes_at))
    release(ward, third, at=third.closes_at - timedelta(seconds=1))


def test_a_dose_on_hold_is_neither_released_nor_started():
    ward = make_ward()
    course = make_course(ward)
    planned = dose(course)
    release(ward, planned, at=FIRST)
    who = {"ordered_by": ward.prescriber, "held_by": ward.prescriber}
    Hold.objects.create(course=course, reason_code="sepsis", held_at=FIRST + HOURS, review_on=FIRST.date(), **who)
    refused("on_hold", lambda: release(ward, planned, at=FIRST + 2 * HOURS))
    refused("on_hold", lambda: start(ward, planned, at=FIRST + 2 * HOURS, released=False))
    record = give(ward, planned, at=FIRST + 2 * HOURS, released=False, reason="Was already running on the ward")
    assert record.flags == ["on_hold"]


@pytest.mark.parametrize(("days", "code"), [(7, ""), (7.001, "weight_stale")])
def test_the_weight_is_in_date(days, code):
    ward = make_ward()
    _, second, noon = second_dose(ward)
    make_weight(second.course.patient, "70", at=noon - timedelta(days=days) + HOURS)
    Order.objects.update(signed_at=FIRST)
    confirmed = releases.Confirmed(True, True, "Drawn today, not back yet")

    def act() -> Any:
        return releases.release_dose(dose=second, confirmed=confirmed, by=ward.pharmacist, at=noon)

    if code:
        refused(code, act)
    else:
        assert act().dose == second


def test_a_weight_10_percent_off_stops_release_and_start_until_the_doses_are_recalculated():
    ward = make_ward()
    course = make_course(ward)
    planned = dose(course)
    release(ward, planned, at=FIRST)
    heavier = make_weight(course.patient, "77", at=FIRST + HOURS, reason="Fluid, measured twice on the bed scale")
    refused("weight_changed", lambda: release(ward, planned, at=FIRST + HOURS))
    refused("weight_changed", lambda: start(ward, planned, at=FIRST + HOURS, released=False))
    verify(
        ward,
        replanning.recalculate_course(course=course, weight=heavier, by=ward.pharmacist, at=FIRST + HOURS),
        at=FIRST + HOURS,
    )
    refused("superseded", lambda: release(ward, planned, at=FIRST + 2 * HOURS))
    assert refused("not_released", lambda: start(ward, dose(course), at=FIRST + 2 * HOURS, released=False))
    assert start(ward, dose(course), at=FIRST + 2 * HOURS).dose.weight_kg == 77


def test_a_contraindication_recorded_since_the_signature_stops_release_and_start():
    ward = make_ward()
    course = make_course(ward)
    planned = dose(course)
    release(ward, planned, at=FIRST)
    make_answers(course.patient, at=FIRST + HOURS, iga_deficiency="present")
    refused("contraindicated", lambda: start(ward, planned, at=FIRST + 2 * HOURS, released=False))
    refused("contraindicated", lambda: release(ward, planned, at=FIRST + 2 * HOURS))


@pytest.mark.parametrize(("hours", "code"), [(48, ""), (48.01, "order_unsigned")])
def test_an_order_is_signed_or_within_the_time_for_signing(hours, code):
    ward = make_ward()
    planned = dose(make_course(ward))
    Order.objects.update(signed_at=None)
    at = planned.course.orders.get().ordered_at + timedelta(hours=hours)
    confirmed = releases.Confirmed(True, True, "Drawn today, not back yet")

    def act() -> Any:
        return releases.release_dose(dose=planned, confirmed=confirmed, by=ward.pharmacist, at=at)

    if code:
        assert "had to sign" in refused(code, act).sentence
    else:
        assert act().dose == planned


def test_an_order_that_is_gone_or_over_stops():
    ward = make_ward()
    course, second, noon = second_dose(ward)

    def ordered_until(day: date) -> None:
        order_anew(Order.objects.get(course=course, superseded_at=None), at=noon, expires_on=day)

    ordered_until(noon.date() - timedelta(days=1))
    refused("order_expired", lambda: release(ward, second, at=noon))
    ordered_until(noon.date())
    release(ward, second, at=noon)
    releases.withdraw_release(dose=second, reason="To look at it again", by=ward.pharmacist, at=noon)
    Order.objects.filter(course=course).update(superseded_at=noon)
    refused("no_order", lambda: release(ward, second, at=noon))


def test_a_center_that_asks_for_consent_releases_nothing_without_one():
    ward = make_ward()
    Centre.objects.filter(pk=ward.centre.pk).update(consent_required=True)
    course = make_course(ward)
    planned = dose(course)
    refused("no_consent", lambda: release(ward, planned, at=FIRST))
    papers.record_consent(
        course=course,
        given_by="The patient",
        obtained_by=ward.nurse,
        obtained_on=FIRST.date(),
        form_version="7",
        by=ward.nurse,
        at=FIRST,
    )
    release(ward, planned, at=FIRST)
    papers.withdraw_consent(course=course, reason="Changed their mind", by=ward.nurse, at=FIRST)
    refused("no_consent", lambda: start(ward, planned, at=FIRST, released=False))


def test_a_dose_that_was_overtaken_by_a_later_one_is_neither_released_nor_started():
    ward = make_ward()
    course, second, noon = second_dose(ward)
    third = dose(course, 3)
    give(ward, third, at=noon - 5 * HOURS, reason="Given at another clinic by mistake")
    refused("overtaken", lambda: release(ward, second, at=noon + HOURS))
    release_row = Release.objects.filter(dose=second)
    assert not release_row.exists()
    refused("overtaken", lambda: start(ward, second, at=noon + HOURS, released=False))


# How long it lasts ---------------------------------------------------------------------------------------------------------


def test_a_start_needs_a_release_of_the_48_hours_before():
    ward = make_ward()
    _, second, noon = second_dose(ward)
    refused("not_released", lambda: start(ward, second, at=noon, released=False))
    release(ward, second, at=noon - 48 * HOURS - timedelta(seconds=1))
    sentence = refused("release_expired", lambda: start(ward, second, at=noon, released=False)).sentence
    assert "good until" in sentence
    release(ward, second, at=noon)
    assert start(ward, second, at=noon, released=False).flags == []


def test_a_live_release_is_kept_and_an_expired_one_replaced_and_both_stay_on_record():
    ward = make_ward()
    _, second, noon = second_dose(ward)
    first = release(ward, second, at=noon - 48 * HOURS)
    refused("already_released", lambda: release(ward, second, at=noon))
    again = release(ward, second, at=noon + timedelta(seconds=1))
    first.refresh_from_db()
    assert first.withdrawn_reason == "Expired, and released again"
    assert Release.objects.get(dose=second, withdrawn_at=None) == again


def test_a_withdrawn_release_starts_nothing_and_one_of_a_started_dose_is_kept():
    ward = make_ward()
    planned = dose(make_course(ward))
    refused("not_released", lambda: releases.withdraw_release(dose=planned, reason="Long enough", by=ward.pharmacist, at=FIRST))
    release(ward, planned, at=FIRST)
    refused("reason_needed", lambda: releases.withdraw_release(dose=planned, reason="Short", by=ward.pharmacist, at=FIRST))
    releases.withdraw_release(dose=planned, reason="Product is not here after all", by=ward.pharmacist, at=FIRST + HOURS)
    refused("not_released", lambda: start(ward, planned, at=FIRST + HOURS, released=False))
    start(ward, planned, at=FIRST + HOURS)
    refused(
        "recorded",
        lambda: releases.withdraw_release(dose=planned, reason="Too late for this", by=ward.pharmacist, at=FIRST + 2 * HOURS),
    )


# Pages ---------------------------------------------------------------------------------------------------------------------


def signed_in(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def test_the_page_shows_each_check_and_signs_with_the_password(django_assert_max_num_queries):
    ward = make_ward()
    course = make_course(ward, at=timezone.now() - 20 * HOURS)
    planned = dose(course)
    risks.record_risks(patient=course.patient, factors=["diabetes"], pregnancy="not_recorded", by=ward.nurse, at=timezone.now())
    result(ward, course.patient, "1.10", timezone.now() - HOURS)
    url = reverse("release", args=[planned.pk])
    client = signed_in(ward.pharmacist)
    client.get("/")
    with django_assert_max_num_queries(12):
        page = client.get(url).content.decode()
    for words in ("1.1\u00a0mg per dL", "70\u00a0kg", "diabetes", "None on record", "does not ask for one"):
        assert words in page
    data = {"act": "release", "on_hand": "on", "expected": "on", "missing_reason": "Not measured in this clinic"}
    wrong = client.post(url, data | {"password": "not it"})
    assert (wrong.status_code, Release.objects.count()) == (422, 0)
    assert client.post(url, data | {"password": PASSWORD}).status_code == 302
    made = Release.objects.get()
    assert (made.released_by, made.creatinine.value) == (ward.pharmacist, Decimal("1.10"))
    assert "good until" in client.get(url).content.decode()
    bedside = signed_in(ward.nurse)
    bedside.get("/")
    with django_assert_max_num_queries(12):
        page = bedside.get(reverse("infusion-log", args=[planned.pk])).content.decode()
    assert "Released by Kemi Adeyemi" in page
    withdrawn = client.post(url, {"act": "withdraw", "withdrawn_reason": "Product is not here after all"})
    assert withdrawn.status_code == 302
    assert (
        "a pharmacist releases each dose"
        in bedside.get(reverse("infusion-log", args=[planned.pk]) + "?way=start").content.decode()
    )


def test_the_page_names_every_stop_and_a_nurse_reads_it_but_cannot_sign():
    ward = make_ward()
    course = make_course(ward, at=timezone.now() - 20 * HOURS, verified=False)
    make_weight(course.patient, "77", at=timezone.now(), reason="Fluid, measured twice on the bed scale")
    url = reverse("release", args=[dose(course).pk])
    client = signed_in(ward.nurse)
    page = client.get(url).content.decode()
    for code in ("unsigned", "weight_changed"):
        assert f'<span class="mono">{code}</span>' in page
    assert "Sign the release" not in page
    assert client.post(url, {"act": "release", "password": PASSWORD}).status_code == 403
    elsewhere = signed_in(make_member(centre=make_centre(), at=TRANSPLANTED))
    assert elsewhere.get(url).status_code == 404
