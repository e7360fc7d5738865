"""Headers of every answer as a hospital's server gives it: every address, errors, files and the way to https."""

from __future__ import annotations

import re
import runpy
import uuid
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import URLPattern, get_resolver, include, path, reverse

from cmvig_site import urls
from tests.factories import PASSWORD, make_member, make_patient

NUMBERS = {"uuid": str(uuid.UUID(int=7)), "int": "7", "str": "some", "slug": "some", "path": "some"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
}
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
    "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
}  # fmt: skip


def _fails(request: HttpRequest) -> HttpResponse:
    raise ValueError("OKONKWO")


_fails.login_required = False  # type: ignore[attr-defined]
urlpatterns = [path("fails/", _fails), path("", include(urls.urlpatterns))]
handler403, handler404, handler500 = urls.handler403, urls.handler404, urls.handler500


@pytest.fixture
def production(monkeypatch, settings) -> Iterator[None]:
    """The settings as they are where nothing is said about plain http or debugging."""
    monkeypatch.delenv("CMVIG_PLAIN_HTTP")
    monkeypatch.delenv("DEBUG", raising=False)
    fresh = runpy.run_path(str(settings.BASE_DIR / "cmvig_site" / "settings.py"))
    safety = (
        "SECURE_",
        "SESSION_",
        "CSRF_",
        "MIDDLEWARE",
        "CONTENT_SECURITY_POLICY",
        "X_FRAME_OPTIONS",
        "KNOWN_BROWSER",
        "DEBUG",
    )
    chosen = {name: value for name, value in fresh.items() if name.startswith(safety)}
    with override_settings(**chosen, ROOT_URLCONF=__name__, WHITENOISE_AUTOREFRESH=True, WHITENOISE_USE_FINDERS=True):
        yield


def addresses() -> list[str]:
    """Every address of the site, with numbers of nothing in it."""

    def under(patterns, prefix: str) -> Iterator[str]:
        for pattern in patterns:
            here = prefix + _written(pattern)
            if isinstance(pattern, URLPattern):
                yield here
            else:
                yield from under(pattern.url_patterns, here)

    return sorted(set(under(get_resolver(urls).url_patterns, "/")))


def _written(pattern) -> str:
    text = str(pattern.pattern)
    for name, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower()
        number = NUMBERS["str" if kind == "string" else kind]
        text = text.replace(f"<{kind}:{name}>", number).replace(f"<{name}>", number).replace(f"<str:{name}>", number)
    text = re.sub(r"\(\?P<app_label>[^)]*\)", "patients", text)
    return text.replace("(?P<url>.*)", "x").replace("^", "").replace("$", "")


def wrong_with(answer: HttpResponse) -> list[str]:
    """What is missing from an answer."""
    missing = [name for name, value in HEADERS.items() if answer.get(name) != value]
    given = {part.strip() for part in answer.get("Content-Security-Policy", "").split(";") if part.strip()}
    if given != POLICY:
        missing.append(f"Content-Security-Policy {sorted(given ^ POLICY)}")
    if "camera=()" not in answer.get("Permissions-Policy", ""):
        missing.append("Permissions-Policy")
    return missing


def strangers_and_members() -> dict[str, Client]:
    member = Client()
    member.post(reverse("sign-in"), {"username": make_member().user.username, "password": PASSWORD}, secure=True)
    return {"nobody": Client(), "pharmacist": member}


@pytest.mark.django_db
def test_every_answer_of_every_address_has_every_header(production):
    wrong, seen = {}, set()
    for who, client in strangers_and_members().items():
        client.raise_request_exception = False
        leaving = [reverse("lock"), reverse("sign-out")]
        for address in [*(one for one in addresses() if one not in leaving), "/no-such-page/", "/fails/", *leaving]:
            for method in ("get", "post", "put"):
                answer = getattr(client, method)(address, secure=True)
                seen.add(answer.status_code)
                if problems := [*wrong_with(answer), *([] if answer.get("Cache-Control") == "no-store" else ["Cache-Control"])]:
                    wrong[f"{who} {method} {address} {answer.status_code}"] = problems
    assert not wrong
    assert {200, 302, 401, 403, 404, 405, 500} <= seen


@pytest.mark.django_db
def test_a_refused_form_a_chart_and_a_foreign_form_have_them_too(production):
    patient = make_patient()
    client = Client(enforce_csrf_checks=True)
    client.force_login(patient.registered_by.user)
    answers = [
        client.get(reverse("chart", args=[patient.pk]), secure=True),
        client.post(reverse("patient-new"), secure=True),
        client.post(reverse("sign-in"), {"username": "x", "password": "y"}, secure=True),
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 403]
    assert [wrong_with(answer) for answer in answers] == [[], [], []]
    assert b"CSRF" not in answers[1].content


@pytest.mark.django_db
def test_files_have_the_headers_and_folders_are_not_listed(production):
    client = Client()
    style = client.get("/static/cmvig.css", secure=True)
    assert style.status_code == 200 and wrong_with(style) == []
    style.close()
    for place in ("/static/", "/static/../cmvig_site/settings.py", "/.git/config", "/var/secret-key"):
        assert client.get(place, secure=True).status_code == 404, place


@pytest.mark.django_db
def test_plain_http_leads_to_https_and_a_monitor_is_answered(production):
    answer = Client().get("/sign-in/")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/sign-in/")
    assert answer["Content-Security-Policy"] and answer["X-Frame-Options"]
    assert Client().get("/healthz").status_code in (200, 503)


@pytest.mark.django_db
def test_cookies_belong_to_this_host_alone_and_to_https(production):
    client = Client()
    client.get(reverse("sign-in"), secure=True)
    client.post(reverse("sign-in"), {"username": make_member().user.username, "password": PASSWORD}, secure=True)
    assert sorted(client.cookies) == ["__Host-cmvig-browser", "__Host-cmvig-csrf", "__Host-cmvig-session"]
    for cookie in client.cookies.values():
        assert cookie["secure"] and cookie["httponly"] and cookie["samesite"] == "Strict"
        assert cookie["path"] == "/" and not cookie["domain"]


@pytest.mark.django_db
def test_djangos_own_check_of_a_deployment_has_no_warning(production, monkeypatch):
    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE")  # for the browser tests alone
    call_command("check", "--deploy", "--fail-level", "WARNING")


@pytest.mark.django_db
def test_a_failure_tells_nobody_what_failed(production):
    client = Client(raise_request_exception=False)
    answer = client.get("/fails/", secure=True)
    assert answer.status_code == 500 and b"OKONKWO" not in answer.content and b"Traceback" not in answer.content


@pytest.mark.django_db
def test_nothing_but_the_ways_to_sign_in_opens_without_a_sign_in(production):
    open_to_all = {
        "/admin/login/", "/favicon.ico", "/set-password/some/some/", "/sign-in/", "/sign-in/again/", "/sign-in/code/",
    }  # fmt: skip
    client, found = Client(), set()
    for address in addresses():
        answers = [client.get(address, secure=True), client.post(address, secure=True)]
        shut = answers[0].status_code == 302 and answers[0]["Location"].startswith(f"/sign-in/?next={address}")
        if not (shut and answers[1].status_code == 401):
            found.add(address)
    assert found == open_to_all
