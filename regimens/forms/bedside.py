"""What is typed while an infusion runs. Numbers are read strictly; a time without a date is the last such time of the clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms

from patients import when
from patients.fields import DayField, LineField, LocalDateTimeField, LocalDateTimeInput
from patients.refusal import Refusal
from regimens.actions.parts import ReactionFacts, VialFacts, VitalsFacts
from regimens.domain.monograph import ReactionTerm
from regimens.domain.units import number
from regimens.models import Moment

NOT_LISTED = "other"
EMPTY_IS_NOW = "Empty: now. Without a day: within the last 24 h"
_PLAIN = re.compile(r"[0-9]{1,4}(\.[0-9]{1,2})?", re.ASCII)


class QuantityField(forms.CharField):
    """A number in its unit: ASCII digits and a point. A comma is refused, because 140,5 must never become 1405 (hazard H04)."""

    def __init__(self, *, unit: str, places: int = 1, low: str = "0", high: str = "2000", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit, self.places, self.low, self.high = unit, places, Decimal(low), Decimal(high)
        mode = "decimal" if places else "numeric"
        self.widget.attrs.update({"inputmode": mode, "autocomplete": "off", "class": "narrow"})

    def to_python(self, value: Any) -> Decimal | None:
        """The number, or None for an empty box."""
        text = (super().to_python(value) or "").strip(" ")
        if not text:
            return None
        decimals = len(text.partition(".")[2])
        if not _PLAIN.fullmatch(text) or decimals > self.places:
            example = "such as 140 or 140.5" if self.places else "such as 82"
            raise forms.ValidationError(f"Write a number with digits, {example}.")
        found = Decimal(text)
        if not self.low <= found <= self.high:
            raise forms.ValidationError(f"From {number(self.low)} to {number(self.high)} {self.unit}.")
        return found

    def prepare_value(self, value: Any) -> Any:
        """A Decimal without trailing zeros."""
        return number(value).replace(",", "") if isinstance(value, Decimal) else value


class BedsideInput(LocalDateTimeInput):
    """A time without a day is the last time the ward's clock showed it, and the page then says which day that was."""

    now: datetime

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        on, clock, which = super().value_from_datadict(data, files, name)
        try:
            typed = when.parse_clock(clock or "")
        except Refusal:
            return [on, clock, which]
        return [on if (on or "").strip() else when.day_text(self._day_of(typed)), clock, which]

    def _day_of(self, clock: time) -> date:
        """Today, or yesterday where that time is still to come today."""
        today = when.local_day(self.now, self.zone_name)
        try:
            is_past = when.instant_of(today, clock, self.zone_name, 1) <= self.now
        except Refusal:  # the clocks jump over it today: the field says so
            is_past = True
        return today if is_past else today - timedelta(days=1)


class BedsideTimeField(LocalDateTimeField):
    """An instant on the ward's clock. Nothing typed is None, where that is allowed: the form says what it means."""

    widget = BedsideInput

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "Without a day: within the last 24 h")
        super().__init__(**kwargs)


