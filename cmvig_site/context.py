"""What every page's frame shows: where a person can go, as whom, and in which centre."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from patients.roles import may

# Label, URL name, action that the role must include.
PLACES = (
    ("Worklist", "worklist", "read_charts"),
    ("Verify", "verify-queue", "read_charts"),
    ("Infusing", "infusing", "read_charts"),
    ("Missed", "missed", "read_charts"),
    ("Patients", "patients", "read_charts"),
    ("Monograph", "monograph", "read_monograph"),
    ("Audit", "audit", "search_audit"),
    ("Admin", "admin:index", None),
    ("Help", "help", "read_monograph"),
)


def navigation(request: HttpRequest) -> dict:
    """``nav``: the places this person's role can open; ``membership``: who they act as."""
    membership = getattr(request, "membership", None)
    nav = []
    for label, name, action in PLACES:
        allowed = request.user.is_staff if action is None else may(membership, action) if membership else False
        if allowed:
            try:
                url = reverse(name)
            except NoReverseMatch:
                continue
            nav.append({"label": label, "url": url, "current": request.path == url, "name": name})
    return {"nav": nav, "membership": membership}
