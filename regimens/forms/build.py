"""The inputs of a course beside its live preview. What is typed is read here once, for the preview and for saving alike."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from patients import when
from patients.fields import DayField, LineField, LocalDateTimeField, WeightField, invalid
from patients.models import WeightMethod
from patients.refusal import Refusal
from patients.roles import Role, may
from regimens.actions.courses import Beside
from regimens.actions.orders import OrderFacts
from regimens.actions.outside import PRIOR_DAYS, OutsideFacts, counts
from regimens.actions.planning import Choices, as_ordered
from regimens.domain.monograph import Anchor
from regimens.forms.order import Offered, Ordering
from regimens.forms.outside import OutsideRowForm, given_text
from regimens.models import Course, Order, OutsideDose, PriorIg, WeightBasis
from regimens.templatetags import display

OUTSIDE_ROWS = 4
MOST_DATES = 20
OTHER_COURSE = [("stop", "Stop it: transplanted again"), ("keep", "Keep both")]
IN_A_ROW = {"class": "choices-row"}


class DaysField(forms.CharField):
    """Several calendar days, each typed as 22-Nov-2026, parted by commas or spaces."""

    def clean(self, value: Any) -> tuple[date, ...]:
        words = [word for word in re.split(r"[,\s]+", super().clean(value) or "") if word]
        if len(words) > MOST_DATES:
            raise ValidationError(f"At most {MOST_DATES} dates at once.", code="too_many_dates")
        try:
            return tuple(when.parse_day(word) for word in words)
        except Refusal as refusal:
            raise invalid(refusal) from None


class BuildForm(Ordering):
    """Protocol, weight, what was given before, late start, tail doses; and the order where none waits."""

    weight_kg = WeightField(label="Dosing weight")
    weight_method = forms.ChoiceField(label="How measured", choices=WeightMethod.choices)
    weight_reason = LineField(what="reason", label="Reason, where it was not measured", max_length=300, required=False)
    prior_ig = forms.ChoiceField(
        label=f"Immune globulin in the last {PRIOR_DAYS} days, here or elsewhere",
        choices=PriorIg.choices,
        widget=forms.RadioSelect(attrs=IN_A_ROW),
        error_messages={"required": "Say yes, no, or unable to find out."},
    )
    prior_ig_asked = LineField(
        what="name", label="Who was asked", max_length=200, required=False, help_text="Where it could not be found out"
    )
    referred_from = LineField(what="place", label="Referred from", max_length=200, required=False)

    def __init__(
        self,
        *args: Any,
        offered: Offered,
        waiting: Order | None,
        transplant: Any,
        given_elsewhere: Sequence[OutsideDose],
        others: Sequence[Course],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offered, self.waiting, self.transplant = offered, waiting, transplant
        self.given_elsewhere = given_elsewhere
        value, zone = offered.value, offered.zone
        protocols = [value.protocol(code) for code in offered.codes]
        self.first_code = protocols[0].doses[0].code
        if waiting is None:
            self.fields["protocol_code"] = forms.ChoiceField(
                label="Protocol",
                choices=[(row.code, row.title) for row in protocols],
                widget=forms.RadioSelect(attrs={"class": "choices"}),
            )
        if offered.weights.dry is not None:
            self.fields["weight_basis"] = forms.ChoiceField(
                label="Doses count on",
                choices=[(WeightBasis.LATEST.value, "The weight entered above"), offered.weight_choices()[-1]],
                required=False,
                widget=forms.RadioSelect(attrs={"class": "choices"}),
            )
        self.fields["weight_measured_at"] = LocalDateTimeField(label="Measured", zone_name=zone)
        self.fields["referred_at"] = LocalDateTimeField(label="Referred", zone_name=zone, required=False)
        if any(row.anchor == Anchor.FIRST_DOSE for row in protocols):
            self.fields["first_dose_on"] = DayField(label="Day 1, date of the first dose", required=False)
        tail = {row.code: row for protocol in protocols for row in protocol.doses if row.optional}
        if tail:
            self.fields["chosen_optional"] = forms.MultipleChoiceField(
                label="Further doses",
                choices=[(c, f"{row.title}, {display.format_unit(row.mg_per_kg, 'mg per kg')}") for c, row in tail.items()],
                widget=forms.CheckboxSelectMultiple(attrs={"class": "choices"}),
                required=False,
            )
        if any(row.repeats for row in tail.values()):
            self.fields["repeat_dates"] = DaysField(
                label="Dates of the repeated dose", required=False, help_text="Such as 24-Nov-2026, 27-Nov-2026"
            )
            self.fields["review_on"] = DayField(label="Review or stop on", required=False)
        if others:
            self.fields["other_course"] = forms.ChoiceField(
                label="The other open course of this patient",
                choices=OTHER_COURSE if may(offered.by, "stop_course") else OTHER_COURSE[1:],
                widget=forms.RadioSelect(attrs=IN_A_ROW),
                error_messages={"required": "Say whether it is stopped or goes on."},
            )
            self.fields["other_course_reason"] = LineField(
                what="reason", label="Why both go on", max_length=120, required=False, help_text="At least 10 characters"
            )
        visits = {row.code: row.title for protocol in protocols for row in protocol.doses if not row.repeats}
        choices = list(visits.items())
        for row in self.to_place:
            self.fields[f"visit_{row.pk}"] = forms.ChoiceField(
                label=f"The dose of {given_text(row, zone)} stood for",
                choices=[("", "No visit of this course"), *choices],
                required=False,
            )
        self.add_antiviral(offered)
        if waiting is None:
            self.add_order(offered)
            if offered.by.role == Role.PRESCRIBER:
                self.add_password(required=False)
        data = self.data if self.is_bound else None
        self.rows = [
            OutsideRowForm(data, prefix=f"outside-{number}", zone_name=zone, visits=choices) for number in range(OUTSIDE_ROWS)
        ]

    @property
    def to_place(self) -> list[OutsideDose]:
        """Doses on record that may have stood for a visit: CMV immune globulin without a visit."""
        return [row for row in self.given_elsewhere if row.product == OutsideDose.Product.CMV_IG and not row.dose_id]

    @property
    def visit_fields(self) -> list[forms.BoundField]:
        """Their questions, for the page."""
        return [self[f"visit_{row.pk}"] for row in self.to_place]

    @property
    def is_late_start_open(self) -> bool:
        """Whether anything of a late start is filled in, so that the page shows it unfolded."""
        names = ("referred_from", "referred_at_on", "referred_at_time")
        return (
            bool(self.to_place) or any(self.data.get(name) for name in names) or any(row.has_changed() for row in self.filled)
        )

    @property
    def filled(self) -> list[OutsideRowForm]:
        """The rows in which something was typed."""
        return [row for row in self.rows if row.is_bound and row.has_changed()]

    def clean(self) -> MutableMapping[str, Any]:
        super().clean()
        if self.asks_basis:
            apart = display.format_limit(self.offered.value.limit("weight_change_percent"))
            self.add_error(
                "weight_basis" if "weight_basis" in self.fields else None,
                ValidationError(f"The two weights are {apart} or more apart: choose one.", code="basis_unanswered"),
            )
        complete = [row.is_valid() for row in self.filled]  # each row is read, so that each says what it lacks
        if not all(complete):
            self.add_error(None, ValidationError("A dose given elsewhere is not complete.", code="outside_incomplete"))
        return self.cleaned_data

    @property
    def said(self) -> MutableMapping[str, Any]:
        """What is chosen so far: as typed, or as the page proposes before anything is."""
        return self.cleaned_data if self.is_bound else self.initial

    # What was chosen ------------------------------------------------------------------------------------------------------

    @property
    def is_record_weight(self) -> bool:
        """Whether the typed weight is the latest on record: same kg, same instant, same scale."""
        data, latest = self.cleaned_data, self.offered.weights.latest
        return (
            latest is not None
            and data.get("weight_kg") == latest.weight_kg
            and data.get("weight_measured_at") == latest.measured_at.replace(second=0, microsecond=0)
            and data.get("weight_method") == latest.method
        )

    @property
    def asks_basis(self) -> bool:
        """Whether two weights 10 percent or more apart wait for somebody to choose one (W1.9)."""
        dry, typed = self.offered.weights.dry, self.cleaned_data.get("weight_kg")
        if dry is None or typed is None or self.cleaned_data.get("weight_basis"):
            return False
        if self.is_record_weight and self.offered.weights.latest == dry:
            return False
        return self.offered.weights.differ(self.offered.value, typed)

    @property
    def basis(self) -> str:
        """The weight the doses count on, as chosen; the latest where nobody had to choose."""
        return self.said.get("weight_basis") or WeightBasis.LATEST.value

    @property
    def dosing_kg(self) -> Decimal | None:
        """The weight to compute with, in kg; None until it is typed and, where two are far apart, chosen."""
        dry, typed = self.offered.weights.dry, self.cleaned_data.get("weight_kg")
        if typed is None or self.asks_basis:
            return None
        return dry.weight_kg if dry is not None and self.basis == WeightBasis.DRY else typed

    @property
    def protocol_code(self) -> str:
        """As chosen, or as ordered."""
        return self.waiting.protocol_code if self.waiting else self.said.get("protocol_code", "")

    @property
    def told(self) -> tuple[OutsideFacts, ...]:
        """Doses given elsewhere that were entered on this page, the complete ones."""
        return tuple(row.facts() for row in self.filled if row.is_valid())

    @property
    def visits(self) -> dict[int, str]:
        """Dose on record → visit it stood for."""
        found = {row.pk: self.said.get(f"visit_{row.pk}", "") for row in self.to_place}
        return {pk: code for pk, code in found.items() if code}

    def choices(self) -> Choices:
        """All that decides the numbers, from whatever is valid so far."""
        data = self.said
        given = {told.visit for told in self.told if told.visit} | set(self.visits.values())
        if any(counts(row, self.transplant) and row.pk not in self.visits for row in self.to_place):
            given.add(self.first_code)
        chosen = Choices(
            protocol_code=self.protocol_code,
            first_dose_on=data.get("first_dose_on"),
            ceiling_mg_per_kg_per_h=data.get("ceiling_mg_per_kg_per_h"),
            allows_vial_rounding=data.get("allows_vial_rounding", False),
            chosen_optional=tuple(data.get("chosen_optional", ())),
            repeat_dates=data.get("repeat_dates", ()),
            review_on=data.get("review_on"),
            referred_at=data.get("referred_at"),
            given_elsewhere=frozenset(given),
        )
        return as_ordered(chosen, self.waiting) if self.waiting else chosen

    def beside(self) -> Beside:
        """What was answered beside the plan."""
        data = self.cleaned_data
        return Beside(
            prior_ig=data["prior_ig"],
            prior_ig_asked=data["prior_ig_asked"],
            referred_from=data["referred_from"],
            outside_doses=self.told,
            visits=self.visits,
            other_course=data.get("other_course", ""),
            other_course_reason=data.get("other_course_reason", ""),
        )

    def typed_order(self, now: datetime, *, is_signed: bool) -> OrderFacts | None:
        """The order that is entered with the course; None where one waits."""
        return None if self.waiting else self.order_facts(basis=self.basis, now=now, is_signed=is_signed)
