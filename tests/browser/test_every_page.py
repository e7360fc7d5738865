"""Every page of the demonstration: accessible by axe in light and dark, at most 12 statements, no patient in an address or a title."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command

from patients.models import Event, Membership, Patient, Transplant
from regimens.models import (
    Administration,
    AntibodyRemoval,
    Course,
    LabResult,
    Note,
    Order,
    OutsideDose,
    PlannedDose,
    SingleCheck,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.plugins.browser import LiveSite


@pytest.fixture
def demonstration(live_site: LiveSite, settings, tmp_path) -> dict[str, Membership]:
    """The demonstration centre; its people by account name."""
    settings.VAR_DIR = tmp_path
    settings.PASSWORD_HASHERS = ["tests.factories.QuickHasher"]
    call_command("load_demo", verbosity=0)
    return {member.user.username: member for member in Membership.objects.select_related("user", "centre")}


def addresses() -> dict[str, list[str]]:
    """Every kind of page, by whose eyes it is looked at with."""
    missed = PlannedDose.objects.filter(settled_at=None, course__patient__family_name="Hernandez").earliest("closes_at")
    built = Course.objects.get(patient__family_name="Brandt")
    open_course = Course.objects.get(patient__family_name="Tanaka")
    arrived = Transplant.objects.get(patient__family_name="Halloran")
    patient = Patient.objects.get(family_name="Moreau")
    event = Event.objects.filter(patient_id=patient.pk, name="record_weight").latest("pk")
    ordered = Order.objects.get(course=None, superseded_at=None)
    elsewhere = OutsideDose.objects.get(patient__family_name="Costa")
    running = Administration.objects.filter(ended_at=None).earliest("started_at")
    given = Administration.objects.filter(ended_at__isnull=False).earliest("started_at")
    reweighed = Course.objects.get(patient__family_name="Moreau")
    due = PlannedDose.objects.filter(settled_at=None, course__patient__family_name="Silva").earliest("closes_at")
    risen = LabResult.objects.order_by("value").last()
    removal = AntibodyRemoval.objects.get()
    query = Note.objects.get(answered_at=None, is_query=True)
    checker = Membership.objects.get(user__username="pharmacist1")
    single = SingleCheck.objects.create(
        course=open_course, revision=1, why="off_hours", checked_by=checker, checked_at=open_course.built_at
    )
    assert risen is not None
    return {
        "pharmacist2": [
            "/",
            "/verify/",
            "/infusing/",
            "/missed/",
            "/monograph/",
            "/monograph/review/",
            "/help/",
            "/patients/",
            "/patients/new/",
            "/account/",
            "/account/password/",
            "/account/second-factor/",
            f"/patients/{patient.pk}/",
            f"/patients/{patient.pk}/edit/",
            f"/patients/{patient.pk}/weights/new/",
            f"/patients/{patient.pk}/precautions/",
            f"/patients/{patient.pk}/transplants/new/",
            f"/patients/{patient.pk}/history/",
            f"/patients/{patient.pk}/close/",
            f"/transplants/{arrived.pk}/edit/",
            f"/transplants/{arrived.pk}/build/",
            f"/transplants/{ordered.transplant_id}/build/",
            f"/transplants/{arrived.pk}/order/",
            "/orders/",
            f"/patients/{elsewhere.patient_id}/outside-doses/",
            f"/outside-doses/{elsewhere.pk}/strike-out/",
            f"/courses/{built.pk}/verify/",
            f"/courses/{query.course_id}/verify/",
            f"/patients/{query.patient_id}/",
            f"/patients/{query.patient_id}/notes/",
            f"/notes/{query.pk}/answer/",
            f"/courses/{reweighed.pk}/replan/",
            f"/courses/{reweighed.pk}/version/",
            f"/courses/{reweighed.pk}/keep-weight/",
            f"/courses/{open_course.pk}/hold/",
            f"/courses/{open_course.pk}/resume/",
            f"/doses/{due.pk}/move/",
            f"/patients/{patient.pk}/hand-over/",
            "/weights/",
            f"/single-checks/{single.pk}/",
            f"/doses/{due.pk}/",
            f"/doses/{due.pk}/release/",
            f"/courses/{due.course_id}/papers/",
        ],
        "auditor1": ["/audit/", f"/patients/{patient.pk}/history/?reads=1", f"/audit/events/{event.pk}/"],
        "nurse1": [
            "/emergency/",
            f"/doses/{due.pk}/infusion/",
            f"/doses/{due.pk}/infusion/?way=given",
            f"/patients/{patient.pk}/infusion/",
            f"/infusions/{running.pk}/",
            f"/infusions/{given.pk}/",
            f"/doses/{due.pk}/booking/",
            f"/doses/{due.pk}/not-given/",
            f"/patients/{risen.patient_id}/results/",
            f"/results/{risen.pk}/strike-out/",
            f"/patients/{removal.patient_id}/antibody-removals/",
            f"/antibody-removals/{removal.pk}/strike-out/",
            f"/patients/{risen.patient_id}/risks/",
        ],
        "prescriber1": [
            f"/courses/{open_course.pk}/stop/",
            f"/doses/{missed.pk}/decide/",
            f"/orders/{built.orders.get(superseded_at=None).pk}/sign/",
            f"/transplants/{ordered.transplant_id}/order/",
            f"/orders/{ordered.pk}/withdraw/",
            f"/outside-doses/{elsewhere.pk}/decide/",
            f"/doses/{due.pk}/interval/",
            f"/results/{risen.pk}/decide/",
            f"/antibody-removals/{removal.pk}/decide/",
            f"/patients/{risen.patient_id}/risks/",
        ],
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    demonstration: dict[str, Membership], new_page: Callable[..., Page], sign_in: Callable, scheme: str
) -> None:
    found = {}
    names = set(Patient.objects.values_list("family_name", flat=True)) | set(Patient.objects.values_list("mrn", flat=True))
    for username, paths in addresses().items():
        page = new_page(color_scheme=scheme)
        sign_in(page, demonstration[username].user)
        for path in paths:
            answer = page.goto(path)
            assert answer is not None and answer.status == 200, f"{path} answered {answer and answer.status}"
            result = Axe().run(page)
            if result.violations_count:
                found[path] = result.generate_report()
            assert not any(name in page.title() or name in page.url for name in names), path
    assert not found, "\n".join(found.values())


def test_every_page_asks_the_database_at_most_twelve_times_and_the_worklist_five(
    demonstration: dict[str, Membership], client, django_assert_max_num_queries
) -> None:
    for username, paths in addresses().items():
        client.force_login(demonstration[username].user)
        client.get("/")  # the first page of a session writes when the person was last seen
        for path in paths:
            with django_assert_max_num_queries(5 if path == "/" else 12, info=path):
                assert client.get(path).status_code == 200