class BedsideForm(forms.Form):
    """A form filled in at one instant on the clock of one ward."""

    def __init__(self, *args: Any, now: datetime, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        for field in self.fields.values():
            if isinstance(field, BedsideTimeField):
                field.zone_name = zone_name
                assert isinstance(field.widget, BedsideInput)
                field.widget.now = now


class VersionedForm(BedsideForm):
    """A small form of the record page; it carries the version of the record that was on screen."""

    version = forms.IntegerField(widget=forms.HiddenInput)


def line_field(label: str, **kwargs: Any) -> LineField:
    """One line of free text, optional unless said otherwise."""
    return LineField(label=label, max_length=kwargs.pop("max_length", 300), **({"required": False} | kwargs))


class VitalsFields(forms.Form):
    """One set of vital signs, all of it or the reason why not."""

    systolic_mmhg = QuantityField(label="BP systolic", unit="mmHg", places=0, low="40", high="300", required=False)
    diastolic_mmhg = QuantityField(label="BP diastolic", unit="mmHg", places=0, low="20", high="200", required=False)
    heart_rate_per_min = QuantityField(label="Heart rate", unit="per minute", places=0, low="20", high="300", required=False)
    temperature_c = QuantityField(label="Temperature", unit="°C", low="30", high="45", required=False)
    spo2_percent = QuantityField(label="SpO2", unit="%", places=0, low="30", high="100", required=False)
    not_taken_reason = line_field("Not taken, because", max_length=200)

    MEASURED = ("systolic_mmhg", "diastolic_mmhg", "heart_rate_per_min", "temperature_c", "spo2_percent")

    def has_vitals(self) -> bool:
        """Whether anything about vital signs was entered."""
        return any(self.cleaned_data.get(name) not in (None, "") for name in (*self.MEASURED, "not_taken_reason"))

    def vitals(self, taken_at: datetime, moment: str) -> VitalsFacts:
        """What was entered, as facts."""
        data = self.cleaned_data
        whole = {name: None if data.get(name) is None else int(data[name]) for name in self.MEASURED if name != "temperature_c"}
        return VitalsFacts(
            taken_at=taken_at,
            moment=moment,
            temperature_c=data.get("temperature_c"),
            not_taken_reason=data.get("not_taken_reason") or "",
            **whole,
        )


class VialRow(forms.Form):
    """One lot: how much of it was given and how much thrown away."""

    lot_number = line_field("Lot", max_length=20)
    expires_on = DayField(label="Expires", required=False, help_text="")
    given_ml = QuantityField(label="Given", unit="mL", places=2, required=False)
    wasted_ml = QuantityField(label="Wasted", unit="mL", places=2, required=False)

    def clean(self) -> dict[str, Any]:
        """A row is a lot with its expiry and a volume, or empty."""
        cleaned = super().clean() or self.cleaned_data
        if any(cleaned.get(name) for name in ("lot_number", "expires_on", "given_ml", "wasted_ml")) and not self.errors:
            for name, sentence in (("lot_number", "Enter the lot number."), ("expires_on", "Enter the expiry.")):
                if not cleaned.get(name):
                    self.add_error(name, sentence)
            if not cleaned.get("given_ml") and not cleaned.get("wasted_ml"):
                self.add_error("given_ml", "Enter how many mL.")
        return cleaned

    def vial(self) -> VialFacts | None:
        """The row as facts; None where it is empty."""
        data = self.cleaned_data
        if not data.get("lot_number"):
            return None
        return VialFacts(
            data["lot_number"], data["expires_on"], data.get("given_ml") or Decimal(0), data.get("wasted_ml") or Decimal(0)
        )


class VialForm(VersionedForm, VialRow):
    """Another lot, while the infusion runs or after it."""

    reason = line_field("Reason", help_text="For a lot that had expired, at least 10 characters")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lot_number"].required = self.fields["expires_on"].required = True


class VitalsForm(VitalsFields, VersionedForm):
    """Vital signs, now or at a time before."""

    moment = forms.ChoiceField(label="When", choices=Moment.choices)
    taken_at = BedsideTimeField(label="Taken at", required=False, help_text=EMPTY_IS_NOW)


class ReactionFields(BedsideForm):
    """A reaction: the monograph's term or free words, how serious, since when, what was done."""

    term = forms.ChoiceField(label="Reaction", required=False)
    other_term = line_field("In other words", max_length=80)
    is_serious = forms.ChoiceField(
        label="How serious", choices=[("no", "Mild"), ("yes", "Serious")], required=False, widget=forms.RadioSelect
    )
    onset_at = BedsideTimeField(label="Since", required=False, help_text=EMPTY_IS_NOW)
    action_taken = line_field("What was done")
    outcome = line_field("Outcome")

    def __init__(self, *args: Any, terms: Sequence[ReactionTerm] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [
            (title, [(term.term, term.term) for term in terms if term.seriousness == word])
            for word, title in (("common", "Common"), ("serious", "Serious"))
        ]
        self.fields["term"].choices = [("", "—"), *groups, (NOT_LISTED, "Another reaction")]

    def clean(self) -> dict[str, Any]:
        """A named reaction says how serious it is and what was done."""
        cleaned = super().clean() or self.cleaned_data
        if self.has_reaction() and not self.errors:
            for name, sentence in (("is_serious", "Mild or serious?"), ("action_taken", "Say what was done.")):
                if not cleaned.get(name):
                    self.add_error(name, sentence)
        return cleaned

    def has_reaction(self) -> bool:
        """Whether a reaction was named."""
        return bool(self.named())

    def named(self) -> str:
        """The reaction by its term or in words."""
        data = self.cleaned_data
        return data.get("other_term") or (data.get("term") if data.get("term") != NOT_LISTED else "") or ""

    def reaction(self) -> ReactionFacts | None:
        """The reaction as facts; None where none was named."""
        if not self.has_reaction():
            return None
        data = self.cleaned_data
        return ReactionFacts(
            data.get("onset_at") or self.now,
            self.named(),
            data["is_serious"] == "yes",
            data["action_taken"],
            data.get("outcome") or "",
        )


class ReactionForm(ReactionFields, VersionedForm):
    """A reaction now, or up to 30 days after the infusion."""

    def clean(self) -> dict[str, Any]:
        """Something must be named."""
        cleaned = super().clean() or self.cleaned_data
        if not self.has_reaction():
            self.add_error("term", "Name the reaction.")
        return cleaned


class RateForm(VersionedForm):
    """The pump set to another rate."""

    rate_ml_per_h = QuantityField(label="Rate", unit="mL per h", places=2)
    set_at = BedsideTimeField(label="Set at", required=False, help_text=EMPTY_IS_NOW)
    vitals_not_taken_reason = line_field("Vital signs not taken, because", max_length=200)
    reason = line_field("Reason", help_text="For a rate above the plan, at least 10 characters", max_length=200)


class PauseForm(VersionedForm):
    """The pump stopped for now."""

    reason = line_field("Why paused", required=True, max_length=200)
    set_at = BedsideTimeField(label="Paused at", required=False, help_text=EMPTY_IS_NOW)


class CompleteForm(VersionedForm):
    """The end."""

    volume_ml = QuantityField(label="Volume given", unit="mL", places=2, help_text="As the pump reads it")
    ended_at = BedsideTimeField(label="Ended at", required=False, help_text=EMPTY_IS_NOW)
    stopped_early_reason = line_field("Stopped early, because", help_text="Where less than the ordered volume was given")
    reason = line_field("Reason", help_text="Where anything departs from the plan, at least 10 characters")


class ErrorForm(forms.Form):
    """This record is wrong."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = line_field(
        "What is wrong with it", required=True, help_text="At least 10 characters. The record stays readable, struck out."
    )


class SettleForm(forms.Form):
    """Whether the dose was given after all."""

    outcome = forms.ChoiceField(
        label="Was this dose given?",
        choices=[("given", "Given: it will be recorded again, correctly"), ("not_given", "Not given: the dose opens again")],
        widget=forms.RadioSelect,
    )
    reason = line_field("How you know", required=True, help_text="At least 10 characters")
