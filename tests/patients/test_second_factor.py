"""The second factor: who needs one, that a code works once and only now, and recovery codes."""

from __future__ import annotations

import base64
import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp import models as totp_models

from patients import actions, second_factor
from patients.models import Event, Tries, User
from patients.refusal import Refusal
from patients.roles import Role
from tests.factories import NOW, PASSWORD, make_account, make_centre, make_member

KEY = "3132333435363738393031323334353637383930"  # of RFC 6238
FIRST_S = 1_763_823_600  # a half minute begins


@pytest.fixture
def clock(monkeypatch):
    """The clock that codes are compared with."""

    class Clock:
        now = float(FIRST_S)

        def time(self):
            return self.now

    moved = Clock()
    monkeypatch.setattr(totp_models, "time", moved)
    return moved


def code_at(second, key=KEY):
    totp = TOTP(bytes.fromhex(key))
    totp.time = second
    return f"{totp.token():06}"


def member_with_app(role=Role.NURSE, **policy):
    member = make_member(role, centre=make_centre(**({"second_factor_required": True} | policy)))
    second = totp_models.time.time()
    at = datetime.fromtimestamp(second, UTC)
    codes = actions.set_up_second_factor(by=member, at=at, key=KEY, code=code_at(second))
    return member, codes


def password_of(member, client):
    return client.post(reverse("sign-in"), {"username": member.user.username, "password": PASSWORD})


def give(client, code):
    return client.post(reverse("sign-in-code"), {"code": code}).status_code


def is_in(client):
    return client.get(reverse("help")).status_code == 200


def test_the_codes_are_those_of_rfc_6238():
    assert [code_at(second) for second in (59, 1111111109, 1234567890)] == ["287082", "081804", "005924"]


@pytest.mark.django_db
def test_a_member_without_an_app_sets_one_up_before_any_other_page(client):
    member = make_member(centre=make_centre(second_factor_required=True))
    password_of(member, client)
    for name in ("worklist", "help", "account", "recovery-codes", "patients"):
        assert client.get(reverse(name)).url == reverse("second-factor"), name
    assert client.post(reverse("patient-new"), {"family_name": "X"}).url == reverse("second-factor")
    page = client.get(reverse("second-factor")).content.decode()
    key = base64.b32decode(re.search(r'id="typed-key">([A-Z2-7 ]+)<', page)[1].replace(" ", "")).hex()
    assert '<img src="data:image/svg+xml' in page and "style=" not in page
    assert client.post(reverse("second-factor"), {"code": "000000"}).status_code in (422, 200)
    done = client.post(reverse("second-factor"), {"code": code_at(time.time(), key)})
    codes = re.findall(r"<li>([A-Z2-7]{5}-[A-Z2-7]{5})</li>", done.content.decode())
    assert len(codes) == 10 and done["Cache-Control"] == "no-store"
    assert is_in(client)
    assert key not in str(Event.objects.get(name="set_up_second_factor").facts)


@pytest.mark.django_db
def test_a_centre_may_do_without(client):
    password_of(make_member(centre=make_centre(second_factor_required=False)), client)
    assert is_in(client)


@pytest.mark.django_db
def test_a_superuser_without_a_centre_needs_one(client):
    user = make_account()
    User.objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True)
    client.post(reverse("sign-in"), {"username": user.username, "password": PASSWORD})
    assert client.get(reverse("admin:index")).url == reverse("second-factor")


@pytest.mark.django_db
@pytest.mark.parametrize("required", [True, False])
def test_with_an_app_the_password_alone_signs_nobody_in(client, clock, required):
    member, _ = member_with_app(second_factor_required=required)
    clock.now += 60
    assert password_of(member, client).url == reverse("sign-in-code")
    assert "_auth_user_id" not in client.session and not is_in(client)
    assert give(client, "") == 422
    assert give(client, code_at(clock.now)) == 302
    assert is_in(client)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("steps", "accepted"), [(-3, False), (-2, False), (-1, True), (0, True), (1, True), (2, False), (3, False)]
)
def test_a_code_of_the_neighboring_half_minutes_is_right_and_of_no_other(client, clock, steps, accepted):
    member, _ = member_with_app()
    clock.now += 3600
    password_of(member, client)
    assert give(client, code_at(clock.now + 30 * steps)) == (302 if accepted else 422)


