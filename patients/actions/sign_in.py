"""What people do with their own sign-in, and what an administrator does for them: links, second factors, sessions."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from patients import audit, second_factor, sessions
from patients.actions.accounts import Actor, check_is_anothers, check_manages
from patients.models import Membership, User
from patients.refusal import Refusal


def _own(by: Membership | User) -> User:
    """The acting person's own account, locked."""
    return User.objects.select_for_update().get(pk=by.user_id if isinstance(by, Membership) else by.pk)


@transaction.atomic
def make_password_link(*, by: Actor, at: datetime, user: User) -> str:
    """The path of a page on which the person sets a password, once, within a day. Refused: "account_out_of_use"."""
    check_manages(by, user)
    if not user.is_active:
        raise Refusal("account_out_of_use", "This account is out of use.")
    audit.event("make_password_link", by=by, at_stated=at, account=user.pk)
    number = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("set-password", kwargs={"uidb64": number, "token": default_token_generator.make_token(user)})


@transaction.atomic
def set_up_second_factor(*, by: Membership | User, at: datetime, key: str, code: str) -> list[str]:
    """Keep an authenticator app that has shown a right code; the ten recovery codes. Refused: "wrong_code", "second_factor_exists"."""
    user = _own(by)
    if second_factor.has_device(user):
        raise Refusal("second_factor_exists", "An app is set up already. An administrator can reset it.")
    step = second_factor.step_of(key, code, at)
    if step is None:
        raise Refusal("wrong_code", second_factor.WRONG, field="code")
    audit.event("set_up_second_factor", by=by, at_stated=at)
    return second_factor.store(user, key, step)


@transaction.atomic
def renew_recovery_codes(*, by: Membership | User, at: datetime) -> list[str]:
    """Ten new recovery codes; those before are void. Refused without an app: "no_second_factor"."""
    user = _own(by)
    if not second_factor.has_device(user):
        raise Refusal("no_second_factor", "Set up an authenticator app first.")
    audit.event("renew_recovery_codes", by=by, at_stated=at)
    return second_factor.new_codes(user)


@transaction.atomic
def reset_second_factor(*, by: Actor, at: datetime, user: User) -> int:
    """Take away a person's app and recovery codes, such as after a lost phone, and end their sessions; how many apps there were.

    Refused for the own account: "own_account".
    """
    check_manages(by, user)
    check_is_anothers(by, user, "Nobody resets the own second factor: ask another administrator.")
    user = User.objects.select_for_update().get(pk=user.pk)
    audit.event("reset_second_factor", by=by, at_stated=at, account=user.pk)
    sessions.end_all(user)
    return second_factor.forget(user)


@transaction.atomic
def end_own_session(*, by: Membership | User, at: datetime, handle: str) -> None:
    """End one of the own sessions, by its handle. Refused: "no_such_session"."""
    if not sessions.end_one(_own(by), handle):
        raise Refusal("no_such_session", "This session has ended already.")
    audit.event("end_own_session", by=by, at_stated=at)


@transaction.atomic
def end_all_sessions(*, by: Actor, at: datetime, user: User) -> int:
    """End every session of an account, by an administrator; how many there were. Refused for the own: "own_account"."""
    check_manages(by, user)
    check_is_anothers(by, user, "Your own sessions end on the page of your account, and this one when you sign out.")
    audit.event("end_all_sessions", by=by, at_stated=at, account=user.pk)
    return sessions.end_all(user)
