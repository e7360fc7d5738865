"""What several forms share: the password as a signature, people to choose from, and nothing chosen beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from patients.models import Centre, Membership
from patients.roles import Role

NOT_CHOSEN = [("", "Choose…")]


def password_field(*, required: bool = True) -> forms.CharField:
    """The password again, exactly as typed: what turns a click into a signature. The view checks it."""
    return forms.CharField(
        label="Your password",
        help_text="Typing it signs",
        required=required,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "medium"}),
    )


def prescribers_of(centre: Centre) -> list[Membership]:
    """Who may give an order in this centre now."""
    rows = Membership.objects.filter(centre=centre, role=Role.PRESCRIBER, ended_at=None).select_related("user")
    return list(rows.order_by("user__last_name", "user__first_name", "pk"))


class ChosenPerson(forms.TypedChoiceField):
    """One of the people read already: choosing costs no statement. ``with_role`` names their role too."""

    def __init__(self, people: Iterable[Membership], *, with_role: bool = False, **kwargs: Any) -> None:
        self.people = {person.pk: person for person in people}
        names = [(str(pk), _name(person, with_role)) for pk, person in self.people.items()]
        super().__init__(choices=NOT_CHOSEN + names, coerce=lambda value: self.people[int(value)], empty_value=None, **kwargs)


def _name(person: Membership, with_role: bool) -> str:
    return f"{person.user.printed_name}, {person.get_role_display()}" if with_role else person.user.printed_name
