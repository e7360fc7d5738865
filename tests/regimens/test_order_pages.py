"""The pages of orders: signed with the password, nothing preselected where people choose, and the lists of what waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from patients import actions
from patients.models import Transplant
from regimens.actions import orders, planning, risks
from regimens.models import Order
from regimens.views.orders import orders_to_build, orders_to_cosign
from tests.factories import PASSWORD, make_member, make_weight
from tests.regimens.courses import Team, make_course, make_recipient, make_team, verify
from tests.regimens.test_orders import place

pytestmark = pytest.mark.django_db


def signed_in(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def team_now() -> tuple[Team, Transplant]:
    now = timezone.now()
    team = make_team(now - timedelta(days=30))
    return team, make_recipient(team, at=now)


def typed(**changes: str) -> dict[str, str]:
    return {"protocol_code": "kidney", "indication": "Prophylaxis of CMV disease", "password": PASSWORD} | changes


def test_a_prescriber_signs_on_the_page_with_the_password() -> None:
    team, transplant = team_now()
    client, address = signed_in(team.prescriber), reverse("order-new", args=[transplant.pk])
    page = client.get(address).content.decode()
    assert "Sign the order" in page
    assert page.count("checked") == 1, "the protocol of a single organ is proposed"
    answer = client.post(address, typed(password="wrong"))
    assert answer.status_code == 422
    assert "This is not your password" in answer.content.decode()
    assert not Order.objects.exists()
    assert client.post(address, typed()).status_code == 302
    order = Order.objects.get()
    assert (order.prescriber, order.mode, order.is_read_back) == (team.prescriber, "written", False)
    assert order.signed_at is not None


def test_the_page_of_an_order_names_risks_of_clotting_from_the_checklist() -> None:
    team, transplant = team_now()
    client, address = signed_in(team.prescriber), reverse("order-new", args=[transplant.pk])
    warning = "Risk of thrombosis: advanced age"
    assert warning not in client.get(address).content.decode()
    risks.record_risks(
        patient=transplant.patient, factors=["estrogens"], pregnancy="not_applicable", by=team.nurse, at=timezone.now()
    )
    assert warning in client.get(address).content.decode()


def test_a_nurse_enters_it_for_the_named_prescriber_and_a_technician_does_not_see_the_page() -> None:
    team, transplant = team_now()
    address = reverse("order-new", args=[transplant.pk])
    local = timezone.now() - timedelta(minutes=10)
    facts = typed(
        prescriber=str(team.prescriber.pk), mode="telephone", ordered_at_on=f"{local:%Y-%m-%d}", ordered_at_time="00:01"
    )
    client = signed_in(team.nurse)
    answer = client.post(address, facts)
    assert answer.status_code == 422
    assert "read back" in answer.content.decode()
    assert (
        client.post(
            address, facts | {"is_read_back": "on", "ordered_at_on": f"{local - timedelta(days=1):%Y-%m-%d}"}
        ).status_code
        == 302
    )
    assert Order.objects.get().signed_at is None
    technician = signed_in(make_member("technician", centre=team.centre))
    assert technician.get(address).status_code == 403


def test_a_combined_graft_preselects_nothing_and_the_choice_is_the_prescribers() -> None:
    now = timezone.now()
    team = make_team(now - timedelta(days=30))
    transplant = make_recipient(team, at=now, organs=["kidney", "pancreas"])
    client, address = signed_in(team.prescriber), reverse("order-new", args=[transplant.pk])
    page = client.get(address).content.decode()
    assert "nothing is preselected" in page
    assert "checked" not in page
    assert client.post(address, typed(protocol_code="")).status_code == 422
    assert client.post(address, typed(protocol_code="other_organ")).status_code == 302
    built = signed_in(team.builder).get(reverse("course-build", args=[transplant.pk])).content.decode()
    assert "Ordered" in built
    assert "66,500" in built, "ordered beside built, at 70 kg"


def test_two_weights_ten_percent_apart_are_shown_side_by_side_and_neither_is_preselected() -> None:
    now = timezone.now()
    team = make_team(now - timedelta(days=30))
    transplant = make_recipient(team, at=now, weight_kg="77")
    make_weight(
        transplant.patient,
        "70",
        at=now,
        measured_at=transplant.reperfusion_at - timedelta(hours=6),
        by=team.builder,
        reason="Fluid",
    )
    client, address = signed_in(team.prescriber), reverse("order-new", args=[transplant.pk])
    page = client.get(address).content.decode()
    assert "Latest weight: 77\u00a0kg" in page
    assert "Dry weight, before the transplant: 70\u00a0kg" in page
    assert page.count("checked") == 1, "the protocol alone"
    assert client.post(address, typed()).status_code == 422
    assert client.post(address, typed(weight_basis="dry")).status_code == 302
    built = signed_in(team.builder).get(reverse("course-build", args=[transplant.pk])).content.decode()
    assert "Choose which of the two weights" in built
    assert "10,500" not in built


def test_the_antiviral_is_recorded_with_the_order_at_once() -> None:
    now = timezone.now()
    team = make_team(now - timedelta(days=30))
    transplant = make_recipient(team, at=now, organs=["heart"], antiviral="not_recorded")
    client, address = signed_in(team.prescriber), reverse("order-new", args=[transplant.pk])
    facts = typed(protocol_code="other_organ")
    answer = client.post(address, facts)
    assert answer.status_code == 422
    assert "Record the antiviral" in answer.content.decode()
    assert client.post(address, facts | {"antiviral": "ganciclovir"}).status_code == 302
    transplant.refresh_from_db()
    assert transplant.antiviral == "ganciclovir"


def test_what_stops_planning_is_said_on_the_page_with_the_way_to_it() -> None:
    now = timezone.now()
    team = make_team(now - timedelta(days=30))
    transplant = make_recipient(team, at=now, answers={"iga_deficiency": "present"})
    client, address = signed_in(team.prescriber), reverse("order-new", args=[transplant.pk])
    page = client.get(address).content.decode()
    assert "Cannot be ordered yet" in page
    assert reverse("precautions", args=[transplant.patient_id]) in page
    assert client.post(address, typed()).status_code == 422
    assert not Order.objects.exists()


def rules():
    return planning.published().to_domain()


def test_the_lists_name_what_waits_in_this_center_with_its_age(client: Client) -> None:
    team, transplant = team_now()
    other_team, theirs = team_now()
    now = timezone.now()
    entered = {"by": team.nurse, "mode": "telephone", "is_read_back": True}
    order = place(team, transplant, at=now, **entered)
    place(other_team, theirs, at=now)
    assert [row.pk for row in orders_to_build(team.centre)] == [order.pk]
    on_time = orders_to_cosign(team.centre, order.ordered_at + timedelta(hours=48), rules())
    assert [(row.pk, row.is_late, row.age) for row in on_time] == [(order.pk, False, "48\u00a0h")]
    assert orders_to_cosign(team.centre, order.ordered_at + timedelta(hours=48, seconds=1), rules())[0].is_late
    client.force_login(team.prescriber.user)
    page = client.get(reverse("orders")).content.decode()
    assert reverse("course-build", args=[transplant.pk]) in page
    assert reverse("course-build", args=[theirs.pk]) not in page
    address = reverse("order-cosign", args=[order.pk])
    assert address in page
    assert client.post(address, {"password": "wrong"}).status_code == 422
    assert client.post(address, {"password": PASSWORD}).status_code == 302
    assert orders_to_cosign(team.centre, now, rules()) == []
    make_course(team, transplant, at=now)
    assert orders_to_build(team.centre) == []
    client.force_login(other_team.prescriber.user)
    assert client.get(address).status_code == 404


def test_a_stopped_course_and_a_closed_chart_ask_for_no_signature() -> None:
    team, transplant = team_now()
    now = timezone.now()
    course = verify(team, make_course(team, transplant, at=now), at=now)
    assert [row.pk for row in orders_to_cosign(team.centre, now, rules())] == [course.orders.get().pk]
    actions.close_patient(patient=transplant.patient, closed_reason="died", by=team.builder, at=now)
    assert orders_to_cosign(team.centre, now, rules()) == []


def test_an_order_is_withdrawn_on_its_page(client: Client) -> None:
    team, transplant = team_now()
    order = place(team, transplant, at=timezone.now())
    client.force_login(team.prescriber.user)
    address = reverse("order-withdraw", args=[order.pk])
    assert address in client.get(reverse("order-new", args=[transplant.pk])).content.decode()
    assert client.get(address).status_code == 200
    assert client.post(address, {"reason": ""}).status_code == 422
    assert client.post(address, {"reason": "Ordered for the other patient"}).status_code == 302
    assert orders.waiting_order(transplant) is None
