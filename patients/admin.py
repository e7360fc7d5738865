"""The admin site's part of this floor: accounts, roles and centres. No patient is ever seen in it.

Saving goes through the same actions as everywhere else; nothing can be deleted: accounts are put out of use, roles are ended.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from patients import actions
from patients.fields import invalid
from patients.models import Centre, Membership, User
from patients.refusal import Refusal
from patients.when import zone_named

# Groups follow from roles (patients/actions/accounts.py), and nobody edits them by hand. Their page is registered by Django's
# own module, which is imported here so that it is there to be taken away.
assert auth_admin.GroupAdmin is not None
admin.site.unregister(Group)
admin.site.site_header = admin.site.site_title = "cmvig administration"
admin.site.index_title = "Accounts, centres and the monograph"


def actor(request: HttpRequest) -> Membership | User:
    """Who acts in the admin site: the membership, or a superuser without one."""
    return getattr(request, "membership", None) or request.user  # type: ignore[return-value]  # the site needs a login


class ActingForm(forms.ModelForm):
    """A form whose saving is an action: it is tried while the form is checked, so that a refusal is an error of the form."""

    request: HttpRequest
    form_fields: dict[str, str] = {}  # where a form calls a value by another name than its action

    def act(self, cleaned: dict[str, Any]) -> Any:
        raise NotImplementedError

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

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved by the action already."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AccountForm(ActingForm):
    """A new account, or a correction of one; a password only where one is typed."""

    form_fields = {"given": "first_name", "family": "last_name", "password": "new_password"}
    new_password = forms.CharField(
        label="New password", strip=False, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_name"].required = True
        self.fields["new_password"].required = self.instance.pk is None

    def act(self, cleaned: dict[str, Any]) -> User:
        by, at = actor(self.request), timezone.now()
        person = {"given": cleaned["first_name"], "family": cleaned["last_name"], "email": cleaned["email"]}
        if self.instance.pk is None:
            return actions.create_account(
                by=by, at=at, username=cleaned["username"], password=cleaned["new_password"], **person
            )
        stored = User.objects.get(pk=self.instance.pk)
        if cleaned["new_password"]:
            actions.set_password(by=by, at=at, user=stored, password=cleaned["new_password"])
        return actions.correct_account(by=by, at=at, user=stored, is_active=cleaned["is_active"], **person)


@admin.register(User)
class UserAdmin(ActingAdmin):
    form = AccountForm
    list_display = ("username", "last_name", "first_name", "is_active")
    list_filter = ("is_active",)
    search_fields = ("username", "last_name", "first_name")

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        return [*(("is_active",) if obj else ("username",)), "first_name", "last_name", "email", "new_password"]

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


class CentreForm(ActingForm):
    """A centre and its policy."""

    class Meta:
        model = Centre
        fields = ("name", "time_zone", "phone", "pump_increment_ml_per_h", "vial_rounding_percent", "second_factor_required")

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


@admin.register(Centre)
class CentreAdmin(ActingAdmin):
    form = CentreForm
    list_display = ("name", "time_zone", "phone")
