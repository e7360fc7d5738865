"""The prescriber's order: who ordered what, when and how. It waits until a course is built from it; nothing is verified without one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from patients import audit, when
from patients.actions.common import locked_patient, needed_reason, plain_refusals
from patients.models import Centre, Membership, Transplant
from patients.refusal import Refusal
from patients.roles import Role, require
from regimens.actions import planning
from regimens.domain.monograph import Monograph as MonographValue
from regimens.domain.monograph import Protocol
from regimens.domain.units import day_text, number
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
    is_signed: bool = False  # the prescriber who enters it has typed the password; the view has checked it


def check_order(order: OrderFacts, *, off_label: bool, by: Membership, at: datetime) -> None:
    """Refused: not a prescriber of this centre, a time ahead, an unknown mode, no read-back, no indication, a last day that is past;
    off-label use by telephone, or without a reason.
    """
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
    if order.expires_on is not None and order.expires_on < when.local_day(at, by.centre.time_zone):
        raise Refusal("order_expires", "The order's last day is past already.", source=ORDER_SOURCE, field="expires_on")
    if off_label and order.mode == Mode.TELEPHONE:
        raise Refusal(
            "off_label_by_telephone",
            "Off-label use is ordered in writing, never by telephone.",
            source="Site policy: off-label use",
            field="mode",
        )
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
        ordered_rows=rows_of(protocol),
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
        signed_at=at if order.is_signed and by.pk == order.prescriber.pk else None,
    )


def rows_of(protocol: Protocol) -> list[list[str]]:
    """Code and mg per kg of each row, as an order keeps them."""
    return [[row.code, number(row.mg_per_kg)] for row in protocol.doses]


def waiting_order(transplant: Transplant) -> Order | None:
    """The order that no course is built from yet, with its prescriber."""
    rows = Order.objects.filter(transplant=transplant, course=None, superseded_at=None)
    return rows.select_related("prescriber__user", "entered_by__user").first()


@transaction.atomic
def place_order(*, transplant: Transplant, protocol_code: str, order: OrderFacts, by: Membership, at: datetime) -> Order:
    """An order that waits to be built; an earlier one that waits for this transplant is superseded.

    A prescriber's own is signed where the view has checked the password; entered by somebody else it waits for the co-signature.
    Refused: another role; a prescriber who enters an order for another one, or does not sign; a closed patient; an unanswered or
    unreleased contraindication; a protocol not offered; an antiviral nobody recorded; rounding the centre does not allow; a dry
    weight that is not on record; what :func:`check_order` refuses.
    """
    require(by, "order")
    patient = locked_patient(by, transplant.patient_id)
    transplant = Transplant.objects.select_for_update(of=("self",)).get(pk=transplant.pk, patient=patient)
    transplant.patient = patient
    planning.check_may_plan(patient)
    value = planning.published().to_domain()
    planning.check_protocol(planning.proposal_for(transplant, value, at), protocol_code)
    protocol = value.protocol(protocol_code)
    check_order(order, off_label=protocol.off_label, by=by, at=at)
    if by.role == Role.PRESCRIBER and not (order.prescriber.pk == by.pk and order.is_signed):
        raise Refusal("order_unsigned", "A prescriber signs the order in person.", source=ORDER_SOURCE, field="password")
    planning.check_antiviral(transplant, protocol)
    _check_rounding(order, patient.centre, planning.age_of(patient, at))
    check_basis(order.weight_basis, planning.weights_of(transplant))
    audit.event("place_order", by=by, patient=patient, transplant=str(transplant.pk), protocol=protocol_code, mode=order.mode)
    Order.objects.filter(transplant=transplant, course=None, superseded_at=None).update(superseded_at=at)
    with plain_refusals():
        return save_order(order, transplant=transplant, protocol=protocol, course=None, by=by, at=at)


def _check_rounding(order: OrderFacts, centre: Centre, age_years: int) -> None:
    if order.allows_vial_rounding and planning.rounding_of(centre, age_years) is None:
        raise Refusal(
            "rounding_not_allowed",
            "Doses are rounded to vials only where the center allows it, and not under 18 years.",
            source="Site policy: vial rounding",
            field="allows_vial_rounding",
        )


def check_basis(basis: str, weights: planning.Weights) -> None:
    """Refused: an unknown word, or the dry weight where no weight from before the transplant is on record."""
    if basis not in WeightBasis.values:
        raise Refusal("weight_basis", "Choose which weight the doses count on.", source=ORDER_SOURCE, field="weight_basis")
    if basis == WeightBasis.DRY and weights.dry is None:
        raise Refusal("no_dry_weight", "No weight from before the transplant is on record.", field="weight_basis")


@transaction.atomic
def withdraw_order(*, order: Order, reason: str, by: Membership, at: datetime) -> Order:
    """An order that waits is taken back. One that a course was built from is not: the course is stopped.

    Refused: another role; a nurse or pharmacist who did not enter it; an order that was built or replaced already; no reason.
    """
    require(by, "order")
    order = Order.objects.select_for_update(of=("self",)).select_related("transplant__patient").get(pk=order.pk)
    if order.superseded_at or order.course_id:
        raise Refusal("order_not_waiting", "This order no longer waits: it was built, replaced or withdrawn.")
    if by.role != Role.PRESCRIBER and order.entered_by_id != by.pk:
        raise Refusal("not_your_order", "A prescriber withdraws this order, or the person who entered it.", source=ORDER_SOURCE)
    reason = needed_reason(reason, sentence="Say why the order is withdrawn.")
    audit.event("withdraw_order", by=by, patient=order.transplant.patient, reason=reason, order=order.pk)
    order.superseded_at = at
    order.save(update_fields=["superseded_at"])
    return order


def check_built_as_ordered(order: Order, protocol: Protocol, *, bases: Collection[str], on: date) -> None:
    """A course is built exactly as it was ordered, or the order is changed first. ``bases`` is which weight it is planned at.

    Refused: another protocol, another mg per kg in any row (such as after a new monograph was published), the other weight; an
    order whose last day is past.
    """
    if order.expires_on is not None and order.expires_on < on:
        raise Refusal(
            "order_expired", f"The order ended on {day_text(order.expires_on)}: a new one is needed.", source=ORDER_SOURCE
        )
    differs = ""
    if order.protocol_code != protocol.code:
        differs, field = "another protocol was ordered", "protocol_code"
    elif order.ordered_rows != rows_of(protocol):
        differs, field = "the published monograph has other mg per kg than were ordered", "protocol_code"
    elif order.weight_basis not in bases:
        differs, field = f"the order counts on the {order.get_weight_basis_display().lower()}", "weight_basis"
    if differs:
        raise Refusal(
            "order_differs",
            f"Not what was ordered: {differs}. The prescriber changes the order first.",
            source=ORDER_SOURCE,
            field=field,
        )


def cosign_by(order: Order, value: MonographValue) -> datetime:
    """Until when an order that its prescriber has not signed may be acted on (W2.2)."""
    return order.ordered_at + timedelta(minutes=int(value.limit("cosign_within_h").value * 60))


@transaction.atomic
def cosign_order(*, order: Order, by: Membership, at: datetime) -> Order:
    """The prescriber's own signature under an order that somebody else entered. The view has checked the password.

    Refused: another role; another prescriber than the one named; signed already.
    """
    require(by, "sign_order")
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
