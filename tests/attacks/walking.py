"""Going to every address as somebody, and what the answer says about who may be there."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from patients.models import Membership
from tests.attacks.objects import Cast, Route, routes

# Addresses that end or lock the session of whoever goes there, or belong to somebody who is not signed in yet.
OF_THE_SESSION = {"sign-in", "sign-in-code", "go-on", "sign-out", "set-password", "lock", "stay", "end-session"}


def client_of(member: Membership | None) -> Client:
    """Signed in as this person; nobody for None. Never raises what the site answers with 500."""
    client = Client(raise_request_exception=False)
    if member is not None:
        client.force_login(member.user)
    return client


def app_routes() -> list[Route]:
    """Every address but those of the admin site and of the session."""
    return [route for route in routes() if not route.is_admin and route.name not in OF_THE_SESSION]


def pages_of(cast: Cast) -> Iterator[tuple[Route, str]]:
    """Every such address for the cast's rows."""
    for route in app_routes():
        yield route, cast.address(route)


def answer_class(response: HttpResponse) -> str:
    """200, 404 … or "login" where the answer asks to sign in; 409 and 422 are what somebody who may be there gets: "200"."""
    sign_in = (reverse(settings.LOGIN_URL), "/admin/login/")
    if response.status_code in (301, 302):
        return "login" if response["Location"].startswith(sign_in) else "302"
    return "200" if response.status_code in (409, 422) else str(response.status_code)
