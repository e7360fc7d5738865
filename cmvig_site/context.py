"""What every page's frame shows: where a person can go, as whom, and in which centre."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import salted_hmac

from patients.models import User
from patients.roles import may
from patients.sessions import SEEN_EVERY_S
from patients.views.sign_in import go_on_token

WARN_BEFORE_S = 2 * 60

# Label, URL name, action that the role must include.
PLACES = (
    ("Worklist", "worklist", "read_charts"),
    ("Orders", "orders", "read_charts"),
    ("Verify", "verify-queue", "read_charts"),
    ("Infusing", "infusing", "read_charts"),
    ("Missed", "missed", "read_charts"),
    ("Weights", "weights-board", "read_charts"),
    ("Patients", "patients", "read_charts"),
    ("Monograph", "monograph", "read_monograph"),
    ("Audit", "audit", "search_audit"),
    ("Admin", "admin:index", None),
    ("Help", "help", "read_monograph"),
)


def go_on_context(user: User) -> dict:
    """What the script needs to let this person, and nobody else, go on where the session was locked."""
    return {
        "token": go_on_token(user),
        "who": salted_hmac("who", str(user.pk), algorithm="sha256").hexdigest()[:16],
        # A little early: how long a person was idle is known to the server within this many seconds.
        "idle_s": settings.SESSION_IDLE_SECONDS - SEEN_EVERY_S,
        "warn_s": settings.SESSION_IDLE_SECONDS - SEEN_EVERY_S - WARN_BEFORE_S,
    }


def navigation(request: HttpRequest) -> dict:
    """``nav``: the places this person's role can open, the auditor's with how many emergency accesses nobody has acknowledged;
    ``membership``: who they act as.
    """
    membership = getattr(request, "membership", None)
    nav = []
    for label, name, action in PLACES:
        allowed = request.user.is_staff if action is None else may(membership, action) if membership else False
        if allowed:
            url = reverse(name)
            count = membership.emergencies_unseen if name == "audit" else 0
            nav.append({"label": label, "url": url, "current": request.path == url, "name": name, "count": count})
    again = go_on_context(membership.user) if membership else None
    return {"nav": nav, "membership": membership, "again": again}
