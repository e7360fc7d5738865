"""Sessions: when they end, that nothing but a person's act prolongs them, and how the same person goes on where they were."""

from __future__ import annotations

import html
import re

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client
from django.urls import reverse

from patients import actions, sessions
from patients.models import Event, Patient, User
from patients.roles import Role
from tests.factories import NOW, PASSWORD, make_centre, make_member
from tests.patients.test_second_factor import clock as clock
from tests.patients.test_second_factor import code_at, member_with_app

pytestmark = pytest.mark.django_db

MINUTE = 60
JSON = {"HTTP_ACCEPT": "application/json"}
TYPED = {
    "family_name": "Okonkwo",
    "given_name": "<b>Adaeze</b>",
    "mrn": "00427719",
    "organs": ["kidney", "liver"],
    "password": PASSWORD,
}


def enter(member, client=None, **more):
    client = client or Client(**more)
    client.post(reverse("sign-in"), {"username": member.user.username, "password": PASSWORD})
    return client


def later(client, seconds, *, key="seen"):
    """As if the last act (or, with "began", the sign-in) lay so long ago."""
    session = client.session
    session[key] -= seconds
    session.save()


def is_in(client, **headers):
    return client.get(reverse("help"), **headers).status_code == 200


def go_on(client, token, password=PASSWORD, **more):
    return client.post(reverse("go-on"), {"token": token, "password": password} | more, **JSON)


def token_of(page):
    return html.unescape(re.search(r'name="token" value="([^"]+)"', page.content.decode())[1])


def test_a_session_is_locked_after_15_minutes_without_an_act():
    client = enter(make_member())
    later(client, 15 * MINUTE - 5)
    assert is_in(client)
    later(client, 15 * MINUTE)
    assert not is_in(client)
    assert not is_in(client)
    assert Event.objects.get(name="session_over").facts["why"] == "idle"


def test_an_act_starts_the_15_minutes_anew():
    client = enter(make_member())
    for _ in range(4):
        later(client, 10 * MINUTE)
        assert is_in(client)


def test_pages_that_refresh_themselves_never_prolong_a_session():
    client = enter(make_member())
    for _ in range(30):
        later(client, 30)
        client.get(reverse("help"), {"keep_alive": "1"}, HTTP_X_REFRESH="auto", HTTP_HX_REQUEST="true")
    assert not is_in(client)


def test_a_session_ends_12_hours_after_it_began_however_busy():
    client = enter(make_member())
    later(client, 12 * 60 * MINUTE - 5, key="began")
    assert is_in(client)
    later(client, 5, key="began")
    key = client.session.session_key
    assert not is_in(client)
    assert not Session.objects.filter(session_key=key).exists()


def test_going_on_does_not_prolong_the_12_hours_unless_the_password_was_given():
    client = enter(make_member())
    began = client.session["began"]
    later(client, 10 * MINUTE)
    client.get(reverse("help"))
    assert client.session["began"] == began


@pytest.mark.parametrize(
    "change",
    [
        lambda member: actions.correct_account(by=None, at=NOW, user=member.user, is_active=False),
        lambda member: actions.set_password(by=None, at=NOW, user=member.user, password="another-good-battery"),
        lambda member: actions.end_membership(by=None, at=NOW, membership=member),
        lambda member: actions.add_membership(by=None, at=NOW, user=member.user, centre=make_centre(), role=Role.AUDITOR),
        lambda member: actions.end_all_sessions(by=None, at=NOW, user=member.user),
        lambda member: actions.reset_second_factor(by=None, at=NOW, user=member.user),
    ],
    ids=["out of use", "new password", "role ended", "role added", "ended", "factor reset"],
)
def test_a_change_of_the_account_ends_every_session_at_its_next_request(change):
    member = make_member()
    clients, other = [enter(member), enter(member)], enter(make_member())
    change(member)
    assert [is_in(client) for client in [*clients, other]] == [False, False, True]


def test_a_password_changed_by_its_person_ends_the_other_sessions():
    member = make_member()
    here, there = enter(member), enter(member)
    old = here.session.session_key
    new = "another-good-battery"
    typed = {"password": "wrong", "new_password": new, "again": new}
    assert here.post(reverse("account-password"), typed).status_code == 422
    assert (
        here.post(
            reverse("account-password"), typed | {"password": PASSWORD, "new_password": "short", "again": "short"}
        ).status_code
        == 422
    )
    assert here.post(reverse("account-password"), typed | {"password": PASSWORD}).url == reverse("account")
    assert is_in(here) and not is_in(there) and here.session.session_key != old
    assert User.objects.get(pk=member.user_id).check_password(new)


