"""The list of missed doses and the case of one: computed, without a recommendation, signed with a password."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients.actions import close_patient
from patients.when import day_text
from regimens.actions import missed
from regimens.actions.not_given import record_not_given
from regimens.actions.parts import VialFacts
from regimens.models import Course, MissedDoseDecision
from tests.factories import NEW_YORK, PASSWORD
from tests.regimens.ward import LOT_EXPIRES, dose, give, make_course, make_ward

pytestmark = pytest.mark.django_db
PAGE_STATEMENTS = 12


def signed_in(member) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(member.user)
    return client


def plain(answer) -> str:
    """A page's text without tags, each blank one space."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()).replace("&nbsp;", " "))


def missed_second():
    """A ward, and a second dose whose window closed hours ago."""
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=18, hours=1)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    return ward, dose(course, 2)


def decision(**changes: Any) -> dict[str, str]:
    facts = {
        "decision": "omit",
        "reason_code": "omitted:declined",
        "reached_by": "telephone",
        "password": PASSWORD,
        "give_on": "",
    }
    return facts | changes


def test_the_list_shows_what_nobody_decided_in_this_centre_alone():
    ward, planned = missed_second()
    _, theirs = missed_second()
    page = signed_in(ward.nurse).get(reverse("missed")).content.decode()
    assert reverse("decide", args=[planned.pk]) in page
    assert reverse("decide", args=[theirs.pk]) not in page
    assert "1 without a decision" in page


def test_a_closed_chart_is_not_on_the_list():
    ward, planned = missed_second()
    now = timezone.now()
    close_patient(patient=planned.course.patient, closed_reason="died", closed_at=now, by=ward.prescriber, at=now)
    assert "No missed dose waits" in signed_in(ward.nurse).get(reverse("missed")).content.decode()


def test_an_empty_list_says_that_it_was_computed():
    ward = make_ward()
    page = signed_in(ward.nurse).get(reverse("missed")).content.decode()
    assert "No missed dose waits for a decision." in page
    assert "List computed" in page


def test_the_case_shows_facts_options_and_the_monographs_words_and_chooses_nothing():
    ward, planned = missed_second()
    page = signed_in(ward.prescriber).get(reverse("decide", args=[planned.pk])).content.decode()
    for said in (
        "Give late",
        "Omit this dose",
        "Stop the course",
        "Tell the transplant physician at once",
        "None is recommended",
        "Dose 1, ",
        "Dose 3, ",
    ):
        assert said in page
    assert "checked" not in page


def test_others_read_the_case_and_do_not_sign():
    ward, planned = missed_second()
    url = reverse("decide", args=[planned.pk])
    client = signed_in(ward.pharmacist)
    page = client.get(url).content.decode()
    assert "A prescriber decides, and signs." in page
    assert "Your password, as signature" not in page
    assert client.post(url, decision()).status_code == 403
    assert not MissedDoseDecision.objects.exists()


def test_a_prescriber_signs_with_the_password():
    ward, planned = missed_second()
    url = reverse("decide", args=[planned.pk])
    client = signed_in(ward.prescriber)
    answer = client.post(url, decision())
    assert answer["Location"] == reverse("chart", args=[planned.course.patient_id])
    assert MissedDoseDecision.objects.get(dose=planned).decided_by == ward.prescriber
    closed = client.get(url).content.decode()
    assert "Already decided by Imani Okafor" in closed
    assert "Patient declined" in closed
    assert client.post(url, decision()).status_code == 409


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "something-else-entirely"}, "This is not your password. Nothing was signed."),
        ({"password": ""}, "This field is required."),
        ({"decision": ""}, "This field is required."),
        ({"reason_code": "late:no_access"}, "Choose a reason that belongs to this decision."),
        ({"reason_code": "omitted:other"}, "This reason needs words."),
        ({"decision": "give_late", "reason_code": "late:no_access"}, "Choose the day on which it is to be given."),
        ({"decision": "give_late", "reason_code": "late:no_access", "give_on": "03/04/2026"}, "two different days"),
    ],
)
def test_what_is_missing_or_wrong_comes_back_and_signs_nothing(changes, said):
    ward, planned = missed_second()
    answer = signed_in(ward.prescriber).post(reverse("decide", args=[planned.pk]), decision(**changes))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not MissedDoseDecision.objects.exists()


def test_giving_late_is_signed_for_a_day_and_asks_for_verification():
    ward, planned = missed_second()
    tomorrow = (timezone.now() + timedelta(days=1)).astimezone(ZoneInfo(NEW_YORK)).date()
    data = decision(decision="give_late", reason_code="late:no_access", give_on=day_text(tomorrow))
    client = signed_in(ward.prescriber)
    shown = client.get(reverse("decide", args=[planned.pk]), {"give_on": day_text(tomorrow)}).content.decode()
    assert f"if given on {day_text(tomorrow)}" in shown
    assert client.post(reverse("decide", args=[planned.pk]), data).status_code == 302
    assert dose(planned.course, 2).target_on == tomorrow
    assert dose(planned.course, 2).verified_at is None


