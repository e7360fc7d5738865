"""Signing in: the password, the code where there is an app, and going on in place after a session was locked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from patients import actions, audit, second_factor, sessions, tries
from patients.account_forms import CodeForm, NewPasswordForm, SignInForm
from patients.backends import MembershipBackend
from patients.fields import invalid
from patients.models import User
from patients.refusal import Refusal
from patients.roles import may
from patients.sign_in import check_password, known_whom, remember_browser

CODE_WITHIN_S = 5 * 60  # from the password to the code
GO_ON_WITHIN_S = 12 * 60 * 60  # a page that waits to go on
KEPT = "kept."  # before the name of each field that is carried over a new sign-in
SALT = "go on"
TOO_MANY = ("sign_in_locked", "code_locked")


@login_not_required
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Account name and password. A locked session goes on as the same person's, and ends as another's."""
    target = _target(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(target or _landing(request.user))
        left = getattr(request, "left", None)
        return _sign_in_page(request, SignInForm(initial={"username": left.username if left else ""}), target)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _sign_in_page(request, form, target, status=422)
    at = timezone.now()
    try:
        user = check_password(request, at=at, **form.cleaned_data)
    except Refusal as refusal:
        form.add_error(None, invalid(refusal))
        return _sign_in_page(request, form, target, status=_status(refusal))
    if second_factor.has_device(user):
        request.session.cycle_key()
        request.session["sign_in"] = {
            "user": user.pk,
            "hash": user.get_session_auth_hash(),
            "at": int(at.timestamp()),
            "next": target,
        }
        return redirect("sign-in-code")
    return _enter(request, user, at, target, with_code=False)


@login_not_required
@sensitive_post_parameters("code")
def code(request: HttpRequest) -> HttpResponse:
    """The code of the second factor, within 5 minutes of the password."""
    at = timezone.now()
    pending: Any = request.session.get("sign_in")
    user = _pending_user(pending, at)
    if user is None:
        return redirect("sign-in")
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            second_factor.check_code(user, form.cleaned_data["code"], at=at)
        except Refusal as refusal:
            form.add_error("code", invalid(refusal))
            return render(request, "registration/code.html", {"form": form}, status=_status(refusal))
        return _enter(request, user, at, pending["next"], with_code=True)
    return render(request, "registration/code.html", {"form": form}, status=422 if form.is_bound else 200)


@login_not_required
def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin site asks for a sign-in: it is the one everybody uses. Who is signed in already has no rights there."""
    if request.user.is_authenticated:
        raise Refusal("role", "Your role does not include the admin site.", source="Role × action matrix of this centre")
    return redirect_to_login(_target(request) or reverse("admin:index"))


def _pending_user(pending: Any, at: datetime) -> User | None:
    """Who has given the password and not yet the code; nobody once the password has changed or time is up."""
    if not pending or at.timestamp() - pending["at"] > CODE_WITHIN_S:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    return user if user and user.get_session_auth_hash() == pending["hash"] else None


def _enter(request: HttpRequest, user: User, at: datetime, target: str, *, with_code: bool) -> HttpResponse:
    _begin(request, user, at, with_code=with_code)
    response = redirect(target or _landing(user))
    remember_browser(request, response, user)
    return response


def _begin(request: HttpRequest, user: User, at: datetime, *, with_code: bool) -> None:
    request.session.pop("sign_in", None)
    sessions.begin(request, user, at=at, second_factor=with_code)
    audit.event("sign_in", by=user, at_stated=at, second_factor=with_code)


def _landing(user: Any) -> str:
    """Where a role's work begins: the worklist, or the admin site for those who open no charts."""
    person = MembershipBackend().get_user(user.pk)
    membership = person and person.acting
    if membership and may(membership, "read_charts"):
        return reverse(settings.LOGIN_REDIRECT_URL)
    return reverse("admin:index" if user.is_staff else "help")


def _target(request: HttpRequest) -> str:
    """The path that was asked for, if it is one of ours; "" otherwise."""
    asked = request.POST.get("next", request.GET.get("next", ""))
    allowed = {request.get_host()}
    ours = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed, require_https=request.is_secure())
    return asked if ours else ""


def _sign_in_page(request: HttpRequest, form: SignInForm, target: str, *, status: int = 200) -> HttpResponse:
    return render(request, "registration/login.html", {"form": form, "next": target}, status=status)


def _status(refusal: Refusal) -> int:
    return 429 if refusal.code in TOO_MANY else 422


# --- Locked, and going on ----------------------------------------------------------------------------------------------------


@require_POST
def lock(request: HttpRequest) -> HttpResponse:
    """Lock the own session where it is. The page is covered by the script; without it, the sign-in page comes."""
    audit.event("lock_session", by=sessions.actor(request), at_stated=timezone.now())
    sessions.lock(request.session)
    return HttpResponse(status=204) if _from_script(request) else redirect("sign-in")


