"""What a person types who publishes a monograph, or moves a course to the published one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from regimens.forms.common import password_field


class SendBackForm(forms.Form):
    """Why a draft goes back to its editor."""

    reason = forms.CharField(label="Reason for sending it back", max_length=300)


class VersionMoveForm(forms.Form):
    """What the person saw, each dose ticked by itself, and the password. Nothing is ticked beforehand."""

    shown = forms.CharField(max_length=64, widget=forms.HiddenInput)
    password = password_field()

    def __init__(self, *args: Any, doses: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.numbers = [number for number, _ in doses]
        for number, title in doses:
            self.fields[f"dose_{number}"] = forms.BooleanField(
                label=f"Dose {number}, {title}: old and new compared",
                error_messages={"required": f"Compare dose {number} and tick it."},
            )
        self.order_fields([f"dose_{number}" for number in self.numbers])

    @property
    def seen(self) -> list[int]:
        """The doses that were ticked."""
        return [number for number in self.numbers if self.cleaned_data.get(f"dose_{number}")]
