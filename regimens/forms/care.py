"""What is typed before a dose starts: a release, a booking, papers, results, antibody removal, the checklist of risks, and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from patients.fields import DayField, LineField, LocalDateTimeField
from patients.models import Membership
from regimens.actions.releases import FLUID_STATES
from regimens.actions.risks import STATEMENT_LENGTH
from regimens.forms.common import NOT_CHOSEN, ChosenPerson, password_field
from regimens.models import AntibodyRemoval, Authorization, LabResult, ResultKind, RiskReview

TEN = "At least 10 characters"
NUMBER = re.compile(r"(?:[0-9]{1,10}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.[0-9]{1,2})?", re.ASCII)


class ReleaseForm(forms.Form):
    """What the releasing pharmacist confirms. Nothing is ticked beforehand."""

    on_hand = forms.BooleanField(label="The product is on hand")
    expected = forms.BooleanField(label="The patient is expected")
    fluid_state = forms.ChoiceField(label="Fluid state", choices=list(FLUID_STATES.items()), widget=forms.RadioSelect)
    missing_reason = LineField(label="Why there is no recent result", max_length=200, what="reason", help_text=TEN)

    def __init__(self, *args: Any, missing: Sequence[str], is_treatment: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"] = password_field()
        if missing:
            self.fields["missing_reason"].label = f"Why there is no recent {_or(missing)}"
        else:
            del self.fields["missing_reason"]
        if not is_treatment:
            del self.fields["fluid_state"]


def _or(names: Sequence[str]) -> str:
    """ "creatinine, BUN or urine output"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


class WithdrawForm(forms.Form):
    """Why something signed is taken back."""

    withdrawn_reason = LineField(label="Why it is withdrawn", max_length=300, what="reason", help_text=TEN)


class StrikeForm(forms.Form):
    """Why an entry is wrong."""

    reason = LineField(
        label="What is wrong with it", max_length=300, what="reason", help_text=f"{TEN}. It stays readable, struck out."
    )


class IntervalForm(forms.Form):
    """A prescriber's reason for a shorter interval."""

    reason = LineField(label="Why it may start sooner", max_length=300, what="reason", help_text=TEN)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"] = password_field()


class AnswerForm(forms.Form):
    """One answer to a finding's question, its reason and a signature. Nothing is chosen beforehand."""

    decision = forms.ChoiceField(label="Answer", widget=forms.RadioSelect)
    reason = LineField(label="Reason", max_length=300, what="reason", help_text=TEN)

    def __init__(self, *args: Any, answers: Sequence[str], words: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["decision"].choices = [(code, words[code]) for code in answers]
        self.fields["password"] = password_field()


class BookingForm(forms.Form):
    """When and where."""

    booked_place = LineField(label="Place", max_length=80, what="place", help_text="A ward, the infusion clinic, at home")

    def __init__(self, *args: Any, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["booked_for"] = LocalDateTimeField(label="Booked for", zone_name=zone_name)
        self.order_fields(["booked_for", "booked_place"])


class AuthorizationForm(forms.Form):
    """Where the payer and the pharmacy stand."""

    state = forms.ChoiceField(label="Payer authorization", choices=NOT_CHOSEN + Authorization.State.choices)
    approved_until = DayField(label="Approved until", required=False, help_text="For an approval: its last day")
    vials = forms.ChoiceField(label="Vials", choices=NOT_CHOSEN + Authorization.Vials.choices)
    vials_for_on = DayField(label="Vials are for the dose of", required=False, help_text="For vials ordered or reserved")


class ConsentForm(forms.Form):
    """The patient's consent to a blood product."""

    given_by = LineField(label="Who consented", max_length=120, what="name", help_text="The patient, or who consents for them")
    obtained_on = DayField(label="Obtained on")
    form_version = LineField(label="Version of the form", max_length=40, what="version")

    def __init__(self, *args: Any, people: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["obtained_by"] = ChosenPerson(people, with_role=True, label="Obtained by")
        self.order_fields(["given_by", "obtained_by", "obtained_on", "form_version"])


class NumberField(forms.CharField):
    """A plain number with at most two decimals: ASCII digits, a point, and commas only where they part thousands (hazard H04)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off", "class": "medium"})

    def to_python(self, value: Any) -> Decimal | None:
        """The number, or None for an empty box."""
        text = (super().to_python(value) or "").strip(" ")
        if not text:
            return None
        if not NUMBER.fullmatch(text):
            raise forms.ValidationError("Write a number with digits, such as 1.2 or 12,000.")
        return Decimal(text.replace(",", ""))


class ResultForm(forms.Form):
    """One result: a number in the test's unit, or a word."""

    kind = forms.ChoiceField(label="Test and unit", choices=NOT_CHOSEN + ResultKind.choices)
    value = NumberField(label="Number", help_text="In the unit named with the test, such as 1.2 or 12,000", required=False)
    word = forms.ChoiceField(
        label="Or a word",
        choices=[("", "—"), *((code, label) for code, label in LabResult.WORDS.items() if code)],
        required=False,
        help_text="CMV IgG is a word; a CMV PCR may be one",
    )

    def __init__(self, *args: Any, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sampled_at"] = LocalDateTimeField(label="Sampled", zone_name=zone_name)
        self.order_fields(["kind", "value", "word", "sampled_at"])


class RemovalForm(forms.Form):
    """A plasma exchange or immunoadsorption, done or planned."""

    kind = forms.ChoiceField(label="What", choices=NOT_CHOSEN + AntibodyRemoval.Kind.choices)

    def __init__(self, *args: Any, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["removed_at"] = LocalDateTimeField(label="When, done or planned", zone_name=zone_name)


class RiskForm(forms.Form):
    """The whole checklist. Only a prescriber is offered the statement."""

    factors = forms.MultipleChoiceField(
        label="Present now",
        choices=list(RiskReview.FACTORS.items()),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "choices"}),
        required=False,
        help_text="None ticked says: looked at, none present",
    )
    pregnancy = forms.ChoiceField(label="Pregnancy", choices=NOT_CHOSEN + list(RiskReview.PREGNANCY.items()))
    pregnancy_on = DayField(label="Date of the test", required=False, help_text="For a negative test, such as 22-Nov-2026")
    prescriber_statement = LineField(
        label="Clearly needed, because",
        max_length=STATEMENT_LENGTH,
        what="statement",
        required=False,
        help_text="In pregnancy and lactation only if clearly needed: the prescriber's own statement",
    )

    def __init__(self, *args: Any, may_state: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_state:
            del self.fields["prescriber_statement"]
