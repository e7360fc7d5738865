"""The prescriber's order before anything is built: placed, co-signed, withdrawn, and the lists of what waits."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.access import transplant_for
from patients.models import Centre
from patients.refusal import Refusal
from patients.roles import Role, may, require
from patients.signing import signed_by
from regimens.access import order_for
from regimens.actions import orders, planning
from regimens.domain.monograph import Monograph as MonographValue
from regimens.forms.course import SignForm
from regimens.forms.order import OrderForm, WithdrawOrderForm
from regimens.models import Order
from regimens.templatetags import display
from regimens.views.frame import add_refusal, attempt, patient_frame
from regimens.views.ordered import ordered_rows
from regimens.views.ordering import case_frame, offered_for, read_case, record_antiviral

SHOWN = 50


def order_new(request: HttpRequest, transplant_id: uuid.UUID) -> HttpResponse:
    """Place an order. A prescriber signs it with the password; a pharmacist or nurse enters it for a named prescriber."""
    transplant = transplant_for(request.membership, transplant_id)
    require(request.membership, "order")
    now = timezone.now()
    stopped: Refusal | None = None
    try:
        answers = planning.check_may_plan(transplant.patient)
    except Refusal as refused:  # the page says what is in the way, and leads to it
        stopped, answers = refused, list(transplant.patient.precautions.filter(superseded_at=None))
    case = read_case(transplant, now, answers)
    codes = (case.proposal.protocol_code, *case.proposal.alternatives)
    offered = offered_for(request, case, codes, now)
    initial: dict[str, Any] = {"indication": case.value.protocol(codes[0]).indication, "ordered_at": now}
    if not case.proposal.needs_confirmation:
        initial["protocol_code"] = codes[0]
    posted = request.method == "POST"
    form = OrderForm(request.POST, offered=offered) if posted else OrderForm(initial=initial, offered=offered)

    def act() -> Order:
        if "password" in form.fields:
            signed_by(request, form.cleaned_data["password"])
        return _place(request, transplant, form, now)

    if posted and (order := attempt(form, act)):
        said = "Order signed." if order.signed_at else "Order saved: it waits for the prescriber's signature."
        messages.success(request, f"{said} A course can be built from it.")
        return redirect("chart", patient_id=transplant.patient_id)
    context = case_frame(request, case, now) | {
        "form": form,
        "stopped": stopped,
        "may_withdraw": _may_withdraw(request, case.order),
        "may_build": may(request.membership, "build"),
    }
    return render(request, "regimens/order.html", context, status=422 if posted else 200)


@transaction.atomic
def _place(request: HttpRequest, transplant, form: OrderForm, now: datetime) -> Order:
    data = form.cleaned_data
    if data.get("antiviral"):
        record_antiviral(transplant, data, request.membership, now)
    return orders.place_order(
        transplant=transplant, protocol_code=data["protocol_code"], order=form.facts(now), by=request.membership, at=now
    )


def _may_withdraw(request: HttpRequest, order: Order | None) -> bool:
    by = request.membership
    return order is not None and (by.role == Role.PRESCRIBER or order.entered_by_id == by.pk)


def cosign(request: HttpRequest, order_id: int) -> HttpResponse:
    """The prescriber signs an order that another person entered, built or not."""
    order = order_for(request.membership, order_id)
    require(request.membership, "sign_order" if request.method == "POST" else "read_charts")
    form = SignForm(request.POST) if request.method == "POST" else SignForm()
    refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            signed_by(request, form.cleaned_data["password"])
            orders.cosign_order(order=order, by=request.membership, at=timezone.now())
        except Refusal as refused:
            refusal = add_refusal(form, refused)
        else:
            messages.success(request, "Order signed.")
            return redirect("orders")
    patient = order.transplant.patient
    context = patient_frame(patient, timezone.now()) | {
        "order": order,
        "is_own": order.prescriber_id == request.membership.pk,
        "form": form,
        "refusal": refusal,
        "back": reverse("orders"),
        **_ordered(order),
    }
    return render(request, "regimens/cosign.html", context, status=422 if request.method == "POST" else 200)


def _ordered(order: Order) -> dict[str, Any]:
    """The rows of an order and its protocol's title, as it was ordered."""
    monograph = order.course.monograph if order.course else planning.published()
    protocol = next((p for p in monograph.to_domain().protocols if p.code == order.protocol_code), None)
    return {"ordered_protocol": protocol, "ordered_rows": ordered_rows(order)}