@require_POST
def stay(request: HttpRequest) -> HttpResponse:
    """A click on "Stay signed in". That it was answered is all: the clock was set by the middleware, as for every act."""
    return HttpResponse(status=204)


def go_on_token(user: User, path: str = "") -> str:
    """Names, for 12 hours, the one person who may go on where a session ended, and the page that waits."""
    return signing.dumps({"user": user.pk, "path": path}, salt=SALT)


def signed_out(request: HttpRequest) -> HttpResponse:
    """The answer to a form that came when nobody was signed in: 401, nothing saved, and as far as it is safe nothing lost.

    Where the session was locked or left alone, its person goes on with the password, and what was typed is carried along. Where
    nobody knows whose it was, it is only shown. Passwords and files are never carried.
    """
    left, typed = request.left, carried(request.POST)
    if left is None:
        return render(request, "account/lost.html", {"typed": typed}, status=401)
    context = {
        "person": left,
        "token": go_on_token(left, request.get_full_path()),
        "kept": [(f"{KEPT}{name}", value) for name, value in typed],
        "needs_code": second_factor.has_device(left),
        "files": list(request.FILES),
    }
    return render(request, "account/go_on.html", context, status=401)


def carried(data: QueryDict) -> list[tuple[str, str]]:
    """Each name and value that is carried over a new sign-in."""
    return [
        (name, value)
        for name, values in data.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and "password" not in name.lower()
    ]


@login_not_required
@require_POST
@sensitive_post_parameters("password", "code")
def go_on(request: HttpRequest) -> HttpResponse:
    """Sign in again as the same person: for the script an answer in JSON, else a page that sends what was typed once more."""
    try:
        kept = signing.loads(request.POST.get("token", ""), salt=SALT, max_age=GO_ON_WITHIN_S)
    except signing.BadSignature:
        if _from_script(request):
            return JsonResponse({"sentence": "This page is too old. Sign in anew.", "field": ""}, status=422)
        return render(request, "account/lost.html", {"typed": _kept(request)}, status=422)
    person, at = User.objects.filter(pk=kept["user"], is_active=True).first(), timezone.now()
    needs_code = person is not None and second_factor.has_device(person)
    try:
        if person is None:
            raise Refusal("sign_in", "This account is out of use.")
        _check_again(request, person, at, needs_code=needs_code)
    except Refusal as refusal:
        if _from_script(request):
            return JsonResponse({"sentence": refusal.sentence, "field": refusal.field}, status=_status(refusal))
        again = [(f"{KEPT}{name}", value) for name, value in _kept(request)]
        context = {"person": person, "token": request.POST["token"], "kept": again, "needs_code": needs_code}
        return render(request, "account/go_on.html", context | {"sentence": refusal.sentence}, status=_status(refusal))
    _begin(request, person, at, with_code=needs_code)
    if _from_script(request):
        response: HttpResponse = JsonResponse({"csrf": get_token(request)})
    else:
        response = render(request, "account/send_again.html", {"path": kept["path"], "kept": _kept(request)})
    remember_browser(request, response, person)
    return response


def _kept(request: HttpRequest) -> list[tuple[str, str]]:
    """What was carried over a new sign-in, by the names it had."""
    return [(name.removeprefix(KEPT), value) for name, value in carried(request.POST) if name.startswith(KEPT)]


def _check_again(request: HttpRequest, person: User, at: datetime, *, needs_code: bool) -> None:
    check_password(request, username=person.username, password=request.POST.get("password", ""), at=at)
    if needs_code:
        typed = request.POST.get("code", "")
        if not typed:
            raise Refusal("code_needed", "Now the code from your authenticator app.", field="code")
        second_factor.check_code(person, typed, at=at)


def _from_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


# --- A new password by a link ------------------------------------------------------------------------------------------------


class SetPassword(auth.PasswordResetConfirmView):
    """The page behind an administrator's link: works once, for a day, and signs nobody in."""

    template_name = "registration/set_password.html"
    form_class = NewPasswordForm  # type: ignore[assignment]  # takes user= as Django's own does

    def form_valid(self, form: Any) -> HttpResponse:
        assert isinstance(self.user, User)  # a link that is not valid has no form
        try:
            actions.set_password(by=self.user, at=timezone.now(), user=self.user, password=form.cleaned_data["new_password"])
        except Refusal as refusal:
            form.add_error("new_password", invalid(refusal))
            return self.form_invalid(form)
        # Their tries in this browser are forgotten, and whoever is signed in with it is no longer.
        tries.forget(tries.KNOWN_BROWSER, known_whom(self.request, self.user.username))
        self.request.session.flush()
        messages.success(self.request, "The password is set. Sign in with it.")
        return redirect("sign-in")

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)
