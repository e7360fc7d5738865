"""The rows of a draft in the admin panel: who may edit them, what each box may hold, and the rule a typed value breaks.

A page is checked as a whole by the same rules as a file (``regimens.domain.library_checks``); each finding stands at its box.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from patients.constraints import SENTENCES
from regimens.domain import library_checks as checks
from regimens.domain.reasons import Refused
from regimens.domain.units import number
from regimens.models import (
    Limit,
    Monograph,
    ProtocolDose,
    Question,
    RateStep,
    ReactionTerm,
    ReasonCode,
    Section,
    Statement,
    VialSize,
)
from regimens.models.library import product_value, protocol_value, table_value

# Typed in mL where the label's doses are in mL; the mg follow from the concentration.
DERIVED = {"ml_per_kg": "mg_per_kg", "cap_ml_per_kg": "cap_mg_per_kg", "ml_per_kg_per_h": "mg_per_kg_per_h"}
HINTS = {
    "mg_per_kg": "1 to 500, and not above the protocol's cap",
    "ml_per_kg": "At this product's concentration 1 to 500 mg per kg, and not above the protocol's cap",
    "cap_mg_per_kg": "1 to 500; above the label's highest dose the protocol is off-label",
    "cap_ml_per_kg": "At this product's concentration 1 to 500 mg per kg",
    "offset_days": "0 is the anchor's day: day 1 of a treatment has 0 as well. At most 366, each later than the row before",
    "opens_days_before": "0 to 14 days, and after the window before it has closed",
    "closes_days_after": "0 to 14 days, and before the next window opens",
    "closes_after_hours": "Instead of days: 1 to 72 elapsed hours from the transplant itself",
    "min_interval_hours": "0 to 672, start to start, and not longer than the days to the row before",
    "latest_late_day": "Counted like the days after the anchor; not before the window closes, and before the next target day",
    "alternative_of": "The code of the row it may stand in for; then it is optional",
    "mg_per_kg_per_h": "0.1 to the limit of the version, and never below the step before",
    "ml_per_kg_per_h": "Never below the step before; the mg follow from the concentration",
    "minutes": "1 to 720; empty on the last step, which runs to the end",
    "organs": "Separated by commas: " + ", ".join(checks.ORGANS),
    "population": "any, or paediatric",
    "code": "Letters, digits, - and _; the rules and the orders refer to it",
    "concentration_mg_per_ml": "1 to 200",
    "doses_in": "mL: the amounts are typed in mL per kg, and the mg follow from the concentration",
    "activity_per_ml": "Shown beside the concentration, and never converted into mg",
    "content_mg": "The volume times the concentration",
    "frequency": "As its source lists it: under 6 % of infusions; post-marketing and case reports",
    "text": 'Plain text. An empty line begins a paragraph, "- " a line of a list; everything else is shown as it is written',
    "source_ref": "The section of the document, in words",
}
VIOLATED = re.compile(r"Constraint “(\w+)” is violated")
ROW = re.compile(r"\.(?:dose|step|vial)\[(\d+)\]\.(\w+)$")


def monograph_of(row: Any) -> Monograph:
    """The version a row belongs to."""
    while not isinstance(row, Monograph):
        row = next(getattr(row, name) for name in ("monograph", "protocol", "table", "product") if hasattr(row, name))
    return row


class DraftOnly:
    """Rows are added, changed and removed in a draft; in every other version they are only read."""

    def _editable(self, request: HttpRequest, obj: Any) -> bool:
        return obj is not None and monograph_of(obj).state == Monograph.State.DRAFT

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._editable(request, obj) and request.user.has_perm("regimens.change_monograph")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or self._editable(request, obj)) and request.user.has_perm("regimens.change_monograph")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._editable(request, obj) and request.user.has_perm("regimens.change_monograph")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("regimens.view_monograph")


class DraftForm(forms.ModelForm):
    """A row with what each box may hold beside it. Text comes with a browser's line ends; a monograph has its own, so that an
    export reads back the same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, hint in HINTS.items():
            if name in self.fields:
                self.fields[name].help_text = hint

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        return {name: value.replace("\r\n", "\n") if isinstance(value, str) else value for name, value in cleaned.items()}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        for ml, mg in DERIVED.items():
            if self.cleaned_data.get(ml) is not None:
                setattr(self.instance, mg, self.cleaned_data[ml] * monograph_of(self.instance).product.concentration_mg_per_ml)

    def _update_errors(self, errors: ValidationError) -> None:
        """What the database would refuse, in the product's own sentences."""
        for error in errors.error_dict.pop(NON_FIELD_ERRORS, []):
            named = VIOLATED.search(str(error.message))
            sentence, field = SENTENCES[named[1]] if named else (error, "")
            place = field if field in self.fields else NON_FIELD_ERRORS
            errors.error_dict.setdefault(place, []).append(ValidationError(sentence))
        super()._update_errors(errors)  # type: ignore[misc]


