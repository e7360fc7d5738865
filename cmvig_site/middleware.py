"""What happens around every request: a number for it, the person's role, private caching, and refusals shown as sentences."""

from __future__ import annotations

import time
import uuid

from django.conf import settings
from django.contrib.auth import logout
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers

from patients import audit
from patients.constraints import sentence_for
from patients.refusal import Refusal
from regimens.domain.reasons import Refused

PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"


class RequestIdMiddleware:
    """One opaque number per request: in the history, in the log and on the error page."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex
        with audit.request(request.request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request.request_id
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        return response


class MembershipMiddleware:
    """``request.membership``: whom this person acts as. Also ends sessions that were left alone."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.membership = None
        if request.user.is_authenticated:
            if self._left_alone(request):
                logout(request)
                return redirect(settings.LOGIN_URL)
            request.membership = request.user.acting  # loaded with the person, see patients/backends.py
        return self.get_response(request)

    @staticmethod
    def _left_alone(request: HttpRequest) -> bool:
        """Idle longer than the limit. A page that refreshes itself says so, and never counts as the person's act."""
        now = int(time.time())
        seen = request.session.get("seen", now)
        if now - seen > settings.SESSION_IDLE_SECONDS:
            return True
        # Written at most once a minute, so that reading pages does not write the session each time.
        if request.headers.get("X-Refresh") != "auto" and (now - seen > 60 or "seen" not in request.session):
            request.session["seen"] = now
        return False


class PrivatePagesMiddleware:
    """No page of a signed-in person is kept by a cache, and a fragment is never served for a page."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated or request.method != "GET":
            response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["HX-Request", "Cookie"])
        return response


class RefusalMiddleware:
    """A refusal that no form caught becomes a page that says its sentence: 403 for a role, 409 for everything else."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, IntegrityError):
            exception = sentence_for(exception)  # the database is the last line, and says it in plain words too
        if isinstance(exception, Refusal | Refused):
            status = 403 if exception.code == "role" else 409
            return render(request, "refused.html", {"refusal": exception}, status=status)
        return None
