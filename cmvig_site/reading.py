"""Emergency access reaches as far as a page that is read: entered here for GET and HEAD, and nowhere else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from patients.access import IN_SESSION, open_accesses, reading


class EmergencyMiddleware:
    """``request.emergency``: the open emergency accesses of this person, for the strip on every page. Nobody else pays for it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        by = request.membership
        request.emergency = ()
        if by is None or not request.session.get(IN_SESSION):
            return self.get_response(request)
        request.emergency = open_accesses(by, timezone.now())
        if not request.emergency:
            del request.session[IN_SESSION]
        with reading(request.emergency if request.method in ("GET", "HEAD") else ()):
            return self.get_response(request)
