"""What the person who publishes a monograph types."""

from __future__ import annotations

from django import forms


class SendBackForm(forms.Form):
    """Why a draft goes back to its editor."""

    reason = forms.CharField(label="Reason for sending it back", max_length=300)
