"""What people do in a browser, in words that a test can be read aloud with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from patients.models import Membership
from patients.when import day_text
from tests.factories import NEW_YORK, PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page


def sign_in(page: Page, member: Membership) -> None:
    """Through the sign-in page, as anybody does."""
    page.goto("/sign-in/")
    page.get_by_label("Account").or_(page.get_by_label("Username")).first.fill(member.user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Worklist").wait_for()


def fill_instant(page: Page, name: str, at: datetime) -> None:
    """The day and the time of one field, on New York's clock."""
    local = at.astimezone(ZoneInfo(NEW_YORK))
    page.locator(f"[name={name}_on]").fill(day_text(local.date()))
    page.locator(f"[name={name}_time]").fill(f"{local:%H:%M}")


def register(page: Page, *, family: str, given: str, born: str, mrn: str) -> None:
    """A new patient, from the patients page."""
    page.goto("/patients/")
    page.get_by_role("link", name="New patient").click()
    page.get_by_label("Family name").fill(family)
    page.get_by_label("Given name").fill(given)
    page.locator("[name=birth_on]").fill(born)
    page.get_by_label("Sex").select_option("female")
    page.locator("[name=mrn]").fill(mrn)
    page.get_by_label("Ward").fill("7 North")
    page.get_by_label("No known allergies").check()
    page.get_by_role("button", name="Register").click()
    page.get_by_role("heading", name="Chart").wait_for()


def weigh(page: Page, weight_kg: str, at: datetime) -> None:
    """A weight on the standing scale, from the chart."""
    page.get_by_role("link", name="Record weight").click()
    page.locator("[name=weight_kg]").fill(weight_kg)
    fill_instant(page, "measured_at", at)
    page.get_by_label("Standing scale").check()
    page.get_by_role("button", name="Record").click()
    page.get_by_role("heading", name="Chart").wait_for()


def answer_precautions(page: Page) -> None:
    """Every question: no."""
    page.get_by_role("link", name="Precautions").click()
    for radio in page.locator("input[type=radio][value=absent]").all():
        radio.check()
    page.locator("main").get_by_role("button").first.click()
    page.get_by_role("heading", name="Chart").wait_for()


def record_transplant(page: Page, organ: str, at: datetime) -> None:
    """From a positive donor into a negative recipient."""
    page.get_by_role("link", name="New transplant").click()
    page.get_by_label(organ, exact=True).check()
    fill_instant(page, "reperfusion_at", at)
    page.get_by_label("Donor CMV IgG").select_option("positive")
    page.get_by_label("Recipient CMV IgG").select_option("negative")
    page.get_by_label("Antiviral at the same time").select_option("valganciclovir")
    page.locator("main").get_by_role("button").first.click()
    page.get_by_role("heading", name="Chart").wait_for()


def release(page: Page, address: str) -> None:
    """A pharmacist's go for one dose: what is asked is confirmed, and signed."""
    page.goto(address)
    page.get_by_label("The product is on hand").check()
    page.get_by_label("The patient is expected").check()
    page.get_by_label("Why there is no recent").fill("Seen in the hospital's record")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign the release").click()
    page.get_by_text("Released by").first.wait_for()


def verify(page: Page, *, mrn_tail: str, birth_year: str, own_dose: str) -> None:
    """The independent check: identity, sources, own dose, then the plan beside it, then the signature."""
    page.get_by_label("Record number, last 4").fill(mrn_tail)
    page.get_by_label("Birth year").fill(birth_year)
    for box in page.locator("#verify-form input[type=checkbox]").all():
        box.check()
    page.get_by_label("Your own first dose").fill(own_dose)
    page.get_by_role("button", name="Compare with the plan").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign as verified").click()
    page.get_by_role("heading", name="Chart").wait_for()
