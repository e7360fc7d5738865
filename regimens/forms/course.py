"""What a pharmacist types to verify or stop a course, and how amounts and signatures are read."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms

from patients.fields import LineField
from regimens.forms.common import password_field
from regimens.models import SingleCheck

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


class VerifyForm(forms.Form):
    """An independent check: identity, each source, one's own dose, and only then a signature."""

    mrn_tail = forms.CharField(label="Record number, last 4", max_length=8)
    birth_year = forms.CharField(label="Birth year", max_length=4)
    organ_checked = forms.BooleanField(label="Organs agree with the operation note")
    time_checked = forms.BooleanField(label="Transplant or first-dose time agrees with its source")
    serology_checked = forms.BooleanField(label="CMV IgG of donor and recipient agrees with the laboratory's reports")
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
    """Nothing but a signature."""

    password = password_field()


class SingleSignForm(SignForm):
    """The signature under a plan that a prescriber built: why one pharmacist alone checks it."""

    single_why = forms.ChoiceField(
        label="Why you alone check it",
        choices=[("", "Choose…"), *SingleCheck.Why.choices],
        help_text="A prescriber built this plan. It is listed until another pharmacist has looked at it.",
    )
    single_words = LineField(
        label="In words", max_length=300, required=False, what="reason", help_text="Needed for another reason"
    )

    field_order = ["single_why", "single_words", "password"]


class ReviewForm(SignForm):
    """What another pharmacist found, signed."""

    review = LineField(label="What you found", max_length=300, what="finding", help_text="At least 10 characters")

    field_order = ["review", "password"]


class StopForm(forms.Form):
    """Why a course ends."""

    reason_code = forms.ChoiceField(label="Reason")
    reason = forms.CharField(label="In words", max_length=300, required=False)

    def __init__(self, *args: Any, reasons: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason_code"].choices = reasons
