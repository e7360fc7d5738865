"""What a prescriber chooses and signs about a missed dose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from patients.fields import DayField, LineField
from regimens.actions.missed import REACHED, REASON_KINDS
from regimens.domain.monograph import ReasonCode
from regimens.models import Decision


class DecideForm(forms.Form):
    """One choice, its reason and a signature. Nothing is chosen beforehand."""

    decision = forms.ChoiceField(label="Decision", choices=Decision.choices, widget=forms.RadioSelect)
    give_on = DayField(label="Give it on", required=False, help_text="For giving late: the day, such as 24-Nov-2026")
    reason = LineField(label="In words", max_length=300, required=False, what="reason")
    reached_by = forms.ChoiceField(label="How you were reached", choices=[("", "Choose…"), *REACHED.items()])
    password = forms.CharField(
        label="Your password, as signature", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}), strip=False
    )

    def __init__(
        self, *args: Any, reasons: Sequence[ReasonCode], available: Sequence[Decision], user: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["decision"].choices = [(code.value, code.label) for code in available]
        groups = [
            (decision.label, [(f"{kind}:{reason.code}", reason.sentence) for reason in reasons if reason.kind == kind])
            for decision, kind in REASON_KINDS.items()
            if decision in available
        ]
        self.fields["reason_code"] = forms.ChoiceField(label="Reason", choices=[("", "Choose…"), *groups])
        self.order_fields(["decision", "give_on", "reason_code", "reason", "reached_by", "password"])

    def clean_password(self) -> str:
        """The signature: the signed-in person's own password, typed again."""
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError("This is not your password. Nothing was signed.", code="wrong_password")
        return password

    def clean(self) -> dict[str, Any]:
        """The reason must belong to the decision."""
        cleaned = super().clean() or self.cleaned_data
        kind, _, code = (cleaned.get("reason_code") or "").partition(":")
        decision = cleaned.get("decision")
        if decision and code and REASON_KINDS[Decision(decision)] != kind:
            self.add_error("reason_code", "Choose a reason that belongs to this decision.")
        cleaned["reason_only_code"] = code
        return cleaned
