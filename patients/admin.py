"""The admin site's part of this floor: accounts, roles and centers. No patient is ever seen in it.

Saving goes through the same actions as everywhere else; nothing can be deleted: accounts are put out of use, roles are ended.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from patients import actions
from patients.fields import DayField, invalid
from patients.models import Centre, ClosedDay, Membership, User
from patients.refusal import Refusal
from patients.sessions import actor
from patients.when import zone_named

# Groups follow from roles (patients/actions/accounts.py), and nobody edits them by hand. Their page is registered by Django's
# own module, which is imported here so that it is there to be taken away.
assert auth_admin.GroupAdmin is not None
# Nor are second factors, which hold secrets: they are reset by the action below.
admin.site.unregister([Group, StaticDevice, TOTPDevice])
admin.site.site_header = admin.site.site_title = "cmvig administration"
admin.site.index_title = "Accounts, centers and the monograph"


class ActingForm(forms.ModelForm):
    """A form whose saving is an action: it is tried while the form is checked, so that a refusal is an error of the form."""

    request: HttpRequest
    form_fields: dict[str, str] = {}  # where a form calls a value by another name than its action

    def act(self, cleaned: dict[str, Any]) -> Any:
        """The action that saves these values; what it returns is the saved row."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.done = self.act(cleaned)
            except Refusal as refusal:
                field = self.form_fields.get(refusal.field, refusal.field)
                self.add_error(field if field in self.fields else None, invalid(refusal))
        return cleaned

    def validate_constraints(self) -> None:
        """The database says it, and the action turns it into a sentence."""

    def validate_unique(self) -> None:
        """As above."""

    def save(self, commit: bool = True) -> Any:
        return self.done

    def save_m2m(self) -> None:
        """Groups follow from roles: nothing of them is in these forms."""


class ActingAdmin(admin.ModelAdmin):
    """No deletes, and no writing besides the form's action."""

    actions: Any = ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"request": request})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """All of a page or nothing: forms act while they are checked, and one of them may be refused after another has acted."""
        with transaction.atomic():
            response = super().changeform_view(request, *args, **kwargs)
            if request.method == "POST" and response.status_code == 200:  # the page again, with its errors
                transaction.set_rollback(True)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved by the action already."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AccountForm(ActingForm):
    """A new account, or a correction of one. Nobody types another person's password: a link lets them set their own."""

    form_fields = {"given": "first_name", "family": "last_name"}

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_name"].required = True

    def act(self, cleaned: dict[str, Any]) -> User:
        by, at = actor(self.request), timezone.now()
        person = {"given": cleaned["first_name"], "family": cleaned["last_name"], "email": cleaned["email"]}
        if self.instance.pk is None:
            return actions.create_account(by=by, at=at, username=cleaned["username"], **person)
        stored = User.objects.get(pk=self.instance.pk)
        return actions.correct_account(by=by, at=at, user=stored, is_active=cleaned["is_active"], **person)