@pytest.mark.django_db
def test_tolerance_does_not_grow_with_codes_that_come_early(client, clock):
    member, _ = member_with_app()
    for _ in range(3):
        clock.now += 300
        password_of(member, client)
        assert give(client, code_at(clock.now + 30)) == 302
    clock.now += 300
    password_of(member, client)
    assert give(client, code_at(clock.now + 60)) == 422


@pytest.mark.django_db
def test_a_code_works_once(clock):
    member, _ = member_with_app()
    first = Client()
    password_of(member, first)
    assert give(first, code_at(clock.now)) == 422  # it was used to set the app up
    clock.now += 60
    password_of(member, first)
    assert give(first, code_at(clock.now)) == 302
    for second in (clock.now, clock.now - 30):
        other = Client()
        password_of(member, other)
        assert give(other, code_at(second)) == 422


@pytest.mark.django_db
@pytest.mark.parametrize("written", ["{}", " {} ", "{0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]}"])
def test_a_code_may_be_typed_with_spaces(client, clock, written):
    member, _ = member_with_app()
    clock.now += 60
    password_of(member, client)
    assert give(client, written.format(code_at(clock.now))) == 302


@pytest.mark.django_db
def test_digits_of_other_scripts_and_shortened_codes_are_not_codes(client, clock):
    member, _ = member_with_app()
    clock.now = next(second for second in range(FIRST_S + 60, FIRST_S + 10**6, 30) if code_at(second).startswith("0"))
    password_of(member, client)
    code = code_at(clock.now)
    for typed in (
        code.lstrip("0"),
        "0" + code,
        code.translate({48 + n: 0xFF10 + n for n in range(10)}),
        f"{code[:3]}_{code[3:]}",
    ):
        assert give(client, typed) == 422, typed
    assert give(client, code) == 302


@pytest.mark.django_db
def test_recovery_codes_work_once_each_and_are_kept_as_digests(clock):
    member, codes = member_with_app()
    kept = list(StaticToken.objects.values_list("token", flat=True))
    assert len(kept) == 10 and not set(kept) & {code.replace("-", "") for code in codes}
    for typed in (codes[0], codes[1].lower(), codes[2].replace("-", " ")):
        client = Client()
        password_of(member, client)
        assert give(client, typed) == 302
        again = Client()
        password_of(member, again)
        assert give(again, typed) == 422
    assert second_factor.codes_left(member.user) == 7
    assert Event.objects.filter(name="recovery_code_used").count() == 3
    stolen = Client()
    password_of(member, stolen)
    assert give(stolen, kept[5]) == 422  # a digest is no code


@pytest.mark.django_db
def test_somebody_elses_recovery_code_is_worth_nothing(client, clock):
    _, codes = member_with_app()
    member, _ = member_with_app()
    password_of(member, client)
    assert give(client, codes[0]) == 422


@pytest.mark.django_db
def test_new_recovery_codes_void_the_old(client, clock):
    member, old = member_with_app()
    clock.now += 60
    password_of(member, client)
    give(client, code_at(clock.now))
    assert client.post(reverse("recovery-codes"), {"password": "wrong"}).status_code == 422
    page = client.post(reverse("recovery-codes"), {"password": PASSWORD}).content.decode()
    new = re.findall(r"<li>([A-Z2-7]{5}-[A-Z2-7]{5})</li>", page)
    assert len(new) == 10
    for code, status in ((old[0], 422), (new[0], 302)):
        other = Client()
        password_of(member, other)
        assert give(other, code) == status


