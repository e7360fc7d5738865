"""What a person chooses and signs about a missed or stopped dose, and what a nurse writes when one is not given today."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django import forms

from patients.fields import DayField, LineField
from regimens.actions.missed import REACHED, REASON_KINDS, reasons_for
from regimens.domain.monograph import Monograph, Protocol, ReasonCode
from regimens.forms.common import NOT_CHOSEN, password_field
from regimens.forms.course import AmountField
from regimens.models import Decision


class DecideForm(forms.Form):
    """One choice, what it needs, its reason and a signature. Nothing is chosen beforehand."""

    decision = forms.ChoiceField(label="Decision", choices=Decision.choices, widget=forms.RadioSelect)
    give_on = DayField(label="Give it on", required=False, help_text="For giving it later: the day, such as 24-Nov-2026")
    mg_per_kg = AmountField(
        label="New dose, mg per kg", unit="mg per kg", required=False, help_text="For changing the dose: of this dose alone"
    )
    review_on = DayField(label="Look at the hold again on", required=False, help_text="For holding: the day of the review")
    protocol_code = forms.ChoiceField(label="Change to protocol", required=False)
    reason = LineField(label="In words", max_length=300, required=False, what="reason")
    reached_by = forms.ChoiceField(label="How you were reached", choices=[*NOT_CHOSEN, *REACHED.items()])
    password = password_field()

    def __init__(
        self,
        *args: Any,
        value: Monograph,
        available: Collection[Decision],
        protocols: Sequence[Protocol] = (),
        signed_under: str = "",
        **kwargs: Any,
    ) -> None:
        """``signed_under`` names the collaborative protocol by which a pharmacist signs; nobody had to be reached then."""
        super().__init__(*args, **kwargs)
        if signed_under:
            del self.fields["reached_by"]
            self.fields["password"].help_text = f"You sign within the collaborative protocol: {signed_under}"
        self.fields["decision"].choices = [(code.value, code.label) for code in available]
        self.fields["protocol_code"].choices = [*NOT_CHOSEN, *((row.code, row.title) for row in protocols)]
        if Decision.GIVE_REMAINDER in available:
            self.fields["give_on"].label = "Give the rest by"
            self.fields["give_on"].help_text = "For giving the remainder: the last day, such as 24-Nov-2026"
        for name, decision in (
            ("mg_per_kg", Decision.CHANGE_DOSE),
            ("review_on", Decision.HOLD),
            ("protocol_code", Decision.CHANGE_PROTOCOL),
        ):
            if decision not in available:
                del self.fields[name]
        # One group per list of reasons, named after the decisions it belongs to.
        groups: dict[str, list[Decision]] = {}
        for decision in available:
            groups.setdefault(REASON_KINDS[decision], []).append(decision)
        choices = [
            (
                ", ".join(decision.label if place == 0 else decision.label.lower() for place, decision in enumerate(shared)),
                [(f"{kind}:{row.code}", row.sentence) for row in reasons_for(shared[0], value)],
            )
            for kind, shared in groups.items()
        ]
        self.fields["reason_code"] = forms.ChoiceField(label="Reason", choices=[*NOT_CHOSEN, *choices])
        order = ["decision", "give_on", "mg_per_kg", "review_on", "protocol_code"]
        self.order_fields([*order, "reason_code", "reason", "reached_by", "password"])

    def clean(self) -> dict[str, Any]:
        """The reason must belong to the decision."""
        cleaned = super().clean() or self.cleaned_data
        kind, _, code = (cleaned.get("reason_code") or "").partition(":")
        decision = cleaned.get("decision")
        if decision and code and REASON_KINDS[Decision(decision)] != kind:
            self.add_error("reason_code", "Choose a reason that belongs to this decision.")
        cleaned["reason_only_code"] = code
        return cleaned


class OmitForm(forms.Form):
    """The order to omit a missed dose, signed where the next one is about to start. No reason is chosen beforehand."""

    reason_code = forms.ChoiceField(label="Reason")
    reason = LineField(label="In words", max_length=300, required=False, what="reason")
    reached_by = forms.ChoiceField(label="How you were reached", choices=[*NOT_CHOSEN, *REACHED.items()])
    password = password_field()

    def __init__(self, *args: Any, value: Monograph, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        listed = reasons_for(Decision.OMIT, value)
        self.fields["reason_code"].choices = [*NOT_CHOSEN, *((row.code, row.sentence) for row in listed)]


class BeforeReferralForm(forms.Form):
    """Why a dose was not this centre's to give, signed."""

    reason = LineField(label="How you know", max_length=300, what="reason")
    password = password_field()


class NotGivenForm(forms.Form):
    """Why a dose is not given today, and whether it had been prepared. Nothing is chosen beforehand."""

    reason_code = forms.ChoiceField(label="Reason", widget=forms.RadioSelect)
    reason = LineField(label="In words", max_length=300, required=False, what="reason", help_text="Needed for another reason")
    was_prepared = forms.ChoiceField(
        label="Had the dose been prepared?",
        choices=[("yes", "Yes: it is wasted or returned"), ("no", "No")],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, reasons: Sequence[ReasonCode], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason_code"].choices = [(row.code, row.sentence) for row in reasons]
