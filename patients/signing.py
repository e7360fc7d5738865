"""Signatures: the password again, which turns a click into a signature."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone

from patients import audit, tries
from patients.refusal import Refusal
from patients.sessions import actor, person

LOCKED = "Too many wrong passwords. You can sign again 15 minutes after the first of them; ask a colleague if it cannot wait."


def signed_by(request: HttpRequest, password: str, *, done: str = "signed") -> None:
    """Return when this is the signed-in person's password; call it before the action, outside any transaction.

    Refused: "wrong_password" ("Nothing was ``done``."), and "signing_locked" after 5 wrong ones in 15 minutes, when the right one
    is not looked at either. Both are events in the history.
    """
    user, at = person(request), timezone.now()
    this = tries.take(tries.SIGNATURE, str(user.pk), at=at)
    if not this.allowed:
        raise Refusal("signing_locked", f"{LOCKED} Nothing was {done}.", field="password")
    if user.check_password(password):
        tries.forget(tries.SIGNATURE, str(user.pk))
        return
    by = actor(request)
    audit.event("signature_refused", by=by, at_stated=at)
    if this.is_last:
        audit.event("signing_locked", by=by, at_stated=at, tries=this.number)
    raise Refusal("wrong_password", f"This is not your password. Nothing was {done}.", field="password")