def test_a_person_sees_and_ends_the_own_sessions_alone():
    member = make_member()
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    here, there, stranger = enter(member), enter(member, HTTP_USER_AGENT=firefox), enter(make_member())
    page = here.get(reverse("account")).content.decode()
    assert "Firefox on Windows" in page and "This one" in page
    handles = re.findall(r'name="handle" value="([^"]+)"', page)
    assert len(handles) == 1 and there.session.session_key not in page
    stranger.post(reverse("end-session"), {"handle": handles[0]})
    assert is_in(there)
    here.post(reverse("end-session"), {"handle": handles[0]})
    assert (is_in(here), is_in(there), is_in(stranger)) == (True, False, True)


def test_signing_out_ends_the_session_for_whoever_kept_its_number():
    client = enter(make_member())
    kept = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post(reverse("sign-out"))
    client.cookies[settings.SESSION_COOKIE_NAME] = kept
    assert not is_in(client)


def test_a_locked_session_opens_nothing_until_its_person_goes_on_under_a_new_number():
    member = make_member()
    client = enter(member)
    token = token_of(client.get(reverse("help")))
    old = client.session.session_key
    assert client.post(reverse("lock"), **JSON).status_code == 204
    assert client.session.session_key != old and not Session.objects.filter(session_key=old).exists()
    old = client.session.session_key
    for name in ("help", "account", "worklist"):
        assert client.get(reverse(name)).url.startswith(reverse("sign-in"))
    assert client.get(reverse("help"), HTTP_HX_REQUEST="true").status_code == 401
    assert go_on(client, token, "wrong").status_code == 422
    assert not is_in(client)
    answer = go_on(client, token)
    assert answer.status_code == 200 and answer.json()["csrf"]
    assert is_in(client) and client.session.session_key != old
    client.cookies[settings.SESSION_COOKIE_NAME] = old
    assert not is_in(client)
    assert Event.objects.filter(name="lock_session", actor_id=member.user_id).count() == 1


def test_locking_without_the_script_leads_to_the_sign_in_page():
    member = make_member()
    client = enter(member)
    assert client.post(reverse("lock")).url == reverse("sign-in")
    assert f'value="{member.user.username}"' in client.get(reverse("sign-in")).content.decode()
    enter(member, client)
    assert is_in(client)


def test_with_an_app_going_on_asks_for_the_code_too(clock):
    member, _ = member_with_app()
    client = enter(member)
    clock.now += 60
    client.post(reverse("sign-in-code"), {"code": code_at(clock.now)})
    token = token_of(client.get(reverse("help")))
    client.post(reverse("lock"), **JSON)
    answer = go_on(client, token)
    assert (answer.status_code, answer.json()["field"]) == (422, "code")
    assert not is_in(client)
    assert go_on(client, token, code=code_at(clock.now)).status_code == 422  # used at sign-in
    clock.now += 60
    assert go_on(client, token, code=code_at(clock.now)).status_code == 200
    assert is_in(client)


def test_nobody_goes_on_as_somebody_else():
    person, other = make_member(), make_member()
    client = enter(person)
    token = token_of(client.get(reverse("help")))
    client.post(reverse("lock"), **JSON)
    actions.set_password(by=None, at=NOW, user=other.user, password="another-good-battery")
    assert go_on(client, token, "another-good-battery", username=other.user.username).status_code == 422
    for forged in ("", "x", token[:-1] + ("A" if token[-1] != "A" else "B")):
        assert go_on(client, forged).status_code == 422
    assert not is_in(client)


def test_going_on_is_limited_like_signing_in():
    client = Client()
    member = make_member()
    enter(member, client)
    token = token_of(client.get(reverse("help")))
    client.post(reverse("lock"), **JSON)
    assert [go_on(client, token, "wrong").status_code for _ in range(11)] == [422] * 10 + [429]


def test_an_account_out_of_use_does_not_go_on():
    member = make_member()
    client = enter(member)
    token = token_of(client.get(reverse("help")))
    actions.correct_account(by=None, at=NOW, user=member.user, is_active=False)
    assert go_on(client, token).status_code == 422 and not is_in(client)


