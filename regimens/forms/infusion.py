"""Starting an infusion, and recording one that was given: the two forms of the infusion page, and their rows."""

from __future__ import annotations

from typing import Any

from django import forms

from patients.fields import DayField
from patients.models import Membership
from regimens.actions.charting import GIVERS
from regimens.actions.parts import VitalsFacts
from regimens.forms.bedside import (
    BedsideForm,
    BedsideTimeField,
    QuantityField,
    ReactionFields,
    VialRow,
    VitalsFields,
    line_field,
)
from regimens.models import Moment


class IdentityFields(forms.Form):
    """Typed again at the bedside, never filled in for anybody (hazard H01)."""

    token = forms.UUIDField(widget=forms.HiddenInput)
    mrn_tail = forms.CharField(label="Record number, last 4", max_length=8)
    birth_year = forms.CharField(label="Birth year", max_length=4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("mrn_tail", "birth_year"):
            self.fields[name].widget.attrs.update({"class": "narrow", "autocomplete": "off"})
        self.fields["birth_year"].widget.attrs["inputmode"] = "numeric"


class GiverField(forms.ModelChoiceField):
    """Who gave it: a nurse, pharmacist or prescriber of the centre."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Membership.objects.none(), label="Given by", **kwargs)

    def offer(self, by: Membership) -> None:
        """The people of one centre; oneself first where one gives infusions."""
        people = Membership.objects.filter(centre=by.centre_id, role__in=GIVERS, ended_at=None)
        self.queryset = people.select_related("user").order_by("user__last_name", "user__first_name", "pk")

    def label_from_instance(self, member: Membership) -> str:
        """ "Ana Ruiz, Nurse"."""
        return f"{member.user.printed_name}, {member.get_role_display()}"


class StartForm(IdentityFields, VitalsFields, BedsideForm):
    """Start now."""

    sheet_code = forms.CharField(label="Code on the dose sheet", max_length=12, help_text="Such as 7F3A-91C2")
    vial_entered_at = BedsideTimeField(label="First vial entered at")
    lot_number = line_field("Lot of the first vial", max_length=20)
    expires_on = DayField(
        label="Expires", required=False, help_text="Such as 30-Sep-2027; the last day of the month where no day is printed"
    )
    given_by = GiverField()
    rate_ml_per_h = QuantityField(label="First rate, if slower", unit="mL per h", places=2, high="75", required=False)
    in_stages = forms.BooleanField(label="Vials are entered in stages, each within its own limits", required=False)

    def __init__(self, *args: Any, by: Membership, may_stage: bool = False, needs_lot: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["given_by"].offer(by)
        self.fields["lot_number"].required = self.fields["expires_on"].required = needs_lot
        self.fields["sheet_code"].widget.attrs.update(
            {"class": "medium mono", "autocomplete": "off", "autocapitalize": "characters"}
        )
        if not may_stage:
            del self.fields["in_stages"]

    def clean(self) -> dict[str, Any]:
        """A lot comes with its expiry, and the other way round."""
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("lot_number")) != bool(cleaned.get("expires_on")) and "expires_on" not in self.errors:
            self.add_error(
                "expires_on" if cleaned.get("lot_number") else "lot_number", "Enter the lot and its expiry together."
            )
        return cleaned


class GivenForm(IdentityFields, BedsideForm):
    """Already given, or already running: start, end, volume. Its vials, vital signs and reactions are rows of their own."""

    started_at = BedsideTimeField(label="Started at")
    ended_at = BedsideTimeField(label="Ended at", required=False, help_text="Empty: it still runs")
    volume_ml = QuantityField(label="Volume given", unit="mL", places=2, required=False, help_text="As the pump reads it")
    vial_entered_at = BedsideTimeField(label="First vial entered at", required=False)
    given_by = GiverField()
    sheet_code = forms.CharField(label="Code on the dose sheet", max_length=12, required=False)
    stopped_early_reason = line_field("Stopped early, because", help_text="Where less than the ordered volume was given")
    reason = line_field("Reason", help_text="Where anything departs from the plan, at least 10 characters")

    def __init__(self, *args: Any, by: Membership, is_planned: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["given_by"].offer(by)
        self.fields["sheet_code"].widget.attrs.update({"class": "medium mono", "autocomplete": "off"})
        if not is_planned:
            del self.fields["sheet_code"], self.fields["stopped_early_reason"]
            self.fields["reason"].required = True
            self.fields["reason"].help_text = "Why it was given outside a plan, at least 10 characters"


class VitalsRow(VitalsFields, BedsideForm):
    """One set of vital signs in the form for an infusion given before."""

    moment = forms.ChoiceField(label="When", choices=[("", "—"), *Moment.choices], required=False)
    taken_at = BedsideTimeField(label="Taken at", required=False, help_text="")

    def clean(self) -> dict[str, Any]:
        """A row that says anything says when."""
        cleaned = super().clean() or self.cleaned_data
        if self.has_vitals() and not self.errors:
            if not cleaned.get("taken_at"):
                self.add_error("taken_at", "Enter the time.")
            if not cleaned.get("moment"):
                self.add_error("moment", "Choose the moment.")
        return cleaned

    def row(self) -> VitalsFacts | None:
        """The row as facts; None where it is empty."""
        return self.vitals(self.cleaned_data["taken_at"], self.cleaned_data["moment"]) if self.has_vitals() else None


VialRows = forms.formset_factory(VialRow, extra=3, max_num=20)
VitalsRows = forms.formset_factory(VitalsRow, extra=3, max_num=20)
ReactionRows = forms.formset_factory(ReactionFields, extra=1, max_num=10)
