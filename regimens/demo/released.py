"""What stands before each dose of the demonstration: its release, a creatinine, risks, and an exchange that asks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from patients import actions as patients
from patients.models import Membership, Patient
from patients.rules import is_stale
from regimens.actions import findings, orders, releases, risks
from regimens.models import PlannedDose

Staff = Mapping[str, Membership]


def release(staff: Staff, dose: PlannedDose, at: datetime) -> None:
    """The second pharmacist's go: weighed again where the weight is too old, the order signed, a creatinine that is stable."""
    patient, course = dose.course.patient, dose.course
    order = course.orders.get(superseded_at=None)
    if order.signed_at is None:
        orders.cosign_order(order=order, by=staff["prescriber1"], at=order.entered_at + timedelta(minutes=40))
    latest = patient.weights.filter(error_at=None).latest("measured_at")
    if is_stale(latest.measured_at, at, is_early_dose=True):
        patients.record_weight(
            patient=patient,
            weight_kg=latest.weight_kg,
            measured_at=at - timedelta(minutes=40),
            method="standing_scale",
            by=staff["nurse2"],
            at=at - timedelta(minutes=30),
        )
    creatinine(staff, patient, Decimal("1.1"), at - timedelta(hours=3))
    confirmed = releases.Confirmed(
        on_hand=True,
        expected=True,
        missing_reason="Urine output and BUN seen in the hospital's record",
        fluid_state="normal",
    )
    releases.release_dose(dose=dose, confirmed=confirmed, by=staff["pharmacist2"], at=at)


def creatinine(staff: Staff, patient: Patient, value: Decimal, sampled_at: datetime) -> None:
    """In mg per dL, typed two hours after it was sampled."""
    findings.record_result(
        patient=patient,
        kind="creatinine",
        value=value,
        word="",
        sampled_at=sampled_at,
        by=staff["nurse2"],
        at=sampled_at + timedelta(hours=2),
    )


def kidney_at_risk(staff: Staff, patient: Patient, now: datetime) -> None:
    """Diabetes, and a creatinine that has risen since the last dose: a prescriber is asked."""
    risks.record_risks(
        patient=patient,
        factors=["diabetes", "central_catheter"],
        pregnancy="not_applicable",
        by=staff["nurse1"],
        at=now - timedelta(hours=4),
    )
    creatinine(staff, patient, Decimal("1.6"), now - timedelta(hours=2))


def exchange_tomorrow(staff: Staff, patient: Patient, now: datetime) -> None:
    """A plasma exchange is planned."""
    findings.record_removal(
        patient=patient,
        kind="plasma_exchange",
        removed_at=now + timedelta(hours=20),
        by=staff["nurse1"],
        at=now - timedelta(hours=1),
    )
