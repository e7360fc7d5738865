"""Finding a patient: by record number, name and birth date; a name never opens a chart."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from patients.models import Event
from patients.roles import Role
from tests.factories import make_centre, make_member, make_patient
from tests.pages.test_patient_pages import chart, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def centre():
    return make_centre()


@pytest.fixture
def pharmacist(centre):
    return make_member(Role.PHARMACIST, centre=centre)


@pytest.fixture
def patient(pharmacist):
    return make_patient(by=pharmacist, at=timezone.now())


@pytest.fixture
def page(client, pharmacist):
    """The pharmacist's browser."""
    client.force_login(pharmacist.user)
    return client


# --- Search


def find(page, typed, **headers):
    return page.post(reverse("patients"), {"q": typed}, headers=headers)


def test_a_whole_record_number_opens_the_chart(page, patient):
    for typed in (patient.mrn, f"{patient.mrn[:4]} {patient.mrn[4:]}"):
        response = find(page, typed)
        assert (response.status_code, response["Location"]) == (302, chart(patient))


def test_a_name_lists_and_never_opens(page, patient):
    response = find(page, "oko, a")
    assert response.status_code == 200
    assert "OKONKWO, Adaeze" in text(response) and "14-Jul-1979" in text(response)
    assert chart(patient) in text(response)


def test_while_typing_even_a_whole_record_number_only_lists(page, patient):
    response = find(page, patient.mrn, **{"HX-Request": "true"})
    assert response.status_code == 200
    assert text(response).lstrip().startswith("<section") and "OKONKWO" in text(response)


@pytest.mark.parametrize(
    ("typed", "found"),
    [("14-Jul-1979", True), ("1979-07-14", True), ("15-Jul-1979", False), ("oko, b", False), ("konkwo", False)],
)
def test_birth_date_and_prefixes_find(page, patient, typed, found):
    assert ("OKONKWO" in text(find(page, typed))) is found


def test_at_most_eight_rows_and_it_is_said_that_there_are_more(page, pharmacist):
    for _ in range(9):
        make_patient(by=pharmacist)
    response = text(find(page, "okonkwo"))
    assert response.count("row-link") == 8 and "More than 8" in response


def test_alike_rows_are_marked(page, pharmacist, patient):
    assert "tag-warn" not in text(find(page, "okonkwo"))
    make_patient(by=pharmacist, given_name="Adanna")
    assert text(find(page, "okonkwo")).count("tag-warn") == 2


def test_patients_of_other_centres_are_not_found(page):
    stranger = make_patient()
    for typed in (stranger.mrn, "okonkwo", "14-Jul-1979"):
        response = find(page, typed)
        assert response.status_code == 200 and "OKONKWO" not in text(response)


def test_an_empty_search_says_so_and_a_search_is_recorded_without_what_was_typed(page, patient):
    assert "Nothing searched yet" in text(page.get(reverse("patients")))
    assert "No patient of this centre fits" in text(find(page, "zzz"))
    find(page, "okonkwo")
    event = Event.objects.filter(name="read_search").latest("pk")
    assert event.facts["found"] == 1 and "okonkwo" not in str(event.facts).lower()


@pytest.mark.parametrize("typed", ["'; drop table patients_patient; --", "%", "_", "\\", "\x00", "(", "a" * 500])
def test_a_search_for_anything_answers(page, patient, typed):
    response = find(page, typed)
    assert response.status_code == 200 and "OKONKWO" not in text(response)


def test_a_search_takes_few_statements(page, pharmacist, patient, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        find(page, "okonkwo")
