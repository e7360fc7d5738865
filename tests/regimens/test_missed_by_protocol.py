"""Missed doses decided by a pharmacist: within the center's signed collaborative protocol, as far as it reaches, and never without it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients import actions
from patients.history import history_of
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import MAY, Role, may
from patients.when import day_text
from regimens.actions import missed, sheets
from regimens.actions.charting import local_day
from regimens.actions.parts import VialFacts
from regimens.models import MissedDoseDecision, PlannedDose
from tests.factories import PASSWORD
from tests.regimens.courses import Team, make_recipient, order_of
from tests.regimens.courses import make_course as make_off_label
from tests.regimens.ward import LOT_EXPIRES, Ward, dose, give, make_course, make_ward, verify

pytestmark = pytest.mark.django_db
SIGNED = "Missed CMV immune globulin, signed 14-Nov-2026"
PAGE_STATEMENTS = 12
REASONS = {
    "give_late": "no_access",
    "give_late_and_shift": "no_access",
    "give_remainder": "unwell",
    "accept_partial": "declined",
    "omit": "declined",
    "change_dose": "specialist_advice",
    "hold": "sepsis",
    "stop": "graft_loss",
    "change_protocol": "graft_loss",
}


def name_protocol(ward: Ward, name: str = SIGNED, **policy: Any) -> None:
    """The administrator names the signed document, or takes it away; everybody's next page knows."""
    actions.correct_centre(by=None, at=timezone.now(), centre=ward.centre, collaborative_protocol=name, **policy)
    ward.pharmacist = Membership.objects.select_related("centre", "user").get(pk=ward.pharmacist.pk)


def missed_second(**policy: Any) -> tuple[Ward, PlannedDose]:
    """A ward with the protocol, and a second dose whose window closed hours ago."""
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=18, hours=1)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    name_protocol(ward, **policy)
    return ward, dose(course, 2)


def stopped_second() -> tuple[Ward, PlannedDose]:
    """A ward with the protocol, and a second dose that was stopped after 50 of 140 mL, an hour ago."""
    ward = make_ward()
    transplanted = timezone.now() - timedelta(days=14, hours=6)
    course = make_course(ward, at=transplanted)
    give(ward, dose(course), at=transplanted + timedelta(hours=20))
    at = timezone.now() - timedelta(hours=5)
    vials = [VialFacts("A21K77", LOT_EXPIRES + timedelta(days=400), Decimal(50))]
    give(ward, dose(course, 2), at=at, volume_ml=Decimal(50), stopped_early_reason="Rigors", vials=vials)
    name_protocol(ward)
    return ward, dose(course, 2)


def off_label_first() -> tuple[Ward, PlannedDose]:
    """A ward with the protocol, and the first dose of an off-label course, missed."""
    ward, at = make_ward(), timezone.now() - timedelta(days=15)
    team = Team(ward.centre, ward.pharmacist, ward.second_pharmacist, ward.prescriber, ward.nurse)
    course = make_off_label(
        team,
        make_recipient(team, at=at, organs=["hsct"]),
        protocol_code="hsct_pneumonitis",
        first_dose_on=at.date(),
        at=at,
        order=order_of(team, at, off_label_reason="Severe pneumonitis, ganciclovir failed"),
    )
    name_protocol(ward)
    return ward, dose(course)


def tomorrow(ward: Ward) -> date:
    return local_day(timezone.now(), ward.centre) + timedelta(days=1)


def decide(ward: Ward, planned: PlannedDose, decision: str, **changes: Any) -> MissedDoseDecision | None:
    facts = {
        "reason_code": REASONS[decision],
        "reason": "As written in the protocol",
        "give_on": tomorrow(ward),
        "review_on": tomorrow(ward),
        "mg_per_kg": Decimal(50) if decision == "change_dose" else None,
        "protocol_code": "other_organ" if decision == "change_protocol" else "",
        "by": ward.pharmacist,
        "at": timezone.now(),
    }
    return missed.decide(dose=planned, decision=decision, **(facts | changes))


def refused(code: str, act) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act()
    assert caught.value.code == code
    assert not MissedDoseDecision.objects.exists()
    return caught.value


def signed_in(member: Membership) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def plain(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()).replace("&nbsp;", " "))


def posted(**changes: str) -> dict[str, str]:
    return {"decision": "omit", "reason_code": "omitted:declined", "password": PASSWORD, "give_on": ""} | changes


# --- The rule ----------------------------------------------------------------------------------------------------------------


