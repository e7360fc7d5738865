"""What every page about one patient shares: the banner, and the clock of the centre that treats the patient, whoever reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from django import forms

from patients.banner import banner_of
from patients.models import Patient, Precaution, WeightMeasurement
from patients.refusal import Refusal
from patients.views import common
from patients.views.common import Result
from regimens.domain.reasons import Refused


def patient_frame(
    patient: Patient,
    now: datetime,
    answers: list[Precaution] | None = None,
    weights: Sequence[WeightMeasurement] | None = None,
) -> dict:
    """Context of a page about one patient: patient, banner, the zone of the patient's center, now.

    ``answers`` and ``weights`` where the page has read them.
    """
    return {
        "patient": patient,
        "banner": banner_of(patient, now, answers, weights),
        "zone": patient.centre.time_zone,
        "now": now,
    }


def attempt(form: forms.Form, act: Callable[[], Result]) -> Result | None:
    """``patients.views.common.attempt``, for what the rules refuse as well: the action's result, or None with the form's error."""
    try:
        return common.attempt(form, act)
    except Refused as refused:
        form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        return None


def add_refusal(form: forms.Form, refused: Refusal | Refused) -> Refusal | Refused | None:
    """Put a refusal at its field; returned where it belongs to the whole form, to be shown with its source. A refused role is no
    matter of the form.
    """
    if refused.code == "role":
        raise refused
    if refused.field and refused.field in form.fields:
        form.add_error(refused.field, refused.sentence)
        return None
    return refused