@pytest.mark.django_db
def test_ten_wrong_codes_lock_the_second_step_for_the_right_one_too(client, clock):
    member, codes = member_with_app()
    clock.now += 60
    password_of(member, client)
    assert [give(client, "000000" if code_at(clock.now) != "000000" else "111111") for _ in range(12)] == [422] * 10 + [429] * 2
    assert give(client, code_at(clock.now)) == give(client, codes[0]) == 429
    assert Event.objects.filter(name="code_locked").count() == 1
    Tries.objects.all().delete()
    assert give(client, code_at(clock.now)) == 302


@pytest.mark.django_db
def test_the_step_between_ends_after_5_minutes_and_with_the_password(client, clock):
    member, codes = member_with_app()
    password_of(member, client)
    session = client.session
    pending = session["sign_in"]
    session["sign_in"] = pending | {"at": pending["at"] - 301}
    session.save()
    assert client.post(reverse("sign-in-code"), {"code": codes[0]}).url == reverse("sign-in")
    password_of(member, client)
    actions.set_password(by=None, at=NOW, user=member.user, password="another-good-battery")
    assert client.post(reverse("sign-in-code"), {"code": codes[0]}).url == reverse("sign-in")


@pytest.mark.django_db
def test_an_administrator_resets_a_lost_phone_and_every_session_ends(client, clock):
    member, _ = member_with_app()
    clock.now += 60
    password_of(member, client)
    give(client, code_at(clock.now))
    administrator = make_member(Role.ADMINISTRATOR, centre=member.centre)
    for stranger in (make_member(Role.ADMINISTRATOR), make_member(Role.PHARMACIST, centre=member.centre)):
        with pytest.raises(Refusal):
            actions.reset_second_factor(by=stranger, at=NOW, user=member.user)
    assert is_in(client)
    assert actions.reset_second_factor(by=administrator, at=NOW, user=member.user) == 1
    assert not is_in(client) and not second_factor.has_device(member.user) and not StaticToken.objects.exists()
    event = Event.objects.get(name="reset_second_factor")
    assert (event.actor_id, event.facts["account"]) == (administrator.user_id, member.user_id)
    password_of(member, client)
    assert client.get(reverse("help")).url == reverse("second-factor")


@pytest.mark.django_db
def test_nobody_replaces_an_app_by_setting_up_another(client, clock):
    member, _ = member_with_app()
    with pytest.raises(Refusal) as refusal:
        actions.set_up_second_factor(by=member, at=NOW, key=second_factor.new_key(), code="123456")
    assert refusal.value.code == "second_factor_exists"


@pytest.mark.django_db
def test_a_session_from_before_the_app_owes_the_code(client, clock):
    member, _ = member_with_app()
    client.force_login(User.objects.get(pk=member.user_id))
    assert client.get(reverse("help")).url == reverse("second-factor")
    assert client.get(reverse("second-factor")).url == reverse("sign-in")
    assert not is_in(client)


@pytest.mark.django_db
def test_the_admin_site_shows_no_secrets():
    assert not {"TOTPDevice", "StaticDevice"} & {model.__name__ for model in admin.site._registry}


def test_one_code_at_the_same_moment_signs_one_in(committed_db, clock):
    member, codes = member_with_app()
    clock.now += 60
    for code in (code_at(clock.now), codes[0]):
        clients = [Client() for _ in range(5)]  # twice five stay within the ten tries of an account
        for client in clients:
            password_of(member, client)

        def race(client, code=code):
            try:
                return give(client, code)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(max_workers=5) as threads:
            assert sorted(threads.map(race, clients)) == [302] + [422] * 4


def test_the_server_resets_the_app_of_the_first_account_whose_phone_is_lost():
    member, _ = member_with_app()
    client = Client()
    client.force_login(member.user)
    call_command("reset_second_factor", member.user.username, stdout=io.StringIO())
    assert not second_factor.has_device(member.user) and not Session.objects.exists()
    assert Event.objects.get(name="reset_second_factor").actor_id is None
    with pytest.raises(CommandError):
        call_command("reset_second_factor", "nobody")