def test_a_mangled_day_in_the_address_shows_the_earliest_one():
    ward, planned = missed_second()
    page = signed_in(ward.prescriber).get(reverse("decide", args=[planned.pk]), {"give_on": "soon"})
    assert page.status_code == 200
    assert "if given on" not in page.content.decode()


def test_a_dose_that_is_not_missed_has_nothing_to_decide():
    ward, planned = missed_second()
    third = dose(planned.course, 3)
    client = signed_in(ward.prescriber)
    assert "This dose is not missed" in client.get(reverse("decide", args=[third.pk])).content.decode()
    assert client.post(reverse("decide", args=[third.pk]), decision()).status_code == 409
    assert not MissedDoseDecision.objects.exists()


def test_another_centre_finds_nothing():
    _, planned = missed_second()
    other = make_ward()
    client = signed_in(other.prescriber)
    assert client.get(reverse("decide", args=[planned.pk])).status_code == 404
    assert client.post(reverse("decide", args=[planned.pk]), decision()).status_code == 404


def stopped_second():
    """A ward, and a second dose that was stopped after 50 of 140 mL, an hour ago."""
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=14, hours=6)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    at = timezone.now() - timedelta(hours=5)
    vials = [VialFacts("A21K77", LOT_EXPIRES + timedelta(days=400), Decimal(50))]
    give(ward, dose(course, 2), at=at, volume_ml=Decimal(50), stopped_early_reason="Rigors", vials=vials)
    return ward, dose(course, 2)


def test_a_stopped_dose_is_on_the_list_until_somebody_decided_about_it():
    ward, planned = stopped_second()
    client = signed_in(ward.prescriber)
    assert reverse("decide", args=[planned.pk]) in client.get(reverse("missed")).content.decode()
    missed.decide(
        dose=planned,
        decision="accept_partial",
        reason_code="declined",
        reached_by="telephone",
        by=ward.prescriber,
        at=timezone.now(),
    )
    assert "No missed dose waits" in client.get(reverse("missed")).content.decode()


def test_the_case_of_a_stopped_dose_tells_what_was_given_and_takes_the_rest():
    ward, planned = stopped_second()
    client = signed_in(ward.prescriber)
    url = reverse("decide", args=[planned.pk])
    page = plain(client.get(url))
    for said in ("Stopped part way: dose 2", "2,500 mg", "4,500 mg", "Rigors", "Give the rest by", "Accept the part given"):
        assert said in page
    assert "Omit this dose" not in page
    tomorrow = timezone.now().astimezone(ZoneInfo(NEW_YORK)).date() + timedelta(days=1)
    data = decision(decision="give_remainder", reason_code="late:unwell", give_on=day_text(tomorrow))
    assert client.post(url, data).status_code == 302
    assert (dose(planned.course, 2).dose_mg, dose(planned.course, 2).target_on) == (4500, tomorrow)


def test_a_changed_dose_is_shown_with_its_load_before_it_is_signed():
    ward, planned = missed_second()
    client = signed_in(ward.prescriber)
    url = reverse("decide", args=[planned.pk])
    shown = plain(client.get(url, {"mg_per_kg": "50"}))
    assert "changed to 50 mg per kg" in shown
    assert "3,500 mg" in shown
    assert "changed to" not in plain(client.get(url, {"mg_per_kg": "151"}))
    assert "changed to" not in plain(client.get(url, {"mg_per_kg": "50,5"}))
    tomorrow = timezone.now().astimezone(ZoneInfo(NEW_YORK)).date() + timedelta(days=1)
    data = decision(
        decision="change_dose",
        reason_code="override:specialist_advice",
        reason="After the hematologist's advice",
        give_on=day_text(tomorrow),
        mg_per_kg="151",
    )
    refused = client.post(url, data)
    assert refused.status_code == 422
    assert "is above the cap" in refused.content.decode()
    assert client.post(url, data | {"mg_per_kg": "50"}).status_code == 302
    assert dose(planned.course, 2).dose_mg == 3500


def test_a_hold_is_signed_on_the_case_and_the_case_stays_open():
    ward, planned = missed_second()
    client = signed_in(ward.prescriber)
    url = reverse("decide", args=[planned.pk])
    today = timezone.now().astimezone(ZoneInfo(NEW_YORK)).date()
    data = decision(decision="hold", reason_code="held:sepsis", review_on=day_text(today + timedelta(days=2)))
    assert client.post(url, data).status_code == 302
    page = client.get(url).content.decode()
    assert "The course is on hold since" in page
    assert "Sign the decision" in page


def test_the_case_shows_what_nurses_noted_and_where_to_ask():
    ward, planned = missed_second()
    at = planned.overdue_at - timedelta(hours=3)
    record_not_given(dose=planned, reason_code="no_access", was_prepared=True, by=ward.nurse, at=at)
    page = signed_in(ward.prescriber).get(reverse("decide", args=[planned.pk])).content.decode()
    assert "No venous access. It had been prepared" in page
    assert "Ana Ruiz" in page
    assert reverse("notes", args=[planned.course.patient_id]) in page


