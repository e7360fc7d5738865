"""What the forms about patients do while somebody types, and how they look when they come back with errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from patients import actions
from patients.models import WeightMeasurement
from patients.roles import Role
from tests.factories import make_answers, make_member, make_patient, make_weight

if TYPE_CHECKING:
    from playwright.sync_api import Page


def axe_finds_nothing(page: Page) -> None:
    violations = Axe().run(page).response["violations"]
    assert not violations, [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]


def test_a_search_lists_while_typing_and_opens_only_on_a_whole_number_sent_on_purpose(page: Page, sign_in: Callable) -> None:
    by = make_member()
    patient = make_patient(by=by, mrn="00427719")
    make_patient(by=by, given_name="Adanna", mrn="00427791")
    sign_in(page, by.user)
    page.goto("/patients/")
    box = page.get_by_label("Find a patient")
    box.press_sequentially("oko, ada")
    page.get_by_role("link", name="OKONKWO, Adanna").wait_for()
    assert page.locator("#found tbody tr").count() == 2
    assert page.url.endswith("/patients/") and "OKONKWO" not in page.title()
    axe_finds_nothing(page)
    box.fill("00427719")
    page.locator("#found tbody tr:only-child").wait_for()
    assert page.url.endswith("/patients/")
    box.press("Enter")
    page.wait_for_url(f"**/patients/{patient.pk}/")


def test_what_was_typed_is_echoed_beside_the_field(page: Page, sign_in: Callable) -> None:
    by = make_member()
    patient = make_patient(by=by)
    sign_in(page, by.user)
    page.goto(f"/patients/{patient.pk}/weights/new/")
    page.locator("[name=weight_kg]").fill("70")
    page.locator("[name=weight_kg]").blur()
    page.get_by_text("about 154").wait_for()
    page.locator("[name=weight_kg]").fill("70,5")
    page.locator("[name=weight_kg]").blur()
    page.get_by_text("Use a point for the decimal").wait_for()
    page.locator("[name=measured_at_on]").fill("05-Jan-2026")
    page.locator("[name=measured_at_on]").blur()
    page.get_by_text("Mon 05-Jan-2026").wait_for()
    page.goto("/patients/new/")
    page.locator("[name=birth_on]").fill("14-Jul-1979")
    page.locator("[name=birth_on]").blur()
    page.get_by_text("Sat 14-Jul-1979, age").wait_for()


def test_a_weight_in_pounds_is_caught_and_the_errors_are_accessible(page: Page, sign_in: Callable) -> None:
    by = make_member()
    patient = make_patient(by=by, at=timezone.now() - timedelta(days=9))
    make_weight(patient, at=timezone.now() - timedelta(days=8))
    sign_in(page, by.user)
    page.goto(f"/patients/{patient.pk}/weights/new/")
    page.locator("[name=weight_kg]").fill("154")
    page.locator("[name=measured_at_time]").fill("00:00")
    page.get_by_label("Bed scale").check()
    page.get_by_role("button", name="Record weight").click()
    page.get_by_role("heading", name="Not saved").wait_for()
    assert page.locator(".error-summary").evaluate("element => element === document.activeElement")
    assert page.locator("[name=weight_kg]").input_value() == "154"
    axe_finds_nothing(page)
    page.get_by_role("link", name="Weight in kg").click()
    assert page.locator("[name=weight_kg]").evaluate("element => element === document.activeElement")
    page.get_by_label("I weighed again and it reads the same").check()
    page.get_by_role("button", name="Record weight").click()
    page.get_by_text("kept, but not used").wait_for()
    assert WeightMeasurement.objects.filter(error_at=None).count() == 1


def test_what_stops_what_is_stale_and_who_is_alike_is_shown_accessibly(page: Page, sign_in: Callable) -> None:
    by = make_member(Role.PRESCRIBER)
    patient = make_patient(by=by)
    make_answers(patient, iga_deficiency="present")
    sign_in(page, by.user)
    page.goto(f"/patients/{patient.pk}/precautions/")
    axe_finds_nothing(page)
    page.get_by_role("link", name="Release").click()
    page.get_by_role("heading", name="Release a contraindication").wait_for()
    axe_finds_nothing(page)
    page.goto(f"/patients/{patient.pk}/edit/")
    actions.correct_patient(by=by, at=timezone.now(), patient=patient, version=1, ward="7 West")
    page.get_by_label("Ward or clinic").fill("ICU 2")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("cell", name="7 West").wait_for()
    assert page.get_by_label("Ward or clinic").input_value() == "ICU 2"
    axe_finds_nothing(page)
    page.goto("/patients/new/")
    page.get_by_label("Family name").fill("Okonkwa")
    page.locator("[name=birth_on]").fill("14-Jul-1979")
    page.get_by_label("Sex").select_option("female")
    page.locator("[name=mrn]").fill("7")
    page.get_by_role("button", name="Register patient").click()
    page.get_by_role("link", name="OKONKWO, Adaeze").wait_for()
    axe_finds_nothing(page)


def test_every_form_that_comes_back_with_errors_is_accessible(page: Page, sign_in: Callable) -> None:
    by = make_member()
    patient = make_patient(by=by)
    sign_in(page, by.user)
    for address, button in (
        ("/patients/new/", "Register patient"),
        (f"/patients/{patient.pk}/transplants/new/", "Record transplant"),
        (f"/patients/{patient.pk}/close/", "Close the chart"),
    ):
        page.goto(address)
        page.get_by_role("button", name=button).click()
        page.get_by_role("heading", name="Not saved").wait_for()
        axe_finds_nothing(page)
    page.goto(f"/patients/{patient.pk}/transplants/new/")
    page.locator("[name=reperfusion_at_on]").fill("02-Nov-2025")
    page.locator("[name=reperfusion_at_time]").fill("01:30")
    page.get_by_role("button", name="Record transplant").click()
    page.locator("[name=reperfusion_at_which]").select_option("2")
    axe_finds_nothing(page)