def test_the_protocol_hands_one_action_to_the_pharmacist_and_nothing_to_anybody_else():
    ward, _ = missed_second()
    for who in (ward.pharmacist, *Membership.objects.filter(centre=ward.centre).exclude(role=Role.PHARMACIST)):
        more = {action for action in MAY if may(who, action)} - {action for action in MAY if who.role in MAY[action]}
        assert more == ({"decide_missed"} if who.role == Role.PHARMACIST else set()), who.role


def test_the_protocol_of_one_center_reaches_no_other():
    missed_second()
    other = make_ward()
    assert not may(other.pharmacist, "decide_missed")


@pytest.mark.parametrize("decision", ["give_late", "give_late_and_shift", "omit"])
def test_a_pharmacist_decides_about_a_missed_dose_within_the_protocol(decision):
    ward, planned = missed_second(shift_allowed=True)
    made = decide(ward, planned, decision)
    assert made is not None
    assert (made.decision, made.decided_by) == (decision, ward.pharmacist)
    assert made.reached_by == f"Collaborative protocol: {SIGNED}"


@pytest.mark.parametrize("decision", ["give_remainder", "accept_partial"])
def test_a_pharmacist_decides_about_a_stopped_dose_within_the_protocol(decision):
    ward, planned = stopped_second()
    made = decide(ward, planned, decision)
    assert made is not None and made.reached_by == f"Collaborative protocol: {SIGNED}"


@pytest.mark.parametrize("decision", ["change_dose", "hold", "stop", "change_protocol"])
def test_what_stays_a_prescribers_is_refused_with_a_sentence(decision):
    ward, planned = missed_second(shift_allowed=True)
    refusal = refused("prescriber_only", lambda: decide(ward, planned, decision))
    assert "The collaborative protocol does not reach this: a prescriber alone signs it" in refusal.sentence
    assert not planned.course.holds.exists()
    decide(ward, planned, decision if decision != "change_protocol" else "omit", by=ward.prescriber, reached_by="telephone")


def test_courses_are_moved_by_a_pharmacist_only_where_the_center_moves_them():
    ward, planned = missed_second()
    refused("not_available", lambda: decide(ward, planned, "give_late_and_shift"))


@pytest.mark.parametrize("decision", ["give_late", "omit"])
def test_an_off_label_course_stays_a_prescribers(decision):
    ward, planned = off_label_first()
    assert "off-label" in refused("prescriber_only", lambda: decide(ward, planned, decision)).sentence
    assert decide(ward, planned, "omit", by=ward.prescriber, reached_by="telephone")


def test_an_initial_dose_outside_its_hours_stays_a_prescribers():
    ward = make_ward()
    course = make_course(ward, at=timezone.now() - timedelta(hours=73))
    name_protocol(ward)
    first = dose(course)
    assert "window for the initial dose" in refused("prescriber_only", lambda: decide(ward, first, "give_late")).sentence
    decide(ward, first, "give_late", by=ward.prescriber, reached_by="telephone")


def test_without_the_document_nobody_but_a_prescriber_decides_again():
    ward, planned = missed_second()
    name_protocol(ward, "")
    refused("role", lambda: decide(ward, planned, "omit"))


def test_whoever_gave_the_dose_another_day_does_not_verify_it():
    ward, planned = missed_second()
    decide(ward, planned, "give_late")
    late = dose(planned.course, 2)
    assert (late.built_by, late.verified_at) == (ward.pharmacist, None)
    with pytest.raises(Refusal) as caught:
        verify(replace(ward, second_pharmacist=ward.pharmacist), planned.course, at=timezone.now())
    assert caught.value.code == "own_course"
    verify(ward, planned.course, at=timezone.now())


def test_history_and_sheet_name_the_pharmacist_and_the_protocol():
    ward, planned = missed_second()
    decide(ward, planned, "give_late")
    told = next(line for line in history_of(planned.course.patient) if line.after == "Give late")
    assert (told.who, told.role) == ("Kemi Adeyemi", "pharmacist")
    assert f"Collaborative protocol: {SIGNED}" in [value for _, _, value in told.details]
    now = timezone.now()
    verify(ward, planned.course, at=now)
    late = dose(planned.course, 2)
    copy = sheets.register_copy(dose=late, size="a4", by=ward.nurse, at=now)
    sheet = sheets.dose_sheet(dose=late, copy=copy, check_url="https://cmvig.example/s/")
    assert sheet.decided.startswith("Give late: decided ")
    assert sheet.decided.endswith(f" by Kemi Adeyemi, pharmacist (Collaborative protocol: {SIGNED}).")


