"""Signing in: how often a password may be guessed, that nobody learns which accounts exist, and the links to set a password."""

from __future__ import annotations

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail, signing
from django.db import connections
from django.test import Client, RequestFactory
from django.urls import reverse

from patients import actions
from patients.models import Event, Tries, User
from patients.refusal import Refusal
from patients.roles import Role
from patients.sign_in import address_of
from tests.factories import NOW, PASSWORD, make_account, make_centre, make_member
from tests.support import count

WRONG = "not-the-password-of-anybody"
GUESSES, PEOPLE = count(60, 1000), count(60, 500)


@pytest.fixture
def looked_at(monkeypatch):
    """Each password that was really compared with an account's."""
    seen = []
    compare = get_user_model().check_password

    def noted(user, password):
        seen.append(user.username)
        return compare(user, password)

    monkeypatch.setattr(User, "check_password", noted)
    return seen


def sign_in(username, password=PASSWORD, *, client=None, address="192.0.2.1", **more):
    return (client or Client()).post(
        reverse("sign-in"), {"username": username, "password": password} | more, REMOTE_ADDR=address
    )


def wait(minutes):
    for row in Tries.objects.all():
        row.began_at -= timedelta(minutes=minutes)
        row.save()


def signed_in(client):
    return "_auth_user_id" in client.session


@pytest.mark.django_db
def test_the_right_password_signs_in_and_lands_where_the_role_works():
    for role, place in ((Role.NURSE, "worklist"), (Role.ADMINISTRATOR, "admin:index")):
        client, member = Client(), make_member(role)
        assert sign_in(member.user.username, client=client).url == reverse(place)
        assert signed_in(client)
        event = Event.objects.get(name="sign_in", actor_id=member.user_id)
        assert PASSWORD not in str(event.facts)


@pytest.mark.django_db
def test_a_wrong_password_is_recorded_without_itself_and_without_a_name_that_is_no_account():
    member = make_member()
    assert sign_in(member.user.username, WRONG).status_code == 422
    sign_in("my-secret-typed-in-the-wrong-field", WRONG)
    known, unknown = Event.objects.filter(name="sign_in_failed").order_by("id")
    assert (known.facts["account"], known.facts["address"], known.actor_id) == (member.user_id, "192.0.2.1", None)
    assert unknown.facts["account"] is None
    assert WRONG not in str([known.facts, unknown.facts]) and "wrong-field" not in str(unknown.facts)


@pytest.mark.django_db
def test_of_many_guesses_from_20_addresses_ten_are_looked_at_and_the_person_is_back_after_15_minutes(looked_at):
    name = make_member().user.username
    answers = [sign_in(name, WRONG, address=f"192.0.2.{guess % 20}").status_code for guess in range(GUESSES)]
    assert len(looked_at) == 10
    assert answers == [422] * 10 + [429] * (GUESSES - 10)
    assert Event.objects.filter(name="sign_in_locked", facts__limit="name").count() == 1
    assert sign_in(name, address="198.51.100.7").status_code == 429  # the right one too
    wait(15)
    assert sign_in(name, address="198.51.100.7").status_code == 302


@pytest.mark.django_db
def test_guessing_does_not_keep_out_the_person_in_a_browser_that_they_use(looked_at):
    name, usual = make_member().user.username, Client()
    sign_in(name, client=usual)
    usual.post(reverse("sign-out"))
    for guess in range(30):
        sign_in(name, WRONG, address=f"192.0.2.{guess % 20}")
    del looked_at[:]
    assert sign_in(name, client=usual, address="192.0.2.1").status_code == 302
    usual.post(reverse("sign-out"))
    for _ in range(30):  # and whoever sits there has ten guesses as well
        sign_in(name, WRONG, client=usual)
    assert len(looked_at) == 11
    assert sign_in(name, client=usual).status_code == 429


@pytest.mark.django_db
def test_another_account_in_a_known_browser_counts_like_a_strangers(looked_at):
    usual, other = Client(), make_member().user.username
    sign_in(make_member().user.username, client=usual)
    usual.post(reverse("sign-out"))
    for guess in range(15):
        sign_in(other, WRONG, client=usual, address=f"192.0.2.{guess}")
    assert looked_at.count(other) == 10


@pytest.mark.django_db
def test_a_browser_is_known_for_90_days_whatever_it_says_of_its_cookie(looked_at, monkeypatch):
    usual, name = Client(), make_member().user.username
    sign_in(name, client=usual)
    usual.post(reverse("sign-out"))
    for guess in range(11):
        sign_in(name, WRONG, address=f"192.0.2.{guess}")
    day, now = 24 * 60 * 60, time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 90 * day + 60)
    assert sign_in(name, client=usual).status_code == 429
    monkeypatch.setattr(signing.time, "time", lambda: now + 90 * day - 60)
    assert sign_in(name, client=usual).status_code == 302


