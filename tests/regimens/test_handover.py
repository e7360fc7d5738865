"""Handing care over: the doses stay ours until the other place has acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from patients import actions
from patients.models import Patient
from patients.refusal import Refusal
from regimens.actions import handovers
from regimens.domain.status import Status
from regimens.models import Administration, Handover, PlannedDose
from regimens.models.status import status_of
from tests.factories import NOW, make_patient
from tests.regimens import ward as wards
from tests.regimens.courses import Team, doses_of, make_course, make_team
from tests.regimens.ward import TRANSPLANTED, give, make_ward

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def hand_over(team: Team, patient: Patient, *, at: datetime = NOW, **changes: Any) -> Handover:
    given: dict[str, Any] = {
        "to_person": "Dr. Aino Virtanen",
        "to_place": "Lakeside Hospital, transplant clinic",
        "phone": "+1 555 0142",
        "by": team.builder,
    }
    return handovers.hand_over(patient=patient, at=at, **(given | changes))


def acknowledge(team: Team, handover: Handover, *, at: datetime = NOW + DAY, **changes: Any) -> Handover:
    given: dict[str, Any] = {
        "who": "Dr. Aino Virtanen",
        "how": "by telephone",
        "acknowledged_at": at - HOUR,
        "by": team.builder,
    }
    return handovers.acknowledge(handover=handover, at=at, **(given | changes))


def test_a_handed_over_dose_stays_due_here_until_they_acknowledge_and_then_the_chart_is_closed() -> None:
    team = make_team()
    course = make_course(team)
    first = doses_of(course)[0]
    made = hand_over(team, course.patient)
    assert made.next_dose == first
    assert status_of(first, NOW) == Status.DUE
    assert list(handovers.open_handovers(team.centre)) == [made]
    acknowledge(team, made)
    patient = Patient.objects.get(pk=course.patient_id)
    assert (patient.closed_reason, patient.closed_at) == ("transferred", NOW + DAY - HOUR)
    made.refresh_from_db()
    assert made.acknowledged_how == "Dr. Aino Virtanen, by telephone"
    assert (made.acknowledged_at, made.acknowledged_recorded_by) == (NOW + DAY - HOUR, team.builder)
    assert not handovers.open_handovers(team.centre).exists()
    assert not course.doses.exclude(settled_at=None).exists(), "what was not given is not settled by leaving"


def test_the_next_dose_is_the_one_whose_window_closes_first_of_what_is_open() -> None:
    team = make_team()
    course = make_course(team)
    PlannedDose.objects.filter(course=course, number=1).update(settled_at=NOW, settled_as="omitted")
    assert handovers.next_open_dose(course.patient) == doses_of(course)[1]
    assert handovers.next_open_dose(make_patient(by=team.builder)) is None


@pytest.mark.parametrize("field", ["to_person", "to_place", "phone"])
def test_a_hand_over_names_person_place_and_telephone(field: str) -> None:
    team = make_team()
    with refused("name_needed") as refusal:
        hand_over(team, make_patient(by=team.builder), **{field: " "})
    assert refusal.value.field == field


def test_one_open_hand_over_at_a_time_and_it_may_be_cancelled_with_a_reason() -> None:
    team = make_team()
    patient = make_patient(by=team.builder)
    made = hand_over(team, patient)
    with refused("one_open_handover_per_patient"):
        hand_over(team, patient)
    with refused("reason_needed"):
        handovers.cancel_handover(handover=made, reason="", by=team.builder, at=NOW + HOUR)
    handovers.cancel_handover(handover=made, reason="Bed there was taken", by=team.builder, at=NOW + HOUR)
    for end in (
        lambda: acknowledge(team, made),
        lambda: handovers.cancel_handover(handover=made, reason="Bed there was taken", by=team.builder, at=NOW + HOUR),
    ):
        with refused("handover_closed"):
            end()
    assert hand_over(team, patient, at=NOW + 2 * HOUR).pk


def test_an_answer_is_neither_ahead_nor_before_the_hand_over_and_says_who_and_how() -> None:
    team = make_team()
    made = hand_over(team, make_patient(by=team.builder))
    with refused("in_the_future"):
        acknowledge(team, made, acknowledged_at=NOW + DAY + timedelta(seconds=1))
    with refused("before_handover"):
        acknowledge(team, made, acknowledged_at=NOW - timedelta(seconds=1))
    for field in ("who", "how"):
        with refused("name_needed"):
            acknowledge(team, made, **{field: ""})
    assert acknowledge(team, made, acknowledged_at=NOW).pk


def test_nobody_leaves_while_an_infusion_runs() -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    at = TRANSPLANTED + 20 * HOUR
    record = wards.start(ward, wards.dose(course, 1), at=at)
    given = {"to_person": "Dr. Aino Virtanen", "to_place": "Lakeside Hospital", "phone": "+1 555 0142"}
    made = handovers.hand_over(patient=course.patient, by=ward.pharmacist, at=at, **given)
    answer = {"who": "Dr. Aino Virtanen", "how": "by telephone", "acknowledged_at": at, "by": ward.pharmacist, "at": at}
    with refused("infusion_running"):
        handovers.acknowledge(handover=made, **answer)
    Administration.objects.filter(pk=record.pk).update(ended_at=at + HOUR, volume_ml=210)
    assert handovers.acknowledge(handover=made, **answer).pk


def test_a_closed_chart_is_not_handed_over_and_a_nurse_hands_nobody_over() -> None:
    team = make_team()
    patient = make_patient(by=team.builder)
    with refused("role"):
        hand_over(team, patient, by=team.nurse)
    made = hand_over(team, patient)
    for act in (acknowledge, lambda *a, by: handovers.cancel_handover(handover=made, reason="No", by=by, at=NOW)):
        with refused("role"):
            act(team, made, by=team.nurse)
    actions.close_patient(patient=patient, closed_reason="died", by=team.builder, at=NOW)
    with refused("patient_closed"):
        hand_over(team, patient)
    assert not handovers.open_handovers(team.centre).exists()


# The page ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def now() -> datetime:
    """The real time: pages read the clock."""
    return datetime.now(UTC)


def test_the_page_shows_the_next_dose_and_what_was_given_and_takes_the_answer(client: Client, now: datetime) -> None:
    team = make_team(at=now - DAY)
    course = make_course(team, at=now - HOUR)
    client.force_login(team.builder.user)
    address = reverse("hand-over", args=[course.patient_id])
    page = strip_tags(client.get(address).content.decode())
    assert "10,500\u00a0mg in 210\u00a0mL" in page
    given = {"to_person": "Dr. Aino Virtanen", "to_place": "Lakeside Hospital", "phone": "+1 555 0142"}
    assert client.post(address, given | {"to_person": ""}).status_code == 422
    answer = client.post(address, given)
    assert (answer.status_code, answer.url) == (302, address)
    page = client.get(address)
    assert "not acknowledged yet" in page.content.decode()
    at = page.context["acknowledge"]["acknowledged_at"]
    on, clock, *_ = at.field.widget.decompress(at.value())
    sent = {"who": "Dr. Aino Virtanen", "how": "by telephone", "acknowledged_at_on": on, "acknowledged_at_time": clock}
    assert client.post(address, sent | {"who": ""}).status_code == 422
    assert client.post(address, sent | {"acknowledge": "1"}).status_code == 302
    assert Patient.objects.get(pk=course.patient_id).closed_reason == "transferred"


def test_a_hand_over_is_cancelled_from_its_page(client: Client, now: datetime) -> None:
    team = make_team(at=now - DAY)
    patient = make_patient(by=team.builder)
    hand_over(team, patient, at=now)
    client.force_login(team.builder.user)
    address = reverse("hand-over", args=[patient.pk])
    assert client.post(address, {"cancel": "1", "cancel_reason": ""}).status_code == 422
    assert client.post(address, {"cancel": "1", "cancel_reason": "Bed there was taken"}).status_code == 302
    assert Handover.objects.get().cancelled_at


def test_given_late_missed_and_running_courses_stand_on_the_page_in_twelve_statements(
    client: Client, django_assert_max_num_queries
) -> None:
    ward = make_ward()
    course = wards.make_course(ward)
    give(ward, wards.dose(course, 1), at=TRANSPLANTED + 20 * HOUR)
    second = wards.dose(course, 2)
    give(ward, second, at=second.overdue_at + HOUR, reason="The clinic was full on the target day")
    client.force_login(ward.pharmacist.user)
    client.get("/")
    address = reverse("hand-over", args=[course.patient_id])
    with django_assert_max_num_queries(12):
        page = client.get(address)
    words = [strip_tags(row["status"]).split(maxsplit=1)[1] for row in page.context["rows"]]
    assert words[:2] == ["Given", "Given late"]
    client.force_login(make_team().builder.user)
    assert client.get(address).status_code == 404
    client.force_login(ward.nurse.user)
    assert client.get(address).status_code == 403