def test_staying_is_an_act_of_a_signed_in_person():
    client = enter(make_member())
    later(client, 14 * MINUTE)
    assert client.get(reverse("stay")).status_code == 405
    assert client.post(reverse("stay")).status_code == 204
    later(client, 14 * MINUTE)
    assert is_in(client)
    later(client, 15 * MINUTE)
    assert client.post(reverse("stay")).status_code == 401
    assert not is_in(client)


# --- A form that came too late -----------------------------------------------------------------------------------------------


def hidden(page, prefix=""):
    """Hidden fields of the page's form, in order."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode())
    return [(html.unescape(name), html.unescape(value)) for name, value in found if name.startswith(prefix)]


def test_a_form_sent_after_the_session_was_locked_is_kept_for_the_same_person_and_sent_once():
    member = make_member()
    client = enter(member)
    later(client, 15 * MINUTE)
    page = client.post(reverse("patient-new"), TYPED)
    assert page.status_code == 401 and page["Cache-Control"] == "no-store"
    assert "<b>Adaeze</b>" not in page.content.decode() and PASSWORD not in page.content.decode()
    assert ("kept.organs", "kidney") in hidden(page) and ("kept.organs", "liver") in hidden(page)
    fields: dict[str, list[str]] = {}
    for name, value in hidden(page):
        fields.setdefault(name, []).append(value)
    wrong = client.post(reverse("go-on"), fields | {"password": "wrong"})
    assert wrong.status_code == 422 and ("kept.given_name", "<b>Adaeze</b>") in hidden(wrong)
    done = client.post(reverse("go-on"), fields | {"password": PASSWORD})
    assert done.status_code == 200 and f'action="{reverse("patient-new")}"' in done.content.decode()
    again = [pair for pair in hidden(done) if pair[0] != "csrfmiddlewaretoken"]
    expected = {name: value for name, value in TYPED.items() if name != "password"}
    assert {name: [v for n, v in again if n == name] for name, _ in again} == {
        name: value if isinstance(value, list) else [value] for name, value in expected.items()
    }
    assert Patient.objects.count() == 0 and is_in(client)


def test_a_form_after_12_hours_is_kept_too():
    client = enter(make_member())
    later(client, 12 * 60 * MINUTE, key="began")
    assert ("kept.mrn", "00427719") in hidden(client.post(reverse("patient-new"), TYPED))


def test_a_form_of_nobody_knows_whom_is_shown_and_goes_nowhere():
    client = enter(make_member())
    Session.objects.all().delete()
    page = client.post(reverse("patient-new"), TYPED)
    text = page.content.decode()
    assert page.status_code == 401 and "00427719" in text and PASSWORD not in text
    assert "<b>Adaeze</b>" not in text and not hidden(page, "kept.")


def test_a_form_without_this_sites_token_is_not_kept():
    member = make_member()
    client = enter(member, Client(enforce_csrf_checks=False))
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    later(client, 15 * MINUTE)
    answer = strict.post(reverse("patient-new"), TYPED)
    assert answer.status_code == 403 and "00427719" not in answer.content.decode()


def test_what_stands_behind_a_question_mark_does_not_travel_to_the_sign_in_page():
    assert Client().get(reverse("patients"), {"q": "Okonkwo"}).url == f"{reverse('sign-in')}?next={reverse('patients')}"


def test_a_fragment_asked_for_without_a_session_is_a_plain_401():
    for method in ("get", "post"):
        answer = getattr(Client(), method)(reverse("worklist"), HTTP_HX_REQUEST="true")
        assert (answer.status_code, answer["Content-Type"]) == (401, "text/plain")


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140 Mobile", "Chrome on Android"),
        ("Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) Version/18 Safari/604", "Safari on iOS"),
        ("curl/8", "A browser"),
        ("<script>Firefox", "Firefox"),
    ],
)
def test_a_browser_is_named_in_words_of_our_own(agent, words):
    assert sessions.browser_of(agent) == words


def test_a_form_that_waited_more_than_12_hours_to_go_on_is_shown_on_a_page_that_says_nothing_was_saved():
    client = enter(make_member())
    for token in ("", "x", signing.dumps({"user": 1, "path": "/"}, salt="another")):
        page = client.post(reverse("go-on"), {"token": token, "password": PASSWORD, "kept.mrn": "00427719", "kept.ward": ""})
        text = page.content.decode()
        assert page.status_code == 422 and page["Content-Type"].startswith("text/html")
        assert "Nothing was saved" in text and "00427719" in text and PASSWORD not in text and "kept." not in text
        assert "<dt>ward</dt>" not in text