@pytest.mark.django_db
def test_a_made_up_browser_is_nobodys():
    client, name = Client(), make_member().user.username
    client.cookies[settings.KNOWN_BROWSER_COOKIE] = "eyJpZCI6IngiLCJuYW1lcyI6W119:made-up"
    for guess in range(11):
        answer = sign_in(name, WRONG, client=client, address=f"192.0.2.{guess}")
    assert answer.status_code == 429


@pytest.mark.django_db
def test_one_password_for_many_people_is_stopped_after_20_per_address(looked_at):
    names = [make_account(username=f"spray{number}").username for number in range(PEOPLE)]
    for name in names:
        sign_in(name, "Winter-2026-Winter")
    assert len(looked_at) == 20
    assert Event.objects.filter(name="sign_in_locked", facts__limit="address").count() == 1
    assert sign_in(names[-1], address="198.51.100.7").status_code == 302  # nobody elsewhere is kept out


@pytest.mark.django_db
def test_an_own_account_does_not_start_the_count_of_an_address_anew(looked_at):
    own, names = make_member().user.username, [make_account(username=f"spray{number}").username for number in range(30)]
    for name in names:
        sign_in(name, WRONG)
        sign_in(own)
    assert sum(1 for name in looked_at if name != own) == 20


def test_guesses_at_the_same_moment_are_counted_one_by_one(committed_db, monkeypatch):
    name, seen = make_member().user.username, []
    monkeypatch.setattr(User, "check_password", lambda user, password: seen.append(password))

    def guess(number):
        try:
            return sign_in(name, f"{WRONG}{number}", address=f"192.0.2.{number % 20}").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=8) as threads:
        answers = list(threads.map(guess, range(count(40, 400))))
    assert len(seen) == 10
    assert set(answers) == {422, 429}


@pytest.mark.django_db
def test_known_and_unknown_accounts_are_answered_in_the_same_words():
    known = make_member().user.username
    out_of_use = make_account(username="left1")
    actions.correct_account(by=None, at=NOW, user=out_of_use, is_active=False)

    def words(name, password):
        text = sign_in(name, password, address=f"192.0.2.{len(name)}").content.decode()
        return re.sub(r'value="[^"]*"', "", text)

    answers = [words(known, WRONG), words("nobody", WRONG), words("left1", WRONG), words("left1", PASSWORD)]
    assert len(set(answers)) == 1
    for name in (known, "nobody"):
        for number in range(10):
            sign_in(name, WRONG, address=f"198.51.100.{number}")
    assert words(known, PASSWORD) == words("nobody", PASSWORD)


@pytest.mark.django_db
def test_known_and_unknown_accounts_take_the_same_work(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    known = make_member().user.username

    times: dict[str, list[float]] = {"nobody": [], known: []}
    for number in range(count(5, 200)):
        for name, taken in times.items():  # in turn, so that a busy machine slows both down
            Tries.objects.all().delete()
            start = time.perf_counter()
            sign_in(name, WRONG, address=f"192.0.2.{number % 250}")
            taken.append(time.perf_counter() - start)
    of_nobody, of_known = map(statistics.median, times.values())
    assert of_nobody == pytest.approx(of_known, rel=count(50, 10) / 100)


@pytest.mark.django_db
@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_off_the_site(elsewhere):
    name = make_member().user.username
    assert sign_in(name, next=elsewhere).url == reverse("worklist")
    assert sign_in(name, next="/help/").url == "/help/"


@pytest.mark.django_db
@pytest.mark.parametrize("no_path", ["foo", "help", "worklist", "?x=1", " ", "."])
def test_what_is_no_path_leads_where_the_role_works(no_path):
    client, name = Client(), make_member().user.username
    assert sign_in(name, client=client, next=no_path).url == reverse("worklist")
    assert client.get(reverse("sign-in"), {"next": no_path}).url == reverse("worklist")


@pytest.mark.django_db
def test_a_signed_in_person_gets_a_new_session_number():
    client, name = Client(), make_member().user.username
    client.get(reverse("sign-in"))
    client.session["x"] = 1
    sign_in(name, client=client)
    first = client.session.session_key
    sign_in(name, client=client)
    assert client.session.session_key != first
    client.cookies[settings.SESSION_COOKIE_NAME] = first
    assert client.get(reverse("help")).status_code == 302


@pytest.mark.django_db
def test_the_admin_site_has_no_sign_in_of_its_own():
    name = make_member(Role.ADMINISTRATOR).user.username
    client = Client()
    answer = client.post("/admin/login/", {"username": name, "password": PASSWORD})
    assert answer.url.startswith(reverse("sign-in")) and not signed_in(client)
    assert client.get("/admin/patients/user/").url.startswith(reverse("sign-in"))


@pytest.mark.parametrize(
    ("remote", "forwarded", "behind", "address"),
    [
        ("192.0.2.5", "203.0.113.9", False, "192.0.2.5"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", True, "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.5", "", False, "192.0.2.5"),
        ("127.0.0.1", "::ffff:203.0.113.9", True, "203.0.113.9"),
        ("", "", False, "unknown"),
    ],
)
def test_the_address_is_the_callers_and_cannot_be_chosen_by_it(settings, remote, forwarded, behind, address):
    settings.BEHIND_PROXY = behind
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)
    assert address_of(request) == address


# --- Passwords ---------------------------------------------------------------------------------------------------------------


def follow(path, client):
    answer = client.get(path)
    return answer.url if answer.status_code == 302 else None


@pytest.mark.django_db
def test_a_new_account_sets_its_own_password_by_a_link_that_works_once():
    centre = make_centre()
    administrator = make_member(Role.ADMINISTRATOR, centre=centre)
    user = actions.create_account(by=administrator, at=NOW, username="kay.newcomer", given="Kay", family="New")
    assert not user.has_usable_password()
    path = actions.make_password_link(by=administrator, at=NOW, user=user)
    client = Client()
    form = follow(path, client)
    assert path.split("/")[-2] not in form  # the secret does not stay in the address
    for typed in ("short", "password1234", "kay.newcomer"):
        assert client.post(form, {"new_password": typed, "again": typed}).status_code == 422
    assert client.post(form, {"new_password": PASSWORD, "again": PASSWORD + "x"}).status_code == 422
    assert client.post(form, {"new_password": PASSWORD, "again": PASSWORD}).url == reverse("sign-in")
    assert not signed_in(client)
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)
    assert b"used up" in Client().get(path).content
    assert [
        event.actor_id for event in Event.objects.filter(name__in=["make_password_link", "set_password"]).order_by("id")
    ] == [
        administrator.user_id,
        user.pk,
    ]
    assert not mail.outbox


