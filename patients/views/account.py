"""A person's own account: password, second factor, and where they are signed in."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from patients import actions, second_factor, sessions
from patients.account_forms import ChangePasswordForm, CodeForm, PasswordForm
from patients.fields import invalid
from patients.refusal import Refusal
from patients.sessions import actor, person
from patients.signing import signed_by


def without_second_factor(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Open to a signed-in person who still has to set up a second factor."""
    view.without_second_factor = True
    return view


def index(request: HttpRequest) -> HttpResponse:
    """Everything of one's own on one page."""
    user = person(request)
    has_device = second_factor.has_device(user)
    context = {
        "places": sessions.places_of(user, this=request.session.session_key),
        "has_device": has_device,
        "codes_left": second_factor.codes_left(user) if has_device else 0,
        "is_needed": second_factor.is_needed(user),
        "zone": request.membership.centre.time_zone if request.membership else "UTC",
    }
    return render(request, "account/index.html", context)


@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """End one of the own sessions, such as one left open on a ward's computer."""
    try:
        actions.end_own_session(by=actor(request), at=timezone.now(), handle=request.POST.get("handle", ""))
    except Refusal as refusal:
        messages.warning(request, refusal.sentence)
    else:
        messages.success(request, "That session has ended.")
    return redirect("account")


@without_second_factor
@sensitive_post_parameters("password", "new_password", "again")
def password(request: HttpRequest) -> HttpResponse:
    """A new password. Every other session of the account ends; this one goes on under a new number."""
    form = ChangePasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        at, typed = timezone.now(), form.cleaned_data
        try:
            signed_by(request, typed["password"], done="changed")
            user = actions.set_password(by=actor(request), at=at, user=person(request), password=typed["new_password"])
        except Refusal as refusal:
            form.add_error("new_password" if refusal.code == "password" else "password", invalid(refusal))
        else:
            sessions.begin(request, user, at=at, second_factor=request.session.get("factor", False))
            messages.success(request, "Your password is changed. Your other sessions have ended.")
            return redirect("account")
    return render(request, "account/password.html", {"form": form}, status=422 if form.is_bound else 200)


@without_second_factor
@sensitive_post_parameters("code")
def set_up(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: scan, type its code, keep the recovery codes, which are shown this once."""
    user = person(request)
    if second_factor.has_device(user):
        if request.session.get("factor"):
            return redirect("account")
        sessions.lock(request.session)  # signed in before there was an app: the code is still owed
        return redirect("sign-in")
    if "new_factor" not in request.session:
        request.session["new_factor"] = second_factor.new_key()
    key = request.session["new_factor"]
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = actions.set_up_second_factor(by=actor(request), at=timezone.now(), key=key, code=form.cleaned_data["code"])
        except Refusal as refusal:
            form.add_error("code", invalid(refusal))
        else:
            del request.session["new_factor"]
            request.session["factor"] = True
            request.session.cycle_key()
            return render(request, "account/recovery_codes.html", {"codes": codes})
    context = {
        "form": form,
        "qr": second_factor.qr_code(user, key),
        "typed_key": second_factor.typed_key(key),
        "is_needed": second_factor.is_needed(user),
    }
    return render(request, "account/set_up.html", context, status=422 if form.is_bound else 200)


@sensitive_post_parameters("password")
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Ten new recovery codes, after the password."""
    form = PasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            signed_by(request, form.cleaned_data["password"], done="changed")
            codes = actions.renew_recovery_codes(by=actor(request), at=timezone.now())
        except Refusal as refusal:
            form.add_error("password", invalid(refusal))
        else:
            return render(request, "account/recovery_codes.html", {"codes": codes})
    return render(request, "account/renew_codes.html", {"form": form}, status=422 if form.is_bound else 200)
