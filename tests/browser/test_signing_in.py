"""Signing in by hand: an authenticator app set up, the page locked and left alone, and nothing half-typed lost."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP

from patients.models import Membership, Patient
from patients.roles import Role
from regimens.actions import planning
from regimens.models import Administration, Course, MissedDoseDecision
from tests.factories import NEW_YORK, PASSWORD, make_centre, make_member
from tests.regimens.courses import make_recipient, make_team
from tests.regimens.test_missed_pages import missed_second
from tests.regimens.ward import dose, identity, make_course, make_ward, release

if TYPE_CHECKING:
    from playwright.sync_api import Page


def axe_finds_nothing(page: Page) -> None:
    violations = Axe().run(page).response["violations"]
    assert not violations, [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]


def give_password(page: Page, member: Membership) -> None:
    page.goto("/sign-in/")
    page.get_by_label("Account name").fill(member.user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def code_of(key: str, *, steps: int = 0) -> str:
    totp = TOTP(base64.b32decode(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06}"


def leave_alone() -> None:
    """As if nothing had been done for a quarter of an hour."""
    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        session["seen"] -= 15 * 60
        session.save()


def go_on(page: Page, code: str = "") -> None:
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    if code:
        page.get_by_label("Code from your app").fill(code)
        page.get_by_role("button", name="Go on").click()


def test_an_app_is_set_up_and_a_locked_page_goes_on_with_what_was_half_typed(page: Page, tolerated: list[str]) -> None:
    tolerated += ["the server responded with a status of 401", "Response Status Error Code 401"]
    member = make_member(centre=make_centre(second_factor_required=True))
    axe_of_sign_in(page)
    give_password(page, member)
    page.get_by_role("heading", name="Set up your second factor").wait_for()
    assert page.locator(".qr img").evaluate("image => image.naturalWidth") > 150
    axe_finds_nothing(page)
    key = page.locator("#typed-key").inner_text().replace(" ", "")
    page.get_by_role("textbox", name="Code").fill(code_of(key))
    page.get_by_role("button", name="Set it up").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    codes = page.locator(".codes li").all_inner_texts()
    axe_finds_nothing(page)

    page.goto("/patients/new/")
    page.get_by_label("Family name").fill("Okonkwo")
    page.locator("[name=mrn]").fill("00427719")
    page.locator("h1").first.click()
    page.keyboard.press("l")
    page.get_by_role("heading", name="Locked").wait_for()
    covered = page.get_by_label("Family name").evaluate(
        "field => { const box = field.getBoundingClientRect(); const top = document.elementFromPoint(box.x + 5, box.y + 5);"
        " return top !== field && top.closest('dialog.locked') !== null; }"
    )
    assert covered
    assert page.get_by_label("Your password").input_value() == ""
    for _ in range(6):  # a browser lets a page refuse the first of several in a row, and no more
        page.keyboard.press("Escape")
        assert page.get_by_role("heading", name="Locked").is_visible()
    page.evaluate("document.querySelector('dialog.locked').close()")  # as a back gesture does
    page.locator("dialog.locked:modal").wait_for()
    axe_finds_nothing(page)
    page.get_by_label("Your password").fill("wrong")
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("do not belong together").wait_for()
    go_on(page, code_of(key, steps=1))
    page.locator("dialog.locked").wait_for(state="detached")
    assert page.get_by_label("Family name").input_value() == "Okonkwo"

    leave_alone()
    page.locator("[name=birth_on]").fill("14-Jul-1979")
    page.locator("[name=birth_on]").blur()  # asks the server for the echo, and is told that the session is locked
    page.get_by_text("The session was locked.").wait_for()
    go_on(page, codes[0])
    page.locator("dialog.locked").wait_for(state="detached")
    assert page.locator("[name=birth_on]").input_value() == "14-Jul-1979"
    assert Patient.objects.count() == 0
    page.get_by_label("Given name").fill("Adaeze")
    page.get_by_label("Sex").select_option("female")

    leave_alone()
    page.get_by_role("button", name="Register patient").click()
    page.get_by_role("heading", name="Not saved yet").wait_for()
    axe_finds_nothing(page)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Code from your app").fill(codes[1])
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Send what I typed").click()
    page.get_by_text("OKONKWO").first.wait_for()
    patient = Patient.objects.get()
    assert (patient.family_name, patient.given_name, patient.mrn) == ("Okonkwo", "Adaeze", "00427719")
    page.goto("/account/")
    axe_finds_nothing(page)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert not [typed for typed in ("konkwo", "Adaeze", "00427719", PASSWORD) if typed in kept]


def axe_of_sign_in(page: Page) -> None:
    page.goto("/sign-in/")
    axe_finds_nothing(page)


def test_a_page_warns_after_13_minutes_and_covers_itself_after_15(page: Page, sign_in: Callable) -> None:
    member = make_member(Role.NURSE)
    sign_in(page, member.user)
    page.clock.install()
    page.goto("/help/")
    page.clock.run_for(12 * 60_000)
    assert page.locator("#ending").is_hidden()
    page.clock.run_for(61_000)
    page.get_by_text("this page is locked in 2 minutes").wait_for()
    page.get_by_role("button", name="Stay signed in").click()
    page.locator("#ending").wait_for(state="hidden")
    page.clock.run_for(14 * 60_000)
    assert page.locator("dialog.locked").count() == 0
    page.clock.run_for(61_000)
    page.get_by_text("Nothing was done for 15 minutes.").wait_for()
    go_on(page)
    page.locator("dialog.locked").wait_for(state="detached")


def test_locking_one_tab_covers_the_others_and_going_on_uncovers_them_with_forms_that_still_work(
    page: Page, sign_in: Callable
) -> None:
    member = make_member()
    sign_in(page, member.user)
    page.goto("/patients/new/")
    page.get_by_label("Family name").fill("Okonkwo")
    other = page.context.new_page()
    other.goto("/help/")
    other.get_by_role("button", name="Lock").click()
    page.get_by_text("You locked another page.").wait_for()
    go_on(other)
    page.locator("dialog.locked").wait_for(state="detached")
    page.locator("[name=birth_on]").fill("14-Jul-1979")
    page.get_by_label("Sex").select_option("female")
    page.locator("[name=mrn]").fill("00427719")
    page.get_by_role("button", name="Register patient").click()
    page.get_by_text("OKONKWO").first.wait_for()
    assert Patient.objects.count() == 1


def test_a_page_of_one_person_is_covered_when_another_signs_in_with_the_same_browser(page: Page, sign_in: Callable) -> None:
    sign_in(page, make_member().user)
    page.goto("/help/")
    other = page.context.new_page()
    sign_in(other, make_member(Role.NURSE).user)
    other.goto("/help/")
    page.get_by_text("Somebody else has signed in with this browser.").wait_for()


# --- The long forms: half typed when the session was locked, sent once -------------------------------------------------------

LOCKED = ["the server responded with a status of 401", "Response Status Error Code 401"]


def send_after_signing_in_again(page: Page) -> None:
    page.get_by_role("heading", name="Not saved yet").wait_for()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Send what I typed").click()


def test_a_start_and_a_rate_that_were_typed_before_the_session_was_locked_are_recorded_once(
    page: Page, sign_in: Callable, tolerated: list[str]
) -> None:
    tolerated += LOCKED
    ward = make_ward()
    planned = dose(make_course(ward, at=timezone.now() - timedelta(hours=20)))
    release(ward, planned, at=timezone.now())
    who = identity(planned.course.patient)
    sign_in(page, ward.nurse.user)
    page.goto(reverse("infusion-log", args=[planned.pk]))
    page.get_by_label("Record number, last 4").fill(who["mrn_tail"])
    page.get_by_label("Birth year").fill(who["birth_year"])
    page.get_by_label("Code on the dose sheet").fill(planning.sheet_code(planned))
    entered_at = timezone.now().astimezone(ZoneInfo(NEW_YORK)) - timedelta(minutes=5)
    page.locator("[name=vial_entered_at_time]").fill(f"{entered_at:%H:%M}")
    leave_alone()
    page.get_by_role("button", name="Start now").click()
    send_after_signing_in_again(page)
    page.get_by_text("Infusing", exact=True).first.wait_for()
    record = Administration.objects.get(dose=planned)
    before = record.rates.count()

    page.get_by_label("Rate in mL per h").fill("20")
    page.locator("#id_rate_reason").fill("The pump was set by hand")
    leave_alone()
    page.get_by_role("button", name="Set the rate").click()
    page.get_by_text("The session was locked.").wait_for()
    assert page.locator("#id_rate_reason").input_value() == "The pump was set by hand"
    go_on(page)  # what was sent when the session was found locked is sent again by itself
    page.get_by_text("Rate recorded.").wait_for()
    assert (record.rates.count(), record.rates.latest("pk").reason) == (before + 1, "The pump was set by hand")


def test_a_plan_that_was_typed_before_the_session_was_locked_is_built_once(
    page: Page, sign_in: Callable, tolerated: list[str]
) -> None:
    tolerated += [*LOCKED, "htmx:sendAbort", "htmx:afterRequest"]
    now = timezone.now().replace(second=0, microsecond=0)
    team = make_team(now - timedelta(days=100))
    transplant = make_recipient(team, at=now)
    sign_in(page, team.builder.user)
    page.goto(reverse("course-build", args=[transplant.pk]))
    leave_alone()
    page.locator("[name=prior_ig][value=no]").check()  # asks for the preview anew
    page.get_by_text("The session was locked.").wait_for()
    go_on(page)
    page.locator("dialog.locked").wait_for(state="detached")
    assert page.locator("[name=prior_ig][value=no]").is_checked() and Course.objects.count() == 0
    leave_alone()
    page.get_by_role("button", name="Request verification").click()
    send_after_signing_in_again(page)
    page.get_by_text("Plan saved").wait_for()
    assert Course.objects.get().prior_ig == "no"


def test_a_decision_that_was_typed_before_the_session_was_locked_is_signed_once_and_not_without_the_password(
    page: Page, sign_in: Callable, tolerated: list[str]
) -> None:
    tolerated += LOCKED
    ward, missed = missed_second()
    sign_in(page, ward.prescriber.user)
    page.goto(reverse("decide", args=[missed.pk]))
    page.get_by_label("Omit").check()
    page.locator("[name=reason_code]").select_option("omitted:declined")
    page.locator("[name=reason]").fill("Asked twice")
    page.locator("[name=reached_by]").select_option(index=1)
    page.get_by_label("Your password").fill(PASSWORD)
    leave_alone()
    page.get_by_role("button", name="Sign the decision").click()
    send_after_signing_in_again(page)
    page.get_by_role("heading", name="Decision").wait_for()  # a password that signs is never carried along
    assert MissedDoseDecision.objects.count() == 0
    assert page.get_by_label("Omit").is_checked() and page.locator("[name=reason]").input_value() == "Asked twice"
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign the decision").click()
    page.locator("[name=reason]").wait_for(state="detached")
    decided = MissedDoseDecision.objects.get()
    assert (decided.dose, decided.reason, decided.decided_by) == (missed, "Asked twice", ward.prescriber)
