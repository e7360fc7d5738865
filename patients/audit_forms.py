"""Forms of emergency access and of the audit search."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from patients.fields import DayField, LineField, MrnField
from patients.models import Centre, Membership, User

ANYBODY = [("", "Anybody")]


def _offer(form: forms.Form, name: str, choices: list[tuple[Any, str]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


class AnyMrnField(MrnField):
    """A record number, or nothing."""

    def clean(self, value: Any) -> str:
        return super().clean(value) if str(value or "").strip() else ""


class EmergencyForm(forms.Form):
    """Which chart, and why now."""

    centre = forms.TypedChoiceField(label="Center", coerce=int)
    mrn = MrnField(
        label="Whole record number (MRN)", help_text="As the other center writes it; spaces do not count", max_length=40
    )
    reason = LineField(
        what="reason",
        label="Why you must read this chart now",
        help_text="At least 10 characters. Read by the auditor of the other center",
        max_length=300,
    )

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        centres = Centre.objects.exclude(pk=by.centre_id).order_by("name").values_list("pk", "name")
        _offer(self, "centre", [("", "Choose"), *centres])


class AuditForm(forms.Form):
    """What to look for. Everything left empty fits everything."""

    person = forms.TypedChoiceField(label="Person", coerce=int, empty_value=None, required=False)
    mrn = AnyMrnField(label="Record number (MRN)", max_length=40, required=False)
    name = forms.RegexField(
        label="Event begins with",
        regex=r"\A[a-z_]{0,40}\Z",
        required=False,
        help_text="Such as read_, verify_course or sign_in",
        error_messages={"invalid": "An event's name has small letters and _ only."},
    )
    since_on = DayField(label="From", required=False)
    until_on = DayField(label="To, this day included", required=False)
    request_id = forms.RegexField(
        label="Request number",
        regex=r"\A[0-9a-f]{32}\Z",
        required=False,
        help_text="32 letters and digits, as an error page shows them",
        error_messages={"invalid": "A request number has 32 letters a to f and digits."},
    )

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(memberships__centre=by.centre_id).distinct().order_by("last_name", "first_name", "pk")
        _offer(self, "person", ANYBODY + [(user.pk, user.printed_name) for user in people])
        self.zone_name = by.centre.time_zone

    def since(self) -> datetime | None:
        """The first instant of the day From, in the centre's zone."""
        return self._midnight(self.cleaned_data["since_on"])

    def until(self) -> datetime | None:
        """The first instant after the day To."""
        on = self.cleaned_data["until_on"]
        return self._midnight(on + timedelta(days=1)) if on else None

    def _midnight(self, on: date | None) -> datetime | None:
        return datetime.combine(on, time(), tzinfo=ZoneInfo(self.zone_name)) if on else None


class ExportForm(AuditForm):
    """The same, to take away: with the reason."""

    export_reason = LineField(
        what="reason", label="Reason of the export", help_text="At least 10 characters", min_length=10, max_length=300
    )