class CheckedRows(BaseInlineFormSet):
    """Rows that are checked together, and with the row they belong to, by the rules a file is checked by."""

    def found(self, rows: list[Any], limits: dict[str, Decimal]) -> Iterable[Refused]:
        """What the rules find wrong with these rows, in their order."""
        return ()

    def clean(self) -> None:
        """Each finding at its box; what is wrong with the whole stands above the rows."""
        super().clean()
        if any(form.errors for form in self.forms):
            return
        kept = [form for form in self.forms if form.has_changed() or form.instance.pk]
        kept = [form for form in kept if not (self.can_delete and self._should_delete_form(form))]  # type: ignore[attr-defined]
        kept.sort(key=lambda form: form.instance.position)
        limits = {row.code: row.value for row in monograph_of(self.instance).limits.all()}
        above = []
        for problem in self.found([form.instance for form in kept], limits):
            text = f"{problem.sentence} ({problem.source})"
            place = ROW.search(problem.field)
            form = kept[int(place[1])] if place else None
            if form is not None and place is not None:
                form.add_error(place[2] if place[2] in form.fields else None, text)
            else:
                above.append(text)
        if above:
            raise ValidationError(above)


class DoseFormSet(CheckedRows):
    def found(self, rows: list[Any], limits: dict[str, Decimal]) -> Iterable[Refused]:
        return checks.protocol_problems(protocol_value(self.instance, rows), limits)


class StepFormSet(CheckedRows):
    def found(self, rows: list[Any], limits: dict[str, Decimal]) -> Iterable[Refused]:
        return checks.rate_table_problems(table_value(self.instance, rows), limits)


class VialFormSet(CheckedRows):
    def found(self, rows: list[Any], limits: dict[str, Decimal]) -> Iterable[Refused]:
        return checks.product_problems(product_value(self.instance, rows))


class LimitForm(DraftForm):
    """A limit inside the range that an editor may set it in."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        bound = checks.LIMITS.get(cleaned.get("code", ""))
        value = cleaned.get("value")
        if bound is not None and value is not None and not bound.low <= value <= bound.high:
            self.add_error("value", f"{number(value)} {bound.unit} is outside {range_of(bound)}. ({checks.GUARD})")
        return cleaned


def range_of(bound: checks.Bound) -> str:
    """ "1 to 75 mL per h"."""
    return f"{number(bound.low)} to {number(bound.high)} {bound.unit}"


class Rows(DraftOnly, admin.TabularInline):
    """Rows of a version, in the order of the page."""

    form = DraftForm
    extra = 0
    formfield_overrides = {models.TextField: {"widget": forms.Textarea(attrs={"rows": 3, "cols": 60})}}


class Passages(DraftOnly, admin.StackedInline):
    """Longer texts of a version."""

    form = DraftForm
    extra = 0


class VialRows(Rows):
    model = VialSize
    formset = VialFormSet


class DoseRows(Passages):
    model = ProtocolDose
    formset = DoseFormSet

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """As a dose table is read, in the unit of the product's label."""
        amount = in_unit_of(obj, "mg_per_kg", "ml_per_kg")
        return (
            (None, {"fields": (("position", "code", "title"), (amount, "offset_days"), ("source_kind", "source_ref"))}),
            (
                "Window",
                {
                    "fields": (
                        ("opens_days_before", "closes_days_after", "closes_after_hours"),
                        ("min_interval_hours", "latest_late_day"),
                        ("window_source_kind", "window_source_ref"),
                    )
                },
            ),
            ("Only for doses that are not part of every course", {"fields": (("optional", "alternative_of", "repeats"),)}),
        )


class StepRows(Rows):
    model = RateStep
    formset = StepFormSet

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("position", in_unit_of(obj, "mg_per_kg_per_h", "ml_per_kg_per_h"), "minutes")


def in_unit_of(row: Any, in_mg: str, in_ml: str) -> str:
    """The name of the field in the unit in which the product's doses are given."""
    return in_ml if row is not None and monograph_of(row).product.doses_in == "mL" else in_mg


class LimitRows(Rows):
    model = Limit
    form = LimitForm
    fields = ("position", "code", "title", "value", "may_be", "unit", "source_kind", "source_ref")
    readonly_fields = ("may_be",)

    @admin.display(description="from … to")
    def may_be(self, obj: Limit) -> str:
        """The range inside which this limit may be set."""
        bound = checks.LIMITS.get(obj.code)
        return range_of(bound) if bound else "No rule uses this limit"


class SectionRows(Passages):
    model = Section


class QuestionRows(Passages):
    model = Question


class ReactionRows(Rows):
    model = ReactionTerm


class StatementRows(Passages):
    model = Statement


class ReasonRows(Rows):
    model = ReasonCode
