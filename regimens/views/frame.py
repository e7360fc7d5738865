"""What every page about one patient shares: the banner, and the clock of the centre that treats the patient, whoever reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from patients.banner import banner_of
from patients.models import Patient, Precaution, WeightMeasurement


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