def withdraw(request: HttpRequest, order_id: int) -> HttpResponse:
    """Take back an order that waits, with a reason."""
    order = order_for(request.membership, order_id)
    require(request.membership, "order")
    form = WithdrawOrderForm(request.POST) if request.method == "POST" else WithdrawOrderForm()

    def act() -> Order:
        reason = form.cleaned_data["reason"]
        return orders.withdraw_order(order=order, reason=reason, by=request.membership, at=timezone.now())

    if request.method == "POST" and attempt(form, act) is not None:
        messages.success(request, "Order withdrawn.")
        return redirect("chart", patient_id=order.transplant.patient_id)
    context = patient_frame(order.transplant.patient, timezone.now()) | {
        "order": order,
        "form": form,
        "back": reverse("order-new", args=[order.transplant_id]),
        **_ordered(order),
    }
    return render(request, "regimens/order_withdraw.html", context, status=422 if request.method == "POST" else 200)


# Lists ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order that waits for somebody, every value written."""

    pk: int
    name: str
    born: str
    mrn: str
    organs: str
    prescriber: str
    entered: str
    is_signed: bool
    url: str
    age: str = ""
    is_late: bool = False


def orders_to_build(centre: Centre) -> list[OrderRow]:
    """Orders of a centre that no course is built from yet, oldest first: for the worklist and the page of orders."""
    rows = Order.objects.filter(course=None, superseded_at=None, transplant__patient__centre=centre)
    return [_row(order, centre, "course-build") for order in _open(rows).order_by("entered_at", "pk")[:SHOWN]]


def orders_to_cosign(centre: Centre, now: datetime, value: MonographValue) -> list[OrderRow]:
    """Orders that somebody else entered and the prescriber has not signed, oldest first, with their age."""
    rows = Order.objects.filter(signed_at=None, superseded_at=None, transplant__patient__centre=centre)
    waiting = _open(rows).exclude(course__stopped_at__isnull=False).order_by("entered_at", "pk")[:SHOWN]
    return [
        replace(
            _row(order, centre, "order-cosign"),
            age=display.format_elapsed(order.ordered_at, now),
            is_late=now > orders.cosign_by(order, value),
        )
        for order in waiting
    ]


def _open(rows):
    return rows.filter(transplant__patient__closed_at=None).select_related("transplant__patient", "prescriber__user")


def _row(order: Order, centre: Centre, action: str) -> OrderRow:
    patient = order.transplant.patient
    return OrderRow(
        pk=order.pk,
        name=display.format_name(patient.family_name, patient.given_name),
        born=display.format_day(patient.birth_on),
        mrn=display.format_mrn(patient.mrn),
        organs=order.transplant.organ_names,
        prescriber=order.prescriber.user.printed_name,
        entered=display.format_instant(order.entered_at, centre.time_zone),
        is_signed=order.signed_at is not None,
        url=reverse(action, args=[order.transplant_id if action == "course-build" else order.pk]),
    )


def order_list(request: HttpRequest) -> HttpResponse:
    """Orders to build, and orders to co-sign with their age against the site's limit."""
    require(request.membership, "read_charts")
    centre, now, value = request.membership.centre, timezone.now(), planning.published().to_domain()
    within = value.limit("cosign_within_h")
    context = {
        "to_build": orders_to_build(centre),
        "to_cosign": orders_to_cosign(centre, now, value),
        "limit": display.format_unit(within.value, within.unit),
        "may_sign": may(request.membership, "sign_order"),
        "as_of": display.format_clock(now, centre.time_zone),
    }
    return render(request, "regimens/orders.html", context)


urls: list = [
    path("transplants/<uuid:transplant_id>/order/", order_new, name="order-new"),
    path("orders/", order_list, name="orders"),
    path("orders/<int:order_id>/sign/", cosign, name="order-cosign"),
    path("orders/<int:order_id>/withdraw/", withdraw, name="order-withdraw"),
]
