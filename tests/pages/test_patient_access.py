"""Who may open the pages about a patient, what stands on each of them, and what each costs."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.roles import Role
from tests.factories import make_centre, make_member, make_patient, make_weight
from tests.pages.test_patient_pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def centre():
    return make_centre()


@pytest.fixture
def patient(pharmacist):
    return make_patient(by=pharmacist, at=timezone.now())


@pytest.fixture
def page(client, pharmacist):
    """The pharmacist's browser."""
    client.force_login(pharmacist.user)
    return client


@pytest.fixture
def pharmacist(centre):
    return make_member(Role.PHARMACIST, centre=centre)


PAGES = ["patient-edit", "patient-close", "weight-new", "precautions", "transplant-new", "patient-history"]


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_gets_the_same_answer_as_for_nobody(page, name):
    from uuid import uuid4

    stranger = make_patient()
    yours, nobodys = page.get(reverse(name, args=[stranger.pk])), page.get(reverse(name, args=[uuid4()]))
    assert yours.status_code == nobodys.status_code == 404
    assert "Okonkwo".upper() not in text(yours).upper()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_about_a_patient_has_the_banner_and_no_name_in_its_title_or_address(page, patient, name):
    make_weight(patient, at=timezone.now())
    response = page.get(reverse(name, args=[patient.pk]))
    assert response.status_code == 200
    body = text(response)
    assert 'aria-label="Patient"' in body and f'data-patient="{patient.pk}"' in body and "OKONKWO, Adaeze" in body
    title = body.partition("<title>")[2].partition("</title>")[0]
    assert "okonkwo" not in title.lower() and patient.mrn not in title


@pytest.mark.parametrize("name", PAGES)
def test_a_page_about_a_patient_takes_few_statements(page, patient, name, django_assert_max_num_queries):
    address = reverse(name, args=[patient.pk])
    page.get(address)  # the first request of a minute also writes when the person was last seen
    with django_assert_max_num_queries(12):
        page.get(address)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.NURSE, {"weight-new", "precautions", "patient-history"}),
        (Role.TECHNICIAN, {"precautions", "patient-history"}),
        (Role.COORDINATOR, {"patient-edit", "patient-close", "transplant-new", "precautions", "patient-history"}),
        (Role.AUDITOR, {"precautions", "patient-history"}),
        (Role.ADMINISTRATOR, set()),
        (Role.MONOGRAPH_EDITOR, set()),
    ],
)
def test_each_role_opens_its_own_pages(client, patient, role, allowed):
    client.force_login(make_member(role, centre=patient.centre).user)
    for name in PAGES:
        response = client.get(reverse(name, args=[patient.pk]))
        if name in allowed:
            assert response.status_code == 200, name
        else:
            assert response.status_code in (403, 404), name
            assert "OKONKWO" not in text(response)


@pytest.mark.parametrize("name", ["patients", "patient-new"])
def test_who_reads_no_charts_searches_and_registers_nobody(client, name):
    client.force_login(make_member(Role.ADMINISTRATOR).user)
    assert client.get(reverse(name)).status_code == 403


def test_every_page_needs_a_login(client, patient):
    for name in PAGES:
        assert client.get(reverse(name, args=[patient.pk])).status_code == 302
