"""Sessions of signed-in people: when one begins, when it is over, and where a person is signed in.

Two ends: nothing done for 15 minutes (then it is locked: the same person goes on with the password), and 12 hours after it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth import SESSION_KEY, login
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.timezone import now

from patients.models import Membership, User
from patients.sign_in import address_of

BACKEND = "patients.backends.MembershipBackend"
SEEN_EVERY_S = 10  # how exactly idle time is known; reading pages writes the session at most that often

BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (("Windows", "Windows"), ("iPhone|iPad", "iOS"), ("Mac OS", "macOS"), ("Android", "Android"), ("Linux", "Linux"))


def person(request: HttpRequest) -> User:
    """Who is signed in; for pages that nobody else opens."""
    assert isinstance(request.user, User)
    return request.user


def actor(request: HttpRequest) -> Membership | User:
    """The same as an actor: the membership, or an account without a role."""
    return getattr(request, "membership", None) or person(request)


def begin(request: HttpRequest, user: User, *, at: datetime, second_factor: bool) -> None:
    """Sign the person in: a new session number, and both clocks from now. Another person's session in this browser is gone."""
    if SESSION_KEY in request.session:
        request.session.cycle_key()  # Django gives the same person the old number again
    login(request, user, backend=BACKEND)
    second = int(at.timestamp())
    request.session.pop("locked", None)
    request.session.update(
        {
            "began": second,
            "seen": second,
            "factor": second_factor,
            "address": address_of(request),
            "browser": browser_of(request.headers.get("User-Agent", "")),
        }
    )


def why_over(session: SessionBase, *, at: datetime) -> str:
    """ "" while the session lives; else "over" (12 hours), "locked" by the person, or "idle"."""
    second = int(at.timestamp())
    if second - session.get("began", second) >= settings.SESSION_COOKIE_AGE:
        return "over"
    if session.get("locked"):
        return "locked"
    if second - session.get("seen", second) >= settings.SESSION_IDLE_SECONDS:
        return "idle"
    return ""


def acted(session: SessionBase, *, at: datetime) -> None:
    """The person did something: the idle clock starts anew."""
    second = int(at.timestamp())
    session.setdefault("began", second)
    if second - session.get("seen", 0) >= SEEN_EVERY_S:
        session["seen"] = second


def lock(session: SessionBase) -> None:
    """Lock a session where it is, under a new number: the one before opens nothing, not even a page that goes on."""
    session["locked"] = True
    session.cycle_key()


@dataclass(frozen=True, slots=True)
class Place:
    """One live session. ``handle`` names it without being its key."""

    handle: str
    began_at: datetime | None
    seen_at: datetime | None
    address: str
    browser: str
    is_locked: bool
    is_this: bool


def places_of(user: User, *, this: str | None) -> list[Place]:
    """Where the person is signed in, the latest first."""
    found = [
        Place(
            handle=_handle(row.session_key),
            began_at=_instant(kept.get("began")),
            seen_at=_instant(kept.get("seen")),
            address=kept.get("address", ""),
            browser=kept.get("browser", ""),
            is_locked=bool(kept.get("locked")),
            is_this=row.session_key == this,
        )
        for row, kept in _rows_of(user)
    ]
    return sorted(found, key=lambda place: (place.is_this, place.began_at or datetime.min.replace(tzinfo=UTC)), reverse=True)


def end_all(user: User) -> int:
    """End every session of an account now; how many there were."""
    return Session.objects.filter(session_key__in=[row.session_key for row, _ in _rows_of(user)]).delete()[0]


def end_one(user: User, handle: str) -> int:
    """End the one session with this handle, if it is the person's own; how many there were (0 or 1)."""
    keys = [row.session_key for row, _ in _rows_of(user) if constant_time_compare(_handle(row.session_key), handle)]
    return Session.objects.filter(session_key__in=keys).delete()[0]


def _rows_of(user: User) -> Iterator[tuple[Session, dict]]:
    for row in Session.objects.filter(expire_date__gt=now()):
        kept = row.get_decoded()
        if kept.get(SESSION_KEY) == str(user.pk):
            yield row, kept


def _handle(session_key: str) -> str:
    return salted_hmac("session handle", session_key, algorithm="sha256").hexdigest()[:32]


def _instant(second: int | None) -> datetime | None:
    return datetime.fromtimestamp(second, UTC) if second else None


def browser_of(agent: str) -> str:
    """A browser in a person's words, such as "Firefox on Windows"."""
    browser = next((name for word, name in BROWSERS if word in agent), "A browser")
    system = next((name for words, name in SYSTEMS if re.search(words, agent)), "")
    return f"{browser} on {system}" if system else browser
