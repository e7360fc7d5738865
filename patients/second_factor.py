"""The second factor: a six-digit code of an authenticator app (TOTP), or one of ten recovery codes, each of which works once.

django-otp keeps the devices and checks the codes. Of a recovery code only a keyed digest is stored.
"""

from __future__ import annotations

import base64
import re
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

import segno
from django.db import transaction
from django.utils.crypto import salted_hmac
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from patients import audit, tries
from patients.models import User
from patients.refusal import Refusal

RECOVERY_CODES = 10
WRONG = "This code is not right, or was used already. Wait for the next one, and look at the clock of your phone."
LOCKED = "Too many wrong codes. Wait 15 minutes, then try again."


def is_needed(user: User) -> bool:
    """Whether this person has to have a second factor: the policy of the centre they act in; always for a superuser without one."""
    return user.acting.centre.second_factor_required if user.acting else user.is_superuser


def has_device(user: User) -> bool:
    """Whether an authenticator app is set up for this person."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def codes_left(user: User) -> int:
    """How many recovery codes are unused."""
    return StaticToken.objects.filter(device__user=user).count()


def check_code(user: User, code: str, *, at: datetime) -> None:
    """Return when this is a code of the person's app (now, the one before or after) or an unused recovery code; either is used up.

    Refused: "wrong_code"; "code_locked" after 10 wrong ones in 15 minutes. Both are in the history, the code is not.
    """
    this = tries.take(tries.CODE, str(user.pk), at=at)
    if this.is_first_refused:
        audit.event("code_locked", by=user, at_stated=at)
    if not this.allowed:
        raise Refusal("code_locked", LOCKED, field="code")
    typed = re.sub(r"[\s-]", "", code).upper()
    with transaction.atomic():
        kind = "app" if re.fullmatch(r"[0-9]{6}", typed, re.ASCII) else "recovery code"
        if kind == "app":
            right = any(device.verify_token(typed) for device in _locked(TOTPDevice, user))
        else:
            right = any(device.verify_token(_digest(user, typed)) for device in _locked(StaticDevice, user))
            if right:
                audit.event("recovery_code_used", by=user, at_stated=at, left=codes_left(user))
    if not right:
        audit.event("code_refused", by=user, at_stated=at, kind=kind)
        raise Refusal("wrong_code", WRONG, field="code")
    tries.give_back(tries.CODE, str(user.pk))


def _locked(kind: type[TOTPDevice] | type[StaticDevice], user: User) -> list:
    """The person's devices, held until the end of the transaction: two at once cannot use one code."""
    return list(kind.objects.select_for_update().filter(user=user, confirmed=True))


def new_key() -> str:
    """A new secret of 160 bits, as hexadecimal digits."""
    return secrets.token_hex(20)


def typed_key(key: str) -> str:
    """The secret as a person types it into an app: groups of four letters."""
    letters = base64.b32encode(bytes.fromhex(key)).decode()
    return " ".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def qr_code(user: User, key: str) -> str:
    """The secret as a square to scan: the source of an image that is in the page itself, so that no request ever carries it."""
    secret = {"secret": typed_key(key).replace(" ", ""), "issuer": "cmvig", "algorithm": "SHA1", "digits": 6, "period": 30}
    square = segno.make(f"otpauth://totp/{quote(f'cmvig:{user.username}')}?{urlencode(secret)}", micro=False, error="m")
    return square.svg_data_uri(scale=5, border=4, dark="#000", light="#fff")


def step_of(key: str, code: str, at: datetime) -> int | None:
    """The half minute whose code this is, for an app with this secret: of ``at``, the one before or after; None for any other."""
    typed = re.sub(r"\s", "", code)
    totp = TOTP(bytes.fromhex(key))
    totp.time = at.timestamp()
    return totp.t() if re.fullmatch(r"[0-9]{6}", typed, re.ASCII) and totp.verify(int(typed), tolerance=1) else None


def store(user: User, key: str, last_step: int) -> list[str]:
    """Keep the app as the person's only one; ten new recovery codes, which are seen this once."""
    forget(user)
    TOTPDevice.objects.create(user=user, name="app", key=key, confirmed=True, last_t=last_step)
    return new_codes(user)


def new_codes(user: User) -> list[str]:
    """Ten recovery codes of 50 bits in place of those before."""
    device, _ = StaticDevice.objects.get_or_create(user=user, name="recovery", confirmed=True)
    device.token_set.all().delete()
    codes = [base64.b32encode(secrets.token_bytes(7)).decode()[:10] for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(user, code)) for code in codes)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def forget(user: User) -> int:
    """Take away the app and every recovery code; how many apps there were."""
    StaticToken.objects.filter(device__user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    return TOTPDevice.objects.filter(user=user).delete()[0]


def _digest(user: User, code: str) -> str:
    """Sixteen letters of a digest that only this installation can make of a code."""
    made = salted_hmac("recovery code", f"{user.pk}:{code}", algorithm="sha256").digest()
    return base64.b32encode(made).decode()[:16]
