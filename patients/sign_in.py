"""Who signs in: a password within the limits, in the same words and with the same work whether the account exists or not."""

from __future__ import annotations

import ipaddress
import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from patients import audit, tries
from patients.models import User
from patients.refusal import Refusal

WRONG = "This account name and password do not belong together. Capital letters count."
LOCKED = "Too many tries. Wait 15 minutes, then try again; an administrator can send you a link for a new password."
BROWSER_KEPT = timedelta(days=90)  # since the last sign-in; what a browser says of its cookie's age is not believed
NAMES_KEPT = 30  # accounts that one browser, such as a ward's, is known to


def check_password(request: HttpRequest, *, username: str, password: str, at: datetime) -> User:
    """The active account with this name and password. Refused: "sign_in", "sign_in_locked"; both are in the history.

    Strangers have 10 tries for a name and 20 from an address in 15 minutes. A browser in which this account has signed in before
    has 10 of its own, so that nobody is kept out for long by somebody else who guesses.
    """
    username = normal(username)
    known = known_whom(request, username)
    address = address_of(request)
    wanted = [(tries.KNOWN_BROWSER, known)] if known else [(tries.ADDRESS, address), (tries.NAME, username)]
    for limit, whom in wanted:
        this = tries.take(limit, whom, at=at)
        if not this.allowed:
            if this.is_first_refused:
                audit.event(
                    "sign_in_locked", by=None, at_stated=at, limit=limit.name, address=address, account=_account(username)
                )
            raise Refusal("sign_in_locked", LOCKED)
    user = authenticate(request, username=username, password=password)
    if user is None:
        audit.event("sign_in_failed", by=None, at_stated=at, address=address, account=_account(username))
        raise Refusal("sign_in", WRONG)
    for limit, whom in wanted:
        tries.give_back(limit, whom)
    tries.sweep(at=at)
    assert isinstance(user, User)
    return user


def _account(username: str) -> int | None:
    """The account's number. A name that is none is not kept: people type passwords into the wrong field."""
    return User.objects.filter(username=username).values_list("pk", flat=True).first()


def normal(username: str) -> str:
    """A name as accounts are stored, whichever way its letters were composed."""
    return unicodedata.normalize("NFKC", username)[:150]


def address_of(request: HttpRequest) -> str:
    """The caller's network address: of IPv6 the first half, which one household has whole. Behind a proxy, the one it names."""
    given = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        given = request.META.get("HTTP_X_FORWARDED_FOR", given).split(",")[-1].strip()
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped  # how a server that listens on both writes the addresses of version 4
        return str(mapped or ipaddress.ip_network(f"{address}/64", strict=False))
    return str(address)


def known_whom(request: HttpRequest, username: str) -> str:
    """Whose tries are counted apart: this account's in this browser, if it has signed in here before; else ""."""
    browser, names = known_browser(request)
    return f"{browser}:{username}" if browser and _digest(username) in names else ""


def known_browser(request: HttpRequest) -> tuple[str, list[str]]:
    """The number of this browser and the digests of the names that have signed in with it; ("", []) for a new or a forgotten one."""
    cookie = request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE, "")
    try:
        kept: Any = signing.loads(cookie, salt="known browser", max_age=BROWSER_KEPT)
    except signing.BadSignature:
        return "", []
    return kept["id"], kept["names"]


def remember_browser(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Let this browser know that the person has signed in with it: a signed cookie without any name."""
    browser, names = known_browser(request)
    mine = _digest(user.username)
    kept = {"id": browser or secrets.token_urlsafe(12), "names": [mine, *(name for name in names if name != mine)][:NAMES_KEPT]}
    response.set_cookie(
        settings.KNOWN_BROWSER_COOKIE,
        signing.dumps(kept, salt="known browser"),
        max_age=BROWSER_KEPT,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def _digest(username: str) -> str:
    return salted_hmac("known browser", username, algorithm="sha256").hexdigest()[:16]
