"""A dose given elsewhere, as somebody tells it: on its own page, and in rows of the build page."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms

from patients import when
from patients.fields import LineField, LocalDateTimeField
from patients.forms import read_in, reason_field
from regimens.actions.outside import OutsideFacts
from regimens.forms.common import NOT_CHOSEN, password_field
from regimens.forms.course import AmountField
from regimens.models import OutsideDose
from regimens.templatetags import display


class OutsideForm(forms.Form):
    """One dose given elsewhere."""

    product = forms.ChoiceField(label="Product", choices=NOT_CHOSEN + OutsideDose.Product.choices)
    given_at = LocalDateTimeField(
        label="Given", help_text="Such as 22-Nov-2026, 14:05. Leave the time empty if unknown", time_required=False
    )
    given_mg = AmountField(label="Dose", unit="mg", required=False, help_text="Empty: not known")
    said_by = LineField(what="source", label="Source", help_text="Who said so, or which document", max_length=200)

    def __init__(self, *args: Any, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone_name = zone_name
        read_in(self, "given_at", zone_name)

    def facts(self) -> OutsideFacts:
        """What was told; a day without a time is its first instant."""
        given: datetime | date = self.cleaned_data["given_at"]
        is_time_known = isinstance(given, datetime)
        return OutsideFacts(
            product=self.cleaned_data["product"],
            given_at=given if isinstance(given, datetime) else when.day_begins(given, self.zone_name),
            is_time_known=is_time_known,
            given_mg=self.cleaned_data["given_mg"],
            said_by=self.cleaned_data["said_by"],
            visit=self.cleaned_data.get("visit", ""),
        )


class OutsideRowForm(OutsideForm):
    """The same as one of several rows that may stay empty, with the visit of the course that it stood for."""

    visit = forms.ChoiceField(label="Stood for", required=False)

    def __init__(self, *args: Any, visits: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, empty_permitted=True, use_required_attribute=False, **kwargs)
        self.fields["visit"].choices = [("", "No visit of this course"), *visits]

    def has_changed(self) -> bool:
        """Whether anything was typed in this row."""
        return any(value for name, value in self.data.items() if name.startswith(f"{self.prefix}-"))


class OutsideDecisionForm(forms.Form):
    """What a prescriber signs about a dose given elsewhere. Nothing is preselected."""

    decision = forms.ChoiceField(
        label="This dose", choices=list(OutsideDose.DECISIONS.items()), widget=forms.RadioSelect(attrs={"class": "choices"})
    )
    reason = reason_field("Reason", "At least 10 characters")
    password = password_field()


def given_text(row: OutsideDose, zone: str) -> str:
    """When and how much: "04-Nov-2026 10:00, 7,000 mg"; the day alone where nobody knows the time."""
    at = display.format_told(row.given_at, zone, is_time_known=row.is_time_known)
    return f"{at}, {display.format_unit(row.given_mg, 'mg') if row.given_mg is not None else 'mg not known'}"
