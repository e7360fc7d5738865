"""Form fields that read strictly and echo what they understood. Each asks a pure rule and shows the rule's sentence."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy

from patients import names, policy, rules, when
from patients.refusal import Refusal


def invalid(refusal: Refusal) -> ValidationError:
    """A refusal as a form's error: the same sentence, the same code."""
    return ValidationError(refusal.sentence, code=refusal.code)


class EchoInput(forms.TextInput):
    """A text input with what the server understood beside it, once something was typed; without JavaScript a plain input."""

    template_name = "patients/widgets/echo_input.html"

    def __init__(self, kind: str, *, unit: str = "", attrs: dict[str, Any] | None = None) -> None:
        plain = {"autocomplete": "off", "spellcheck": "false", "class": "medium"}
        super().__init__(attrs=plain | (attrs or {}))
        self.kind, self.unit = kind, unit

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["unit"] = self.unit
        context["widget"]["echo"] = f"{context['widget']['attrs'].get('id', name)}_echo"
        context["widget"]["attrs"] |= {
            "hx-post": reverse_lazy("patient-echo"),
            "hx-trigger": "change",
            "hx-target": f"#{context['widget']['echo']}",
            "hx-swap": "innerHTML",
            "hx-params": f"kind,field,{name}",
            "hx-vals": f'{{"kind": "{self.kind}", "field": "{name}"}}',
        }
        return context


class LineField(forms.CharField):
    """One line of free text without hidden characters."""

    def __init__(self, *, what: str = "text", **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
        super().__init__(**kwargs)
        self.what = what

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        try:
            return names.clean_text(text, field="", what=self.what)
        except Refusal as refusal:
            raise invalid(refusal) from None


class NameField(LineField):
    """A name of any script."""

    def __init__(self, *, what: str, **kwargs: Any) -> None:
        super().__init__(what=what, max_length=100, **kwargs)

    def clean(self, value: Any) -> str:
        name = super().clean(value)
        try:
            return names.clean_name(name, field="", what=self.what, required=self.required)
        except Refusal as refusal:
            raise invalid(refusal) from None


class MrnField(forms.CharField):
    """A record number, with or without spaces."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "medium"})

    def clean(self, value: Any) -> str:
        try:
            return names.clean_mrn(super().clean(value))
        except Refusal as refusal:
            raise invalid(refusal) from None


class WeightField(forms.CharField):
    """A weight in kg as an exact Decimal: ASCII digits and a point only, never by locale (H04)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", EchoInput("weight", unit="kg", attrs={"inputmode": "decimal", "class": "narrow"}))
        super().__init__(strip=False, **kwargs)

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return rules.parse_weight_kg(text, limits=policy.weight_limits())
        except Refusal as refusal:
            raise invalid(refusal) from None

    def prepare_value(self, value: Any) -> Any:
        return rules.number_text(value) if isinstance(value, Decimal) else value


class DayField(forms.CharField):
    """A calendar day, typed as 22-Nov-2026 or 2026-11-22 and as nothing else."""

    def __init__(self, *, echo: str = "day", **kwargs: Any) -> None:
        kwargs.setdefault("widget", EchoInput(echo))
        kwargs.setdefault("help_text", "Such as 22-Nov-2026")
        super().__init__(**kwargs)

    def clean(self, value: Any) -> date | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return when.parse_day(text)
        except Refusal as refusal:
            raise invalid(refusal) from None

    def prepare_value(self, value: Any) -> Any:
        return when.day_text(value) if isinstance(value, date) else value


WHICH = (
    ("", "First or second?"),
    ("1", "The first, before the clocks go back"),
    ("2", "The second, after the clocks went back"),
)


class LocalDateTimeInput(forms.MultiWidget):
    """Day, time, and, while that time comes twice, which of the two (H16). Sent as NAME_on, NAME_time, NAME_which."""

    template_name = "patients/widgets/local_date_time.html"
    zone_name = "UTC"

    def __init__(self) -> None:
        clock = {"autocomplete": "off", "class": "narrow", "inputmode": "numeric"}
        super().__init__({"on": EchoInput("day"), "time": forms.TextInput(attrs=clock), "which": forms.Select(choices=WHICH)})

    def decompress(self, value: Any) -> list[str]:
        if isinstance(value, datetime):
            local = value.astimezone(when.zone_named(self.zone_name))
            return [when.day_text(local.date()), f"{local:%H:%M}", str(local.fold + 1)]
        if isinstance(value, date):
            return [when.day_text(value), "", ""]
        return ["", "", ""]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        parts = value if isinstance(value, list) else self.decompress(value)
        context = super().get_context(name, parts, attrs)
        subwidgets = context["widget"]["subwidgets"]
        shown = subwidgets if self._comes_twice(parts) else subwidgets[:2]
        context["widget"]["parts"] = list(zip(("Day", "Time", "Which one"), shown, strict=False))
        return context

    def _comes_twice(self, parts: list[str]) -> bool:
        try:
            return when.comes_twice(when.parse_day(parts[0] or ""), when.parse_clock(parts[1] or ""), self.zone_name)
        except Refusal:
            return False


class LocalDateTimeField(forms.Field):
    """A day and a 24-hour time on the clock of a zone; the value is the instant, UTC.

    With ``time_required=False`` the time may be left empty, and the value is then the day alone (a ``date``).
    """

    widget = LocalDateTimeInput

    def __init__(self, *, zone_name: str = "UTC", time_required: bool = True, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "Such as 22-Nov-2026, 14:05 (24-hour clock)")
        super().__init__(**kwargs)
        self.time_required = time_required
        self.zone_name = zone_name

    @property
    def zone_name(self) -> str:
        """The zone in which the typed time is read. A form may set it."""
        return self._zone_name

    @zone_name.setter
    def zone_name(self, zone_name: str) -> None:
        self._zone_name = zone_name
        assert isinstance(self.widget, LocalDateTimeInput)
        self.widget.zone_name = zone_name

    def clean(self, value: Any) -> datetime | date | None:
        on_text, time_text, which = (part or "" for part in (value or ["", "", ""]))
        if not on_text.strip() and not time_text.strip() and not self.required:
            return None
        try:
            on = when.parse_day(on_text)
            if not time_text.strip() and not self.time_required:
                return on
            return when.instant_of(on, when.parse_clock(time_text), self.zone_name, int(which) if which in ("1", "2") else None)
        except Refusal as refusal:
            raise invalid(refusal) from None
