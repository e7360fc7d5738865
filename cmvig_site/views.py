"""Pages that belong to no app: help, and the pages that say something went wrong."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static


@login_not_required
def icon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for on pages that name no icon, such as the admin panel's."""
    return redirect(static("favicon.svg"))


def help_page(request: HttpRequest) -> HttpResponse:
    """Keys and words."""
    return render(request, "help.html")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_from_here(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without the token that this site gave it: another site's, or a page from before the last sign-in."""
    return render(request, "csrf.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """The plainest pages: without a session, a person or a database. 503 where the database is away, 500 for everything else.

    Rendered without the request, so that nothing on them asks the database that has just failed.
    """
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError):
        response = HttpResponse(render_to_string("503.html"), status=503)
        response["Retry-After"] = "5"
        return response
    return HttpResponse(render_to_string("500.html", {"request_id": getattr(request, "request_id", "")}), status=500)
