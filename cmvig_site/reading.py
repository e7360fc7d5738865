"""What reading a page means: who read which chart is recorded, and emergency access reaches as far as GET and HEAD, nowhere else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from patients import audit
from patients.access import IN_SESSION, open_accesses, reading
from patients.models import BreakGlass, Membership
from patients.roles import may

# Pages that show something of many patients: that a person looked at one is recorded once in each session.
LISTS = ("worklist", "verify-queue", "infusing", "missed", "weights-board")
LISTS_SEEN = "lists"


class ReadingMiddleware:
    """``request.emergency``: the open emergency accesses of this person, for the strip on every page. Nobody else pays for it.

    A page that refreshes itself is no person's act, and its reads are those of the page that was opened.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        by = request.membership
        request.emergency = _emergency(request, by) if by else ()
        if by is None or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        with reading(by, request.emergency) as request.reading:
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view_func, view_args, view_kwargs) -> None:
        """Name the page, now that it is known."""
        page = request.resolver_match.view_name
        if not hasattr(request, "reading") or request.headers.get("X-Refresh") == "auto":
            return
        request.reading.page = page
        seen = request.session.get(LISTS_SEEN, [])
        if page in LISTS and page not in seen and may(request.membership, "read_charts"):
            audit.event("read_list", by=request.membership, page=page)
            request.session[LISTS_SEEN] = [*seen, page]


def _emergency(request: HttpRequest, by: Membership) -> tuple[BreakGlass, ...]:
    if not request.session.get(IN_SESSION):
        return ()
    accesses = open_accesses(by, timezone.now())
    if not accesses:
        del request.session[IN_SESSION]
    return accesses