def test_the_case_names_the_other_doses_that_are_open():
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=27)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    page = signed_in(ward.prescriber).get(reverse("decide", args=[dose(course, 2).pk])).content.decode()
    assert "Dose 3, Week 4, is open as well." in page
    assert "dose 2 can no longer be given late" in page


def test_the_start_page_of_a_later_dose_shows_the_one_nobody_decided_about():
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=27)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    client = signed_in(ward.nurse)
    page = plain(client.get(reverse("infusion-log", args=[dose(course, 3).pk])))
    assert "Dose 2, Week 2, was missed and nobody has decided." in page
    assert "nobody has decided" not in plain(client.get(reverse("infusion-log", args=[dose(course, 2).pk])))


def test_a_prescriber_omits_a_missed_dose_on_the_start_page_of_the_next_one():
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=27)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    missed_dose, following = dose(course, 2), dose(course, 3)
    url = reverse("infusion-log", args=[following.pk])
    client = signed_in(ward.prescriber)
    page = client.get(url).content.decode()
    assert "Sign: omit dose 2" in page
    assert "Start now" not in page and "Record as given" not in page, "a prescriber orders here and records nothing"
    named = {"reason_code": "declined", "reached_by": "telephone", "password": PASSWORD, "reason": ""}
    data = {"way": "omit", "missed": missed_dose.pk.hex} | {
        f"{missed_dose.pk.hex}-{name}": value for name, value in named.items()
    }
    assert signed_in(ward.nurse).post(url, data).status_code == 403
    assert client.post(url, data | {f"{missed_dose.pk.hex}-password": "wrong-password-wrong"}).status_code == 422
    assert client.post(url, data | {f"{missed_dose.pk.hex}-reason_code": ""}).status_code == 422
    assert dose(course, 2).settled_as == ""
    assert client.post(url, data).status_code == 302
    assert dose(course, 2).settled_as == "omitted"
    decision = MissedDoseDecision.objects.get(dose=missed_dose)
    assert (decision.decision, decision.decided_by, decision.reached_by) == ("omit", ward.prescriber, "By telephone")
    assert "nobody has decided" not in plain(signed_in(ward.nurse).get(url))
    assert client.post(url, data).status_code == 302, "a second press omits nothing else"
    assert client.post(url, {"way": "start"}).status_code == 403


def test_the_picture_keeps_the_part_that_was_given_once_the_rest_is_planned():
    ward, planned = stopped_second()
    client, chart = signed_in(ward.prescriber), reverse("chart", args=[planned.course.patient_id])
    part = "Partial, 50 mL"
    assert part in plain(client.get(chart))
    now = timezone.now()
    tomorrow = now.astimezone(ZoneInfo(NEW_YORK)).date() + timedelta(days=1)
    facts = {"reason_code": "unwell", "reached_by": "telephone", "by": ward.prescriber, "at": now}
    missed.decide(dose=planned, decision="give_remainder", give_on=tomorrow, **facts)
    assert part in plain(client.get(chart))


def test_a_remainder_is_checked_and_printed_as_what_was_left():
    ward, planned = stopped_second()
    now = timezone.now()
    tomorrow = now.astimezone(ZoneInfo(NEW_YORK)).date() + timedelta(days=1)
    facts = {"reason_code": "unwell", "reached_by": "telephone", "by": ward.prescriber, "at": now}
    missed.decide(dose=planned, decision="give_remainder", give_on=tomorrow, **facts)
    rest = dose(planned.course, 2)
    client = signed_in(ward.second_pharmacist)
    checked = plain(client.get(reverse("verify", args=[planned.course_id])))
    assert "What is left of the stopped dose: 7,000 mg ordered, less the mg in the 50 mL given" in checked
    assert "4,500 mg" not in checked.split("Your check")[1].split("Your own first dose")[0]
    for page in ("dose", "release"):
        assert "What was left of the stopped dose" in plain(client.get(reverse(page, args=[rest.pk])))


def test_a_late_referral_is_told_on_the_case_and_a_pharmacist_signs_it():
    ward, planned = missed_second()
    course = planned.course
    url = reverse("decide", args=[planned.pk])
    client = signed_in(ward.pharmacist)
    assert "before referral" not in client.get(url).content.decode()
    Course.objects.filter(pk=course.pk).update(referred_at=planned.closes_at, referred_from="Mercy Hospital")
    assert "Mercy Hospital" in client.get(url).content.decode()
    data = {"before_referral": "1", "reason": "Their discharge letter says so", "password": PASSWORD}
    assert client.post(url, data | {"reason": "Short"}).status_code == 422
    assert client.post(url, data | {"password": "wrong-password-wrong"}).status_code == 422
    assert signed_in(ward.nurse).post(url, data).status_code == 403
    assert dose(course, 2).settled_as == ""
    assert client.post(url, data).status_code == 302
    assert dose(course, 2).settled_as == "before_referral"


def test_list_and_case_stay_within_their_statements(django_assert_max_num_queries):
    ward, planned = missed_second()
    client = signed_in(ward.prescriber)
    for url in (reverse("missed"), reverse("decide", args=[planned.pk])):
        client.get(url)
        with django_assert_max_num_queries(PAGE_STATEMENTS):
            assert client.get(url).status_code == 200