@pytest.mark.django_db
def test_a_link_is_for_accounts_in_use_of_the_own_centre():
    administrator = make_member(Role.ADMINISTRATOR)
    stranger, gone = make_member().user, make_member(centre=administrator.centre).user
    actions.correct_account(by=administrator, at=NOW, user=gone, is_active=False)
    gone.refresh_from_db()
    for user, code in ((stranger, "other_centre"), (gone, "account_out_of_use")):
        with pytest.raises(Refusal) as refusal:
            actions.make_password_link(by=administrator, at=NOW, user=user)
        assert refusal.value.code == code


@pytest.mark.django_db
def test_a_new_password_opens_an_account_that_guesses_had_locked():
    member = make_member()
    for guess in range(11):
        sign_in(member.user.username, WRONG, address=f"192.0.2.{guess}")
    actions.set_password(by=None, at=NOW, user=member.user, password="another-good-battery")
    assert sign_in(member.user.username, "another-good-battery", address="198.51.100.7").status_code == 302


@pytest.mark.django_db
def test_a_new_password_by_link_lifts_the_lock_of_the_browser_it_was_set_in():
    member, usual = make_member(), Client()
    sign_in(member.user.username, client=usual)
    usual.post(reverse("sign-out"))
    for _ in range(11):
        sign_in(member.user.username, WRONG, client=usual)
    new = "another-good-battery"
    form = follow(actions.make_password_link(by=None, at=NOW, user=User.objects.get(pk=member.user_id)), usual)
    assert usual.post(form, {"new_password": new, "again": new}).url == reverse("sign-in")
    assert sign_in(member.user.username, new, client=usual).status_code == 302


@pytest.mark.django_db
def test_a_link_that_is_opened_inside_the_own_session_sets_the_password_and_ends_it():
    member, client = make_member(), Client()
    sign_in(member.user.username, client=client)
    new = "another-good-battery"
    form = follow(actions.make_password_link(by=None, at=NOW, user=User.objects.get(pk=member.user_id)), client)
    answer = client.post(form, {"new_password": new, "again": new})
    assert (answer.status_code, answer.url) == (302, reverse("sign-in"))
    assert not signed_in(client)
    assert "The password is set" in client.get(answer.url).content.decode()
    assert sign_in(member.user.username, new, client=client).status_code == 302


@pytest.mark.django_db
def test_the_administrator_is_shown_a_link_and_types_no_password(client):
    administrator = make_member(Role.ADMINISTRATOR)
    client.force_login(User.objects.get(pk=administrator.user_id))
    account = {"username": "b.ode", "first_name": "Ben", "last_name": "Ode", "email": ""}
    page = client.post(reverse("admin:patients_user_add"), account, follow=True).content.decode()
    path = re.search(r"http://testserver(/set-password/\S+/)\.", page)[1]
    assert follow(path, Client())
    nurse = make_member(Role.NURSE, centre=administrator.centre)
    for action in ("make_links", "reset_second_factors", "end_sessions"):
        chosen = {"action": action, "_selected_action": [nurse.user_id]}
        assert "Adeyemi" in client.post(reverse("admin:patients_user_changelist"), chosen, follow=True).content.decode()
    assert "Password" not in client.get(reverse("admin:patients_user_add")).content.decode()
