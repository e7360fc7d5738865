"""The prescriber's order: who ordered what, when and how. Nothing is verified without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from patients import audit
from patients.models import Membership, Transplant
from patients.refusal import Refusal
from patients.roles import Role
from regimens.domain.monograph import Protocol
from regimens.domain.units import number
from regimens.models import Course, Mode, Order, WeightBasis

ORDER_SOURCE = "42 CFR 482.24(c)(2): every order dated, timed and authenticated"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the prescriber ordered, as it was written down."""

    prescriber: Membership
    ordered_at: datetime
    mode: str
    indication: str
    order_number: str = ""
    ceiling_mg_per_kg_per_h: Decimal | None = None
    instructions: str = ""
    off_label_reason: str = ""
    weight_basis: str = WeightBasis.LATEST
    allows_vial_rounding: bool = False
    reaction_orders: str = ""
    expires_on: date | None = None
    is_read_back: bool = False


def check_order(order: OrderFacts, *, off_label: bool, by: Membership, at: datetime) -> None:
    """Refused: not a prescriber of this centre, a time ahead, an unknown mode, no read-back, no indication, no off-label reason."""
    prescriber = order.prescriber
    if prescriber.role != Role.PRESCRIBER or prescriber.centre_id != by.centre_id or prescriber.ended_at:
        raise Refusal(
            "not_a_prescriber", "An order is given by a prescriber of this centre.", source=ORDER_SOURCE, field="prescriber"
        )
    if order.ordered_at > at:
        raise Refusal("order_in_future", "The order's time lies in the future.", source=ORDER_SOURCE, field="ordered_at")
    if order.mode not in Mode.values:
        raise Refusal("order_mode", "Say how the order was given.", source=ORDER_SOURCE, field="mode")
    if order.mode == Mode.TELEPHONE and not order.is_read_back:
        raise Refusal(
            "not_read_back",
            "An order by telephone is written down and read back by name.",
            source=ORDER_SOURCE,
            field="is_read_back",
        )
    if not order.indication.strip():
        raise Refusal("no_indication", "An order names its indication.", source=ORDER_SOURCE, field="indication")
    if off_label and len(order.off_label_reason.strip()) < 10:
        raise Refusal(
            "off_label_reason",
            "Off-label use needs a reason of at least 10 characters.",
            source="Site policy: off-label use",
            field="off_label_reason",
        )


def save_order(
    order: OrderFacts, *, transplant: Transplant, protocol: Protocol, course: Course | None, by: Membership, at: datetime
) -> Order:
    """The checked order as a row, with mg per kg of each row of its protocol as ordered."""
    return Order.objects.create(
        transplant=transplant,
        course=course,
        protocol_code=protocol.code,
        ordered_rows=[[row.code, number(row.mg_per_kg)] for row in protocol.doses],
        prescriber=order.prescriber,
        ordered_at=order.ordered_at,
        mode=order.mode,
        order_number=order.order_number,
        indication=order.indication,
        ceiling_mg_per_kg_per_h=order.ceiling_mg_per_kg_per_h,
        instructions=order.instructions,
        off_label_reason=order.off_label_reason,
        weight_basis=order.weight_basis,
        allows_vial_rounding=order.allows_vial_rounding,
        reaction_orders=order.reaction_orders,
        expires_on=order.expires_on,
        is_read_back=order.is_read_back,
        entered_by=by,
        entered_at=at,
        signed_at=at if by.pk == order.prescriber.pk else None,
    )


@transaction.atomic
def cosign_order(*, order: Order, by: Membership, at: datetime) -> Order:
    """The prescriber's own signature under an order that somebody else entered. The view has checked the password."""
    order = (
        Order.objects.select_for_update(of=("self",)).select_related("transplant__patient", "prescriber__user").get(pk=order.pk)
    )
    if order.prescriber_id != by.pk:
        raise Refusal("not_your_order", f"Only {order.prescriber.user.printed_name} can sign this order.", source=ORDER_SOURCE)
    if order.signed_at:
        raise Refusal("already_signed", "This order is already signed.")
    audit.event("cosign_order", by=by, patient=order.transplant.patient, order=order.pk)
    order.signed_at = at
    order.save(update_fields=["signed_at"])
    return order
