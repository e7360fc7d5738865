"""The prescriber's order as it is typed: on its own page, and on the build page where no order waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from patients.fields import DayField, LineField, LocalDateTimeField
from patients.models import Antiviral, Membership, WeightMeasurement
from patients.roles import Role
from regimens.actions.orders import OrderFacts
from regimens.actions.planning import Weights
from regimens.domain.monograph import Monograph as MonographValue
from regimens.forms.common import NOT_CHOSEN, ChosenPerson, password_field, prescribers_of
from regimens.forms.course import AmountField
from regimens.models import Mode, WeightBasis
from regimens.templatetags import display


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What may be ordered for one transplant, by whom, read once for the form and the page."""

    by: Membership
    value: MonographValue
    codes: tuple[str, ...]
    weights: Weights
    asks_antiviral: bool
    rounding_percent: str  # "" where the centre does not round, or the patient is under 18

    @property
    def zone(self) -> str:
        """The clock of the centre."""
        return self.by.centre.time_zone

    @property
    def has_two_weights(self) -> bool:
        """Whether the dry weight is another measurement than the latest one."""
        latest, dry = self.weights.latest, self.weights.dry
        return latest is not None and dry is not None and latest.pk != dry.pk

    def weight_choices(self) -> list[tuple[str, str]]:
        """Both weights side by side, with when and how each was measured."""
        latest, dry = self.weights.latest, self.weights.dry
        found = [(WeightBasis.LATEST.value, f"Latest weight: {self._weight(latest)}")] if latest else []
        return found + ([(WeightBasis.DRY.value, f"Dry weight, before the transplant: {self._weight(dry)}")] if dry else [])

    def _weight(self, weight: WeightMeasurement) -> str:
        kg = display.format_unit(weight.weight_kg, "kg")
        return f"{kg}, {display.format_instant(weight.measured_at, self.zone)}, {weight.get_method_display().lower()}"


class Ordering(forms.Form):
    """The fields of an order; the page that shows them says which of them it needs."""

    def add_order(self, offered: Offered) -> None:
        """The order's own fields, in their order."""
        self.offered = offered
        fields = self.fields
        self.prescribers = prescribers_of(offered.by.centre)
        if any(offered.value.protocol(code).off_label for code in offered.codes):
            fields["off_label_reason"] = LineField(
                what="reason",
                label="Reason for off-label use",
                max_length=300,
                required=False,
                help_text="At least 10 characters",
            )
        fields["indication"] = LineField(what="indication", label="Indication", max_length=300)
        fields["ceiling_mg_per_kg_per_h"] = AmountField(
            label="Lower rate ceiling",
            unit="mg per kg per h",
            required=False,
            help_text="Only where one is ordered, such as for renal risk",
        )
        if offered.rounding_percent:
            fields["allows_vial_rounding"] = forms.BooleanField(
                label=f"Round to whole vials, within {offered.rounding_percent} either way", required=False
            )
        for name, label in (
            ("instructions", "Premedication and bedside orders"),
            ("reaction_orders", "Orders for a reaction"),
        ):
            fields[name] = LineField(what="order", label=label, max_length=500, required=False)
        fields["order_number"] = LineField(what="number", label="Order number", max_length=40, required=False)
        fields["expires_on"] = DayField(
            label="Last day of the order", required=False, help_text="Such as 22-Nov-2026. Empty: with the last window"
        )
        fields["prescriber"] = ChosenPerson(self.prescribers, label="Ordered by")
        fields["ordered_at"] = LocalDateTimeField(label="Ordered", zone_name=offered.zone)
        fields["mode"] = forms.ChoiceField(label="How ordered", choices=Mode.choices, initial=Mode.WRITTEN)
        fields["is_read_back"] = forms.BooleanField(label="Read back by name (telephone)", required=False)
        if len(self.prescribers) == 1:
            self.initial["prescriber"] = self.prescribers[0].pk

    def add_password(self, *, required: bool) -> None:
        """What makes a prescriber's own order signed."""
        self.fields["password"] = password_field(required=required)

    def add_antiviral(self, offered: Offered) -> None:
        """Asked where the label pairs the drug with an antiviral and nobody has recorded one."""
        if offered.asks_antiviral:
            known = [(code, label) for code, label in Antiviral.choices if code != Antiviral.NOT_RECORDED]
            self.fields["antiviral"] = forms.ChoiceField(
                label="Antiviral at the same time", choices=NOT_CHOSEN + known, required=False
            )
            self.fields["antiviral_started_on"] = DayField(label="Antiviral started on", required=False)

    def order_facts(self, *, basis: str, now: datetime, is_signed: bool = False) -> OrderFacts:
        """The order as it was typed. Without the fields that say so it is the person's own, written now."""
        data, by = self.cleaned_data, self.offered.by
        return OrderFacts(
            prescriber=data.get("prescriber") or by,
            ordered_at=data.get("ordered_at") or now,
            mode=data.get("mode") or Mode.WRITTEN,
            is_read_back=data.get("is_read_back", False),
            indication=data["indication"],
            order_number=data["order_number"],
            ceiling_mg_per_kg_per_h=data["ceiling_mg_per_kg_per_h"],
            instructions=data["instructions"],
            reaction_orders=data["reaction_orders"],
            off_label_reason=data.get("off_label_reason", ""),
            weight_basis=basis,
            allows_vial_rounding=data.get("allows_vial_rounding", False),
            expires_on=data["expires_on"],
            is_signed=is_signed,
        )


class OrderForm(Ordering):
    """An order before anything is built. A prescriber's is their own and is signed; anybody else names the prescriber."""

    def __init__(self, *args: Any, offered: Offered, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        value = offered.value
        self.fields["protocol_code"] = forms.ChoiceField(
            label="Protocol",
            choices=[(code, value.protocol(code).title) for code in offered.codes],
            widget=forms.RadioSelect(attrs={"class": "choices"}),
        )
        if offered.has_two_weights:
            self.fields["weight_basis"] = forms.ChoiceField(
                label="Doses count on", choices=offered.weight_choices(), widget=forms.RadioSelect(attrs={"class": "choices"})
            )
            if not offered.weights.differ(value):
                self.initial.setdefault("weight_basis", WeightBasis.LATEST.value)
        self.add_order(offered)
        self.add_antiviral(offered)
        if offered.by.role == Role.PRESCRIBER:
            for name in ("prescriber", "ordered_at", "mode", "is_read_back"):
                del self.fields[name]
            self.add_password(required=True)
        else:
            self.initial.setdefault("mode", Mode.TELEPHONE.value)

    def facts(self, now: datetime) -> OrderFacts:
        """The order; a prescriber's own counts as signed once the view has checked the password."""
        is_own = self.offered.by.role == Role.PRESCRIBER
        return self.order_facts(basis=self.cleaned_data.get("weight_basis") or WeightBasis.LATEST, now=now, is_signed=is_own)


class WithdrawOrderForm(forms.Form):
    """Why an order that waits is taken back."""

    reason = LineField(what="reason", label="Reason", max_length=300)
