"""What a pharmacist types to build, verify, recalculate or stop a course."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms

from patients.fields import DayField, LocalDateTimeField, WeightField
from patients.models import Centre, Membership, WeightMeasurement, WeightMethod
from patients.roles import Role
from regimens.domain.monograph import Anchor
from regimens.domain.monograph import Monograph as MonographValue
from regimens.models import Mode

# A comma only where it parts thousands: 140,5 is not 1,405 (hazard H04).
AMOUNT = re.compile(r"(?:[0-9]{1,6}|[0-9]{1,3},[0-9]{3})(?:\.[0-9]{1,2})?", re.ASCII)


class AmountField(forms.CharField):
    """A plain ASCII amount in the unit named, thousands comma allowed as the product itself writes it: 10,500."""

    def __init__(self, *, unit: str, **kwargs: Any) -> None:
        self.unit = unit
        super().__init__(**kwargs)
        self.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off", "class": "narrow"})

    def to_python(self, value: Any) -> Decimal | None:
        text = (super().to_python(value) or "").strip()
        if not text:
            return None
        if not AMOUNT.fullmatch(text):
            raise forms.ValidationError(f"Write the amount in {self.unit} with digits, such as 10,500 or 937.5.")
        return Decimal(text.replace(",", ""))


class BuildForm(forms.Form):
    """The inputs of a course beside its live preview, and the prescriber's order."""

    protocol_code = forms.ChoiceField(label="Protocol", widget=forms.RadioSelect)
    weight_kg = WeightField(label="Dosing weight")
    weight_method = forms.ChoiceField(label="How measured", choices=WeightMethod.choices)
    weight_reason = forms.CharField(label="Reason, where it was not measured", max_length=300, required=False)
    prescriber = forms.ModelChoiceField(label="Ordered by", queryset=Membership.objects.none())
    mode = forms.ChoiceField(label="How ordered", choices=Mode.choices, initial=Mode.WRITTEN)
    is_read_back = forms.BooleanField(label="Read back by name (telephone)", required=False)
    order_number = forms.CharField(label="Order number", max_length=40, required=False)
    indication = forms.CharField(label="Indication", max_length=300)
    ceiling_mg_per_kg_per_h = AmountField(
        label="Lower rate ceiling",
        unit="mg per kg per h",
        required=False,
        help_text="Only where the prescriber ordered one, such as for renal risk",
    )
    instructions = forms.CharField(label="Premedication and bedside orders", max_length=500, required=False)

    def __init__(
        self,
        *args: Any,
        value: MonographValue,
        codes: list[str],
        centre: Centre,
        latest: WeightMeasurement | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.value = value
        self.latest = latest
        self.fields["protocol_code"].choices = [(code, value.protocol(code).title) for code in codes]
        self.fields["weight_measured_at"] = LocalDateTimeField(label="Measured", zone_name=centre.time_zone)
        self.fields["ordered_at"] = LocalDateTimeField(label="Ordered", zone_name=centre.time_zone)
        self.fields["prescriber"].queryset = Membership.objects.filter(
            centre=centre, role=Role.PRESCRIBER, ended_at=None
        ).select_related("user")
        # Read once: for the choices, and for the page to choose the only one.
        self.prescribers = list(self.fields["prescriber"].queryset)
        names = [(member.pk, member.user.printed_name) for member in self.prescribers]
        self.fields["prescriber"].choices = [("", "Choose…"), *names]
        if any(value.protocol(code).anchor == Anchor.FIRST_DOSE for code in codes):
            self.fields["first_dose_on"] = DayField(label="Day 1, date of the first dose", required=False)
        if any(value.protocol(code).off_label for code in codes):
            self.fields["off_label_reason"] = forms.CharField(
                label="Reason for off-label use", max_length=300, required=False, help_text="At least 10 characters"
            )
        self.order_fields(
            [
                "protocol_code",
                "off_label_reason",
                "first_dose_on",
                "weight_kg",
                "weight_measured_at",
                "weight_method",
                "weight_reason",
                "prescriber",
                "ordered_at",
                "mode",
                "is_read_back",
                "order_number",
                "indication",
                "ceiling_mg_per_kg_per_h",
                "instructions",
            ]
        )

    @property
    def is_latest_weight(self) -> bool:
        """Whether the typed weight is the one on record: same kg, same instant, same scale."""
        data, latest = self.cleaned_data, self.latest
        return (
            latest is not None
            and data.get("weight_kg") == latest.weight_kg
            and data.get("weight_measured_at") == latest.measured_at.replace(second=0, microsecond=0)
            and data.get("weight_method") == latest.method
        )


class VerifyForm(forms.Form):
    """An independent check: identity, each source, one's own dose, and only then a signature."""

    mrn_tail = forms.CharField(label="Record number, last 4", max_length=8)
    birth_year = forms.CharField(label="Birth year", max_length=4)
    organ_checked = forms.BooleanField(label="Organs agree with the operation note")
    time_checked = forms.BooleanField(label="Transplant or first-dose time agrees with its source")
    weight_checked = forms.BooleanField(label="Weight agrees with the scale's record")
    protocol_checked = forms.BooleanField(label="Protocol row agrees with the monograph and the order")
    precautions_checked = forms.BooleanField(label="Contraindications and cautions read")
    own_dose_mg = AmountField(label="Your own first dose", unit="mg")
    shown_hash = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("mrn_tail", "birth_year"):
            self.fields[name].widget.attrs.update({"class": "narrow", "autocomplete": "off", "inputmode": "text"})


class SignForm(forms.Form):
    """The password again: what turns a click into a signature."""

    password = forms.CharField(label="Your password", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))


class StopForm(forms.Form):
    """Why a course ends."""

    reason_code = forms.ChoiceField(label="Reason")
    reason = forms.CharField(label="In words", max_length=300, required=False)

    def __init__(self, *args: Any, reasons: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason_code"].choices = reasons
