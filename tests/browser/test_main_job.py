"""From registering a patient to a decision about a missed dose: the whole job, by four people, in a real browser."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from pypdf import PdfReader

from patients.roles import Role
from regimens.models import Administration, Course, MissedDoseDecision, Monograph
from tests.browser import people
from tests.factories import PASSWORD, make_centre, make_member

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.plugins.browser import LiveSite

PICTURES = os.environ.get("CMVIG_PICTURES", "")


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page where somebody asked for them."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("javascript", [True, False], ids=["with the script", "without it"])
def test_the_whole_job_from_a_new_patient_to_a_decided_missed_dose(
    live_site: LiveSite, new_page: Callable[..., Page], tolerated: list[str], javascript: bool
) -> None:
    # A preview that a newer one replaces is given up by htmx, which says so in the console.
    tolerated += ["htmx:sendAbort", "htmx:afterRequest"]
    now = timezone.now()
    centre = make_centre(at=now - timedelta(days=30), name="Riverside Transplant Center")
    builder, verifier, nurse, prescriber = (
        make_member(role, centre=centre, given=given, family=family, at=now - timedelta(days=30))
        for role, given, family in (
            (Role.PHARMACIST, "Kemi", "Adeyemi"),
            (Role.PHARMACIST, "Rohan", "Patel"),
            (Role.NURSE, "Clara", "Oduya"),
            (Role.PRESCRIBER, "Ingrid", "Solberg"),
        )
    )
    pharmacist = new_page(java_script_enabled=javascript)
    people.sign_in(pharmacist, builder)

    # A patient, her weight, the questions, the transplant
    people.register(pharmacist, family="Okonkwo", given="Adaeze", born="14-Jul-1979", mrn="0042 7719")
    people.weigh(pharmacist, "70", now - timedelta(hours=2))
    people.answer_precautions(pharmacist)
    people.record_transplant(pharmacist, "Kidney", now - timedelta(hours=8))
    picture(pharmacist, "chart-before")

    # The course, with its preview
    pharmacist.get_by_role("link", name="Build a course").click()
    assert "10,500" in pharmacist.locator("#preview").inner_text()
    pharmacist.locator("[name=weight_kg]").fill("72")
    if not javascript:
        pharmacist.get_by_role("button", name="Recalculate").click()
    pharmacist.locator("#preview").get_by_text("10,800\u00a0mg", exact=True).wait_for()
    picture(pharmacist, "build")
    pharmacist.locator("[name=weight_kg]").fill("70")
    if not javascript:
        pharmacist.get_by_role("button", name="Recalculate").click()
    pharmacist.locator("#preview").get_by_text("10,500\u00a0mg", exact=True).wait_for()
    assert "21, 42, 75" in pharmacist.locator("#preview").inner_text()
    pharmacist.locator("[name=prior_ig][value=no]").check()
    people.fill_instant(pharmacist, "ordered_at", now - timedelta(minutes=30))
    pharmacist.get_by_role("button", name="Request verification").click()
    pharmacist.get_by_role("heading", name="Chart").wait_for()
    course = Course.objects.get()
    assert [dose.dose_mg for dose in course.doses.order_by("number")] == [10500, 7000, 7000, 7000, 7000, 3500, 3500]

    # The builder cannot verify; another pharmacist does
    pharmacist.goto(f"/courses/{course.pk}/verify/")
    assert "You built this plan" in pharmacist.locator("main").inner_text()
    second = new_page(java_script_enabled=javascript)
    people.sign_in(second, verifier)
    second.get_by_role("link", name="Verify", exact=True).first.click()
    second.get_by_role("link", name="OKONKWO, Adaeze").first.click()
    assert "10,500" not in second.locator("main").inner_text(), "the plan's dose is hidden until an own dose was typed"
    picture(second, "verify")
    people.verify(second, mrn_tail="7719", birth_year="1979", own_dose="10,500")
    dose = course.doses.get(number=1)
    assert dose.verified_by == verifier

    # The release, and the dose sheet
    people.release(second, f"/doses/{dose.pk}/release/")
    assert dose.releases.get().released_by == verifier
    picture(second, "release")
    second.goto(f"/doses/{dose.pk}/")
    picture(second, "dose")
    form = second.locator("form[action$='/sheet/']")
    sheet = second.request.post(
        f"{live_site.url}/doses/{dose.pk}/sheet/",
        form={"csrfmiddlewaretoken": form.locator("[name=csrfmiddlewaretoken]").input_value(), "size": "a4"},
        headers={"Referer": live_site.url + "/"},
    )
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(sheet.body())).pages)
    code = dose.copies.get().code
    assert code in text
    assert "OKONKWO, Adaeze" in text
    assert "DRAFT" not in text

    # The nurse finds it on the worklist and records it
    bedside = new_page(java_script_enabled=javascript, viewport={"width": 768, "height": 1024})
    people.sign_in(bedside, nurse)
    bedside.get_by_role("link", name="OKONKWO, Adaeze").first.click()
    bedside.get_by_role("link", name="Log infusion").first.click()
    bedside.get_by_role("link", name="given").first.click()
    bedside.get_by_label("Record number, last 4").fill("7719")
    bedside.get_by_label("Birth year").fill("1979")
    bedside.locator("[name=sheet_code]").fill(code)
    people.fill_instant(bedside, "started_at", now - timedelta(hours=4))
    people.fill_instant(bedside, "ended_at", now - timedelta(minutes=20))
    bedside.locator("[name=volume_ml]").fill("210")
    bedside.get_by_label("Given by").select_option(str(nurse.pk))
    bedside.locator("[name$='-0-lot_number']").fill("A21K77")
    bedside.locator("[name$='-0-expires_on']").fill("30-Sep-2028")
    bedside.locator("[name$='-0-given_ml']").fill("210")
    bedside.locator("[name=reason]").fill("Charted after the pump had finished")
    picture(bedside, "log")
    bedside.get_by_role("button", name="Record as given").click()
    bedside.wait_for_url("**/infusions/**")
    picture(bedside, "record")
    record = Administration.objects.get()
    assert (record.dose_id, record.volume_ml, record.given_by) == (dose.pk, 210, nurse)

    # A second patient came late: her 72 hours are over, and the worklist says so
    people.register(pharmacist, family="Hernandez", given="Rosa", born="05-May-1965", mrn="0039 1184")
    people.weigh(pharmacist, "74", now - timedelta(hours=1))
    people.answer_precautions(pharmacist)
    people.record_transplant(pharmacist, "Liver", now - timedelta(days=5))
    pharmacist.get_by_role("link", name="Build a course").click()
    pharmacist.locator("[name=prior_ig][value=no]").check()
    people.fill_instant(pharmacist, "ordered_at", now - timedelta(minutes=20))
    pharmacist.get_by_role("button", name="Request verification").click()
    pharmacist.get_by_role("heading", name="Chart").wait_for()
    doctor = new_page(java_script_enabled=javascript)
    people.sign_in(doctor, prescriber)
    missed = doctor.locator("tr", has_text="HERNANDEZ, Rosa").first
    assert "Missed" in missed.inner_text()
    picture(doctor, "worklist")
    missed.get_by_role("link", name="Decide").click()
    picture(doctor, "decide")
    doctor.get_by_label("Omit").check()
    reasons = doctor.locator("[name=reason_code] option").evaluate_all("all => all.map(o => o.value)")
    omitting = next(value for value in reasons if value.startswith("omitted:"))
    doctor.locator("[name=reason_code]").select_option(omitting)
    doctor.locator("[name=reason]").fill("Came to us after the window had closed")
    doctor.locator("[name=reached_by]").select_option(index=1)
    doctor.get_by_label("Your password").fill(PASSWORD)
    doctor.get_by_role("button", name="Sign the decision").click()
    doctor.goto("/")
    doctor.get_by_role("heading", name="Worklist").wait_for()
    assert doctor.locator("#worklist tr", has_text="HERNANDEZ, Rosa").filter(has_text="Missed").count() == 0
    assert MissedDoseDecision.objects.get().decided_by == prescriber


def test_a_draft_of_the_monograph_is_edited_in_the_admin_panel_and_published_by_another_person(
    live_site: LiveSite, new_page: Callable[..., Page]
) -> None:
    centre = make_centre()
    editor = make_member(Role.MONOGRAPH_EDITOR, centre=centre, given="Ana", family="Ruiz")
    pharmacist = make_member(Role.PHARMACIST, centre=centre)
    page = new_page()
    page.set_default_timeout(30_000)  # Django's own admin pages are long
    page.goto("/sign-in/")
    page.locator("[name=username]").fill(editor.user.username)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/admin/regimens/monograph/")
    page.get_by_role("button", name="Start a draft").click()
    page.get_by_label("What changed").fill("Week 12 of the kidney table raised to 60 mg per kg")
    picture(page, "admin-draft")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("link", name="Limits", exact=True).click()
    page.get_by_label("What changed").wait_for()
    assert page.locator("input[value='max_rate_ml_per_h']").count() == 1
    page.go_back()
    page.get_by_role("link", name="Kidney transplant", exact=True).click()
    code = page.locator("input[value=W12]").get_attribute("name") or ""
    page.locator(f"[name={code.replace('-code', '-mg_per_kg')}]").fill("60")
    picture(page, "admin-protocol")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Submit for publication").click()
    page.get_by_role("button", name="Submit for publication").click()
    page.get_by_text("Another person reads it").wait_for()
    draft = Monograph.objects.get(state="submitted")

    other = new_page()
    people.sign_in(other, pharmacist)
    other.goto("/monograph/")
    other.get_by_role("link", name="Read what changes").click()
    assert "60" in other.locator("ins").all_inner_texts()
    picture(other, "publish")
    other.get_by_label("Your password").fill(PASSWORD)
    other.get_by_role("button", name="Publish as a new version").click()
    other.get_by_text("running courses keep theirs").wait_for()
    draft.refresh_from_db()
    assert (draft.state, draft.version) == ("published", 2)
    assert Monograph.objects.get(version=1).state == "retired"