# --- The pages ---------------------------------------------------------------------------------------------------------------


def test_the_case_shows_a_pharmacist_what_the_protocol_hands_over_and_names_it():
    ward, planned = missed_second(shift_allowed=True)
    page = plain(signed_in(ward.pharmacist).get(reverse("decide", args=[planned.pk])))
    for said in (
        "Give late",
        "Give late and move all later doses",
        "Omit this dose",
        f"You sign within the collaborative protocol: {SIGNED}",
    ):
        assert said in page
    for unsaid in ("Change the dose", "Hold the course", "Stop the course", "Change the protocol", "How you were reached"):
        assert unsaid not in page
    seen = plain(signed_in(ward.prescriber).get(reverse("decide", args=[planned.pk])))
    assert "How you were reached" in seen and "collaborative protocol" not in seen


def test_a_pharmacist_signs_on_the_page_and_the_chart_says_under_what():
    ward, planned = missed_second()
    client, url = signed_in(ward.pharmacist), reverse("decide", args=[planned.pk])
    assert client.post(url, posted(password="wrong-password-wrong")).status_code == 422
    assert not MissedDoseDecision.objects.exists()
    chart = reverse("chart", args=[planned.course.patient_id])
    assert client.post(url, posted())["Location"] == chart
    told = f"Kemi Adeyemi, pharmacist (Collaborative protocol: {SIGNED})"
    assert f"Omit this dose: {told}" in plain(client.get(chart))
    assert f"Already decided by {told}" in plain(client.get(url))


def test_a_late_dose_that_a_pharmacist_signed_asks_another_one():
    ward, planned = missed_second()
    data = posted(decision="give_late", reason_code="late:no_access", give_on=day_text(tomorrow(ward)))
    answer = signed_in(ward.pharmacist).post(reverse("decide", args=[planned.pk]), data, follow=True)
    assert "Another pharmacist verifies the new row." in plain(answer)


@pytest.mark.parametrize("decision", ["change_dose", "hold", "stop", "change_protocol"])
def test_a_prescribers_decision_sent_by_a_pharmacist_is_forbidden(decision):
    ward, planned = missed_second()
    answer = signed_in(ward.pharmacist).post(reverse("decide", args=[planned.pk]), posted(decision=decision))
    assert answer.status_code == 403
    assert "a prescriber alone signs it" in plain(answer)
    assert not MissedDoseDecision.objects.exists()


def test_the_case_of_an_off_label_course_is_read_by_a_pharmacist_and_not_signed():
    ward, planned = off_label_first()
    client, url = signed_in(ward.pharmacist), reverse("decide", args=[planned.pk])
    page = plain(client.get(url))
    assert "A prescriber decides, and signs." in page and "Sign the decision" not in page
    assert client.post(url, posted()).status_code == 403


def test_once_the_document_is_taken_away_the_page_signs_nothing():
    ward, planned = missed_second()
    client, url = signed_in(ward.pharmacist), reverse("decide", args=[planned.pk])
    assert "Sign the decision" in plain(client.get(url))
    name_protocol(ward, "")
    assert client.post(url, posted()).status_code == 403
    assert "A prescriber decides, and signs." in plain(client.get(url))
    assert not MissedDoseDecision.objects.exists()


@pytest.mark.parametrize("who", ["nurse"])
def test_the_protocol_leaves_everybody_else_as_they_were(who):
    ward, planned = missed_second()
    client, url = signed_in(getattr(ward, who)), reverse("decide", args=[planned.pk])
    assert "Change the dose" in plain(client.get(url))
    assert client.post(url, posted()).status_code == 403


def test_list_and_worklist_offer_the_decision_to_a_pharmacist_under_the_protocol():
    ward, planned = missed_second()
    client = signed_in(ward.pharmacist)
    for name in ("missed", "worklist"):
        assert re.search(rf'{reverse("decide", args=[planned.pk])}"[^>]*>Decide', client.get(reverse(name)).content.decode()), (
            name
        )


def test_the_pharmacists_case_stays_within_its_statements(django_assert_max_num_queries):
    ward, planned = missed_second()
    client, url = signed_in(ward.pharmacist), reverse("decide", args=[planned.pk])
    client.get(url)
    with django_assert_max_num_queries(PAGE_STATEMENTS):
        assert client.get(url).status_code == 200
