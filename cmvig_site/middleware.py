"""What happens around every request: a number for it, the person's role, private caching, and refusals shown as sentences."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from patients import audit, second_factor, sessions
from patients.constraints import sentence_for
from patients.refusal import Refusal
from patients.views.sign_in import signed_out
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


class PersonMiddleware:
    """``request.membership``: whom this person acts as. A session that was left alone, locked or lived 12 hours is nobody's;
    ``request.left`` is then the person it belonged to.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.membership = request.left = None
        if request.user.is_authenticated:
            at = timezone.now()
            if why := sessions.why_over(request.session, at=at):
                self._leave(request, why, at)
            else:
                # A page that refreshes itself says so, and never counts as the person's act.
                if request.headers.get("X-Refresh") != "auto":
                    sessions.acted(request.session, at=at)
                request.membership = request.user.acting  # loaded with the person, see patients/backends.py
        return self.get_response(request)

    @staticmethod
    def _leave(request: HttpRequest, why: str, at: datetime) -> None:
        request.left = request.user
        if why != "locked":
            audit.event("session_over", by=sessions.person(request), at_stated=at, why=why)
        if why == "over":
            request.session.flush()
        elif why == "idle":
            request.session["locked"] = True  # for the same person to go on, with the password
        request.user = AnonymousUser()


class SignedInMiddleware(LoginRequiredMiddleware):
    """Nothing without a sign-in, and nothing but setting it up for those who need a second factor and have none yet."""

    def process_view(self, request: HttpRequest, view_func, view_args, view_kwargs) -> HttpResponseBase | None:
        answer = super().process_view(request, view_func, view_args, view_kwargs)
        if answer or not request.user.is_authenticated or not getattr(view_func, "login_required", True):
            return answer
        if request.session.get("factor") or getattr(view_func, "without_second_factor", False):
            return None
        return redirect("second-factor") if second_factor.is_needed(request.user) else None

    def handle_no_permission(self, request: HttpRequest, view_func) -> HttpResponse:
        """The sign-in page, and back to this page's path: what stands behind its question mark may have been typed."""
        if request.htmx:
            return HttpResponse("Sign in again.", content_type="text/plain", status=401)
        if request.method == "POST":
            return signed_out(request)
        return redirect_to_login(request.path, settings.LOGIN_URL)


class PrivatePagesMiddleware:
    """No page is kept by a cache, and a fragment is never served for a page."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["HX-Request", "Cookie"])
        return response


class RefusalMiddleware:
    """A refusal that no form caught becomes a page that says its sentence: 403 for what is not part of a role, 409 for everything else."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, IntegrityError):
            exception = sentence_for(exception)  # the database is the last line, and says it in plain words too
        if isinstance(exception, Refusal | Refused):
            status = 403 if exception.code in ("role", "prescriber_only") else 409
            return render(request, "refused.html", {"refusal": exception}, status=status)
        return None
