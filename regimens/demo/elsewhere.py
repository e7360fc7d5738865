"""Parts of the demonstration's story that begin elsewhere: an order before its course, a dose of another hospital."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from patients.models import Membership, Patient, Transplant
from regimens.actions import orders, outside
from regimens.models import Order, OutsideDose


def order_for_combined_graft(by: Membership, transplant: Transplant, at: datetime) -> Order:
    """The prescriber's own order, signed, for the table of the other organs."""
    order = orders.OrderFacts(
        prescriber=by,
        ordered_at=at,
        mode="written",
        indication="Prophylaxis of CMV disease",
        instructions="Acetaminophen 650 mg and diphenhydramine 25 mg before each infusion",
        reaction_orders="Stop; epinephrine 0.3 mg IM for anaphylaxis; call the prescriber",
        is_signed=True,
    )
    return orders.place_order(transplant=transplant, protocol_code="other_organ", order=order, by=by, at=at)


def given(by: Membership, patient: Patient, given_at: datetime, given_mg: Decimal) -> OutsideDose:
    """One dose of another hospital, by its letter; entered when the patient was known here."""
    dose = outside.OutsideFacts(
        product="cmv_ig", given_at=given_at, given_mg=given_mg, said_by="Discharge letter of Lakeside Hospital"
    )
    at = max(given_at, patient.registered_at) + timedelta(minutes=1)
    return outside.record_outside_dose(patient=patient, dose=dose, by=by, at=at)
