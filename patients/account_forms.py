"""What people type to sign in and about their own account. Passwords may be pasted, and are never trimmed."""

from __future__ import annotations

from typing import Any

from django import forms

CODE = {"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false", "class": "medium"}


def _password(label: str, kind: str, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": kind}), **more)


class SignInForm(forms.Form):
    """An account name and a password."""

    username = forms.CharField(
        label="Account name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = _password("Password", "current-password", max_length=4096)


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(label="Code", max_length=20, widget=forms.TextInput(attrs=CODE))


class NewPasswordForm(forms.Form):
    """A new password, twice."""

    new_password = _password(
        "New password", "new-password", max_length=4096, help_text="At least 12 characters, none of the common ones"
    )
    again = _password("The same again", "new-password", max_length=4096)

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # whose password it is, the view knows

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "new_password" in cleaned and "again" in cleaned and cleaned["new_password"] != cleaned["again"]:
            self.add_error("again", "The two are not the same.")
        return cleaned


class ChangePasswordForm(NewPasswordForm):
    """The same by a signed-in person, with the password so far."""

    field_order = ("password", "new_password", "again")
    password = _password("Password so far", "current-password")


class PasswordForm(forms.Form):
    """The password again, before something that matters."""

    password = _password("Your password", "current-password")
