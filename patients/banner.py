"""The patient banner: who this is, the same on every page about one patient (safety.md 2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from patients import facts, when
from patients.access import is_emergency
from patients.models import ClosedReason, Patient, Precaution, WeightMeasurement
from patients.rules import age_years

# How many look-alikes the banner names; the rest are counted.
NAMED = 2


@dataclass(frozen=True, slots=True)
class Banner:
    """What the banner shows. ``age_years`` is the age at death for the dead; ``name_alert`` is "" or names look-alikes."""

    patient: Patient
    family_upper: str
    given: str
    title: str
    born_on: date
    age_years: int
    sex: str
    mrn: str
    ward: str
    weight: WeightMeasurement | None
    allergy_state: str
    allergies: str
    name_alert: str
    precautions: tuple[str, ...]
    closed_reason: str
    closed_on: date | None
    died: bool
    today: date
    zone: str

    @property
    def weight_kg(self):
        """The latest valid weight in kg, or None."""
        return self.weight.weight_kg if self.weight else None


def banner_of(
    patient: Patient,
    at: datetime,
    answers: Iterable[Precaution] | None = None,
    weights: Sequence[WeightMeasurement] | None = None,
) -> Banner:
    """The banner of a patient at an instant, in three statements; one less for the live ``answers`` and one less for the ``weights``
    (newest first) where the page has read them already.

    Days are those of the patient's centre.
    """
    zone = patient.centre.time_zone
    today = when.local_day(at, zone)
    closed_on = when.local_day(patient.closed_at, zone) if patient.closed_at else None
    died = patient.closed_reason == ClosedReason.DIED
    return Banner(
        patient=patient,
        family_upper=patient.family_name.upper(),
        given=patient.given_name,
        title=patient.title,
        born_on=patient.birth_on,
        age_years=age_years(patient.birth_on, closed_on if died and closed_on else today),
        sex=patient.get_sex_display(),
        mrn=patient.mrn,
        ward=patient.ward,
        weight=facts.current_weight(patient)
        if weights is None
        else next((weight for weight in weights if weight.error_at is None), None),
        allergy_state=patient.allergy_state,
        allergies=patient.allergies,
        name_alert=name_alert(patient),
        precautions=tuple(facts.alerts_of(facts.live_answers(patient).values() if answers is None else answers)),
        closed_reason=patient.get_closed_reason_display() if patient.closed_reason else "",
        closed_on=closed_on,
        died=died,
        today=today,
        zone=zone,
    )


def name_alert(patient: Patient) -> str:
    """The closest look-alikes of the centre (H01): "OKONKWO, Adanna; OKONKWA, Ada and 3 more", or "".

    Under emergency access they are counted, and none is named.
    """
    alike = facts.look_alikes_of(patient, limit=50)
    if alike and is_emergency(patient):
        return f"{len(alike)} of similar name, birth date or record number"
    named = "; ".join(other.name for other in alike[:NAMED])
    more = len(alike) - NAMED
    return f"{named} and {more} more" if more > 0 else named
