"""What people type to change a running course: a recalculation, another day, a hold, a kept weight, a hand-over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django import forms

from patients.fields import DayField, LineField, LocalDateTimeField
from patients.models import Membership
from patients.roles import Role
from regimens.domain.monograph import ReasonCode
from regimens.forms.common import NOT_CHOSEN, ChosenPerson, password_field, prescribers_of


class ReplanForm(forms.Form):
    """Nothing is typed: the form carries what the person saw, so that nothing else is saved."""

    shown = forms.CharField(max_length=64, widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    weight = forms.IntegerField(required=False, widget=forms.HiddenInput)
    counted_from = forms.CharField(max_length=80, required=False, widget=forms.HiddenInput)


class MoveForm(forms.Form):
    """Another day of the dose's own window. Nothing is chosen beforehand."""

    target_on = forms.ChoiceField(label="Give it on", widget=forms.RadioSelect)

    def __init__(self, *args: Any, days: Sequence[tuple[date, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target_on"].choices = [(on.isoformat(), text) for on, text in days]

    def clean_target_on(self) -> date:
        """The day itself."""
        return date.fromisoformat(self.cleaned_data["target_on"])


class OrderedForm(forms.Form):
    """Who ordered it: a prescriber signs their own order, anybody else names the prescriber and says that it was read back."""

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        if by.role != Role.PRESCRIBER:
            self.fields["ordered_by"] = ChosenPerson(prescribers_of(by.centre), label="Ordered by")
            self.fields["is_read_back"] = forms.BooleanField(label="Read back by name to the prescriber", required=False)
        self.fields["password"] = password_field()

    def ordered(self) -> dict[str, Any]:
        """Who ordered it, and whether it was read back, for the action."""
        data = self.cleaned_data
        return {"ordered_by": data.get("ordered_by") or self.by, "is_read_back": data.get("is_read_back", False)}


class HoldForm(OrderedForm):
    """Why nothing is given for now, and when somebody looks again."""

    reason_code = forms.ChoiceField(label="Reason")
    reason = LineField(label="In words", max_length=300, required=False, what="reason", help_text="Needed for another reason")
    review_on = DayField(label="Look at it again on", help_text="The worklist shows it from that day on, such as 24-Nov-2026")

    def __init__(self, *args: Any, reasons: Sequence[ReasonCode], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason_code"].choices = [*NOT_CHOSEN, *((row.code, row.sentence) for row in reasons)]


class ResumeForm(OrderedForm):
    """Why the course goes on."""

    reason = LineField(label="Why it goes on", max_length=300, what="reason")


class KeepForm(forms.Form):
    """Why the doses stay although the weight has changed."""

    reason = LineField(label="Why the doses stay", max_length=300, what="reason", help_text="At least 10 characters")
    weight = forms.IntegerField(widget=forms.HiddenInput)
    password = password_field()


class HandOverForm(forms.Form):
    """Who takes over, and where."""

    to_person = LineField(label="Accepting person", max_length=120, what="accepting person")
    to_place = LineField(label="Accepting place", max_length=120, what="accepting place", help_text="Hospital and unit")
    phone = LineField(label="Telephone", max_length=40, what="telephone number")


class AcknowledgeForm(forms.Form):
    """Who said that they have taken over, how and when."""

    who = LineField(label="Who acknowledged", max_length=100, what="name")
    how = LineField(label="How", max_length=98, what="way", help_text="Such as by telephone, by signed letter")
    acknowledged_at = LocalDateTimeField(label="When")

    def __init__(self, *args: Any, zone_name: str, now: datetime, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"acknowledged_at": now})
        super().__init__(*args, **kwargs)
        field = self.fields["acknowledged_at"]
        assert isinstance(field, LocalDateTimeField)
        field.zone_name = zone_name


class CancelForm(forms.Form):
    """Why the patient stays here."""

    cancel_reason = LineField(label="Why the patient stays", max_length=300, what="reason")