@admin.register(User)
class UserAdmin(ActingAdmin):
    form = AccountForm
    list_display = ("username", "last_name", "first_name", "is_active")
    list_filter = ("is_active",)
    search_fields = ("username", "last_name", "first_name")
    actions = ("make_links", "reset_second_factors", "end_sessions")

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        return [*(("is_active",) if obj else ("username",)), "first_name", "last_name", "email"]

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """A new account comes with the link that its person sets a password by."""
        self._show_link(request, obj)
        return super().response_add(request, obj, post_url_continue)

    @admin.action(description="Make a link to set a password", permissions=["change"])
    def make_links(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """A link for each account, to hand over; it works once, for a day."""
        for user in chosen:
            self._show_link(request, user)

    @admin.action(description="Reset the second factor (lost phone), and end all sessions", permissions=["change"])
    def reset_second_factors(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """The person is led to set up another app at the next sign-in."""
        for user in chosen:
            self._try(request, actions.reset_second_factor, user, f"The second factor of {user.printed_name} is reset.")

    @admin.action(description="End all sessions", permissions=["change"])
    def end_sessions(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """Wherever these people are signed in, they are no longer."""
        for user in chosen:
            self._try(request, actions.end_all_sessions, user, f"All sessions of {user.printed_name} have ended.")

    def _show_link(self, request: HttpRequest, user: User) -> None:
        path = self._try(request, actions.make_password_link, user)
        if path:
            sentence = (
                f"{user.printed_name} sets a password at {request.build_absolute_uri(path)}. Hand the link over in person"
            )
            self.message_user(request, f"{sentence}; it works once, for a day, and is shown only now.", messages.SUCCESS)

    def _try(self, request: HttpRequest, action: Callable[..., Any], user: User, done: str = "") -> Any:
        """The action's result; its refusal becomes a message."""
        try:
            result = action(by=actor(request), at=timezone.now(), user=user)
        except Refusal as refusal:
            self.message_user(request, f"{user.printed_name}: {refusal.sentence}", messages.ERROR)
            return None
        if done:
            self.message_user(request, done, messages.SUCCESS)
        return result

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).filter(is_superuser=False)


class MembershipForm(ActingForm):
    """A role for a person in a centre."""

    class Meta:
        model = Membership
        fields = ("user", "centre", "role")

    def act(self, cleaned: dict[str, Any]) -> Membership:
        return actions.add_membership(
            by=actor(self.request), at=timezone.now(), user=cleaned["user"], centre=cleaned["centre"], role=cleaned["role"]
        )


@admin.register(Membership)
class MembershipAdmin(ActingAdmin):
    form = MembershipForm
    list_display = ("user", "centre", "role", "ended_at")
    list_filter = ("role", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "centre")
    search_fields = ("user__username", "user__last_name")
    actions = ("end_roles",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    @admin.action(description="End the chosen roles now", permissions=["change"])
    def end_roles(self, request: HttpRequest, chosen: QuerySet[Membership]) -> None:
        """End each role, and every session of its person."""
        for membership in chosen:
            try:
                actions.end_membership(by=actor(request), at=timezone.now(), membership=membership)
            except Refusal as refusal:
                self.message_user(request, refusal.sentence, messages.ERROR)
            else:
                self.message_user(request, f"Ended: {membership}.", messages.SUCCESS)


# The page of a centre, part by part.
CENTRE_FIELDSETS: Any = [
    ("The center", {"fields": ("name", "time_zone", "phone")}),
    ("Signing in", {"fields": ("second_factor_required",)}),
    ("Doses and pumps", {"fields": ("pump_increment_ml_per_h", "vial_rounding_percent", "slow_with_new_lot")}),
    ("Before a dose is released", {"fields": ("consent_required",)}),
    (
        "Missed and stopped doses",
        {
            "fields": ("shift_allowed", "collaborative_protocol"),
            "description": "While a collaborative protocol is named, a pharmacist may sign these decisions: give late (and move"
            " later doses, where that is allowed), give the remainder, accept the part, omit. Changing the dose or the protocol,"
            " stopping, off-label courses and an initial dose outside the label’s window stay a prescriber’s.",
        },
    ),
    ("Days without planned infusions", {"fields": ("closed_weekdays",)}),
]


class CentreForm(ActingForm):
    """A centre and its policy."""

    closed_weekdays = forms.TypedMultipleChoiceField(
        label="Closed on",
        choices=list(enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"))),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=Centre._meta.get_field("closed_weekdays").help_text,
    )

    class Meta:
        model = Centre
        fields = tuple(name for _, section in CENTRE_FIELDSETS for name in section["fields"])
        widgets = {"collaborative_protocol": forms.TextInput(attrs={"size": 60})}

    def clean_time_zone(self) -> str:
        try:
            return str(zone_named(self.cleaned_data["time_zone"]))
        except Refusal as refusal:
            raise invalid(refusal) from None

    def act(self, cleaned: dict[str, Any]) -> Centre:
        by, at = actor(self.request), timezone.now()
        if self.instance.pk is None:
            return actions.create_centre(by=by, at=at, **cleaned)
        return actions.correct_centre(by=by, at=at, centre=Centre.objects.get(pk=self.instance.pk), **cleaned)


class ClosedDayForm(ActingForm):
    """One more closed day. A row that stands already is removed by its box, and not edited."""

    on = DayField(label="Day", widget=forms.TextInput(attrs={"autocomplete": "off"}))

    class Meta:
        model = ClosedDay
        fields = ("on", "title")

    def act(self, cleaned: dict[str, Any]) -> ClosedDay:
        if self.instance.pk is not None:
            return self.instance
        centre = Centre.objects.get(pk=self.instance.centre_id)
        by, at = actor(self.request), timezone.now()
        return actions.add_closed_day(by=by, at=at, centre=centre, on=cleaned["on"], title=cleaned["title"])


class ClosedDayRows(forms.BaseInlineFormSet):
    """The closed days of one centre: added by their forms, removed by their boxes."""

    def clean(self) -> None:
        super().clean()
        for row in self.deleted_forms:
            try:
                actions.remove_closed_day(by=actor(self.form.request), at=timezone.now(), closed_day=row.instance)
            except Refusal as refusal:
                raise invalid(refusal) from None

    def delete_existing(self, obj: ClosedDay, commit: bool = True) -> None:
        """Removed by the action already."""


class ClosedDayInline(admin.TabularInline):
    """Closed days from today on; those that are over, or were removed, stay in the history."""

    model = ClosedDay
    form = ClosedDayForm
    formset = ClosedDayRows
    extra = 2
    verbose_name_plural = "Closed days from today on: holidays, beside the days of the week above"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> type[forms.BaseInlineFormSet]:
        return super().get_formset(request, obj, form=type("ClosedDayForm", (ClosedDayForm,), {"request": request}), **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClosedDay]:
        # Yesterday in UTC is today at the latest, wherever the centre is.
        yesterday = timezone.now().date() - timedelta(days=1)
        return super().get_queryset(request).filter(removed_at=None, on__gte=yesterday)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("patients.change_centre")

    has_add_permission = has_delete_permission = has_view_permission

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Centre)
class CentreAdmin(ActingAdmin):
    form = CentreForm
    fieldsets = CENTRE_FIELDSETS
    list_display = ("name", "time_zone", "phone")

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[type[admin.TabularInline]]:
        return [ClosedDayInline] if obj else []
