"""What is typed while an infusion runs. Numbers are read strictly; a time without a date is the last such time of the clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from patients import when
from patients.fields import ClockField, DayField, InstantForm, LineField, WhichField
from patients.refusal import Refusal
from regimens.actions.charting import ReactionFacts, VialFacts, VitalsFacts
from regimens.domain.monograph import ReactionTerm
from regimens.domain.units import number
from regimens.models import Moment

NOT_LISTED = "other"
EMPTY_IS_NOW = "Empty: now"
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


class BedsideForm(InstantForm):
    """Instants of the ward. A time alone means the last time the clock showed it; nothing means now, where allowed."""

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        self.now = now
        super().__init__(*args, **kwargs)

    def _typed(self, field: str) -> Any:
        typed = super()._typed(field)
        if typed or not field.endswith("_on"):
            return typed
        clock = super()._typed(field.removesuffix("_on") + "_time")
        try:
            return self._day_of(clock if isinstance(clock, time) else when.parse_clock(clock or ""))
        except Refusal:
            return typed

    def day_field_of(self, clock: time) -> date:
        """Today, or yesterday where the clock has not come to that time yet today."""
        local = self.now.astimezone(ZoneInfo(self.zone_name))
        return local.date() if clock <= local.time() else local.date() - timedelta(days=1)

    def _instant(self, cleaned: dict[str, Any], name: str) -> datetime | None:
        clock = cleaned.get(f"{name}_time")
        if clock is not None and cleaned.get(f"{name}_on") is None:
            cleaned[f"{name}_on"] = self._day_of(clock)
        if clock is None and cleaned.get(f"{name}_on") is not None and f"{name}_time" not in self.errors:
            self.add_error(f"{name}_time", "Enter the time as well.")
        return super()._instant(cleaned, name)


class VersionedForm(BedsideForm):
    """A small form of the record page; it carries the version of the record that was on screen."""

    version = forms.IntegerField(widget=forms.HiddenInput)


def day_field(label: str = "Date", help_text: str = "Empty: within the last 24 h") -> DayField:
    """A day that may be left out where the time says enough."""
    return DayField(label=label, required=False, help_text=help_text)


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

    instants = ("taken",)
    moment = forms.ChoiceField(label="When", choices=Moment.choices)
    taken_on = day_field()
    taken_time = ClockField(label="Taken at", required=False, help_text=EMPTY_IS_NOW)
    taken_which = WhichField()


class ReactionFields(BedsideForm):
    """A reaction: the monograph's term or free words, how serious, since when, what was done."""

    instants = ("onset",)
    term = forms.ChoiceField(label="Reaction", required=False)
    other_term = line_field("In other words", max_length=80)
    is_serious = forms.ChoiceField(
        label="How serious", choices=[("no", "Mild"), ("yes", "Serious")], required=False, widget=forms.RadioSelect
    )
    onset_on = day_field()
    onset_time = ClockField(label="Since", required=False, help_text=EMPTY_IS_NOW)
    onset_which = WhichField()
    action_taken = line_field("What was done")
    outcome = line_field("Outcome")

    def __init__(self, *args: Any, terms: Sequence[ReactionTerm] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [
            (title, [(term.term, term.term) for term in terms if term.seriousness == word])
            for word, title in (("common", "Common"), ("serious", "Serious"))
        ]
        self.fields["term"].choices = [("", "—"), *groups, (NOT_LISTED, "Another reaction")]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A named reaction says how serious it is and what was done."""
        cleaned = super().clean()
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
        cleaned = super().clean()
        if not self.has_reaction():
            self.add_error("term", "Name the reaction.")
        return cleaned


class RateForm(VersionedForm):
    """The pump set to another rate."""

    instants = ("set",)
    rate_ml_per_h = QuantityField(label="Rate", unit="mL per h", places=2)
    set_on = day_field()
    set_time = ClockField(label="Set at", required=False, help_text=EMPTY_IS_NOW)
    set_which = WhichField()
    vitals_not_taken_reason = line_field("Vital signs not taken, because", max_length=200)
    reason = line_field("Reason", help_text="For a rate above the plan, at least 10 characters", max_length=200)


class PauseForm(VersionedForm):
    """The pump stopped for now."""

    instants = ("set",)
    reason = line_field("Why paused", required=True, max_length=200)
    set_on = day_field()
    set_time = ClockField(label="Paused at", required=False, help_text=EMPTY_IS_NOW)
    set_which = WhichField()


class CompleteForm(VersionedForm):
    """The end."""

    instants = ("end",)
    volume_ml = QuantityField(label="Volume given", unit="mL", places=2, help_text="As the pump reads it")
    end_on = day_field()
    end_time = ClockField(label="Ended at", required=False, help_text=EMPTY_IS_NOW)
    end_which = WhichField()
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
