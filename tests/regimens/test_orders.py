"""The prescriber's order: placed, co-signed, withdrawn, and built exactly as it was ordered."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from patients import actions
from patients.models import Transplant
from patients.refusal import Refusal
from regimens.actions import orders
from regimens.models import Order
from tests.factories import NOW, make_member, make_weight, order_anew
from tests.regimens.courses import Team, doses_of, make_course, make_recipient, make_team, order_of, verify

pytestmark = pytest.mark.django_db


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}: ")


def place(team: Team, transplant: Transplant, *, protocol_code: str = "kidney", **facts: Any) -> Order:
    """The prescriber's own order, signed, unless ``by`` or ``order`` say otherwise."""
    by, at = facts.pop("by", team.prescriber), facts.pop("at", NOW)
    given = {"is_signed": by == team.prescriber} | facts
    return orders.place_order(
        transplant=transplant, protocol_code=protocol_code, order=order_of(team, at, **given), by=by, at=at
    )


def test_a_course_is_built_from_the_order_that_waits_and_takes_it_along() -> None:
    team = make_team()
    transplant = make_recipient(team)
    order = place(team, transplant, ceiling_mg_per_kg_per_h=Decimal(30), instructions="Paracetamol 500 mg before")
    assert order.signed_at == NOW
    assert order.ordered_rows[0] == ["W0", "150"]
    course = make_course(team, transplant)
    assert course.orders.get() == order
    assert {dose.ceiling_mg_per_kg_per_h for dose in doses_of(course)} == {Decimal(30)}
    assert orders.waiting_order(transplant) is None


def test_nothing_is_built_without_an_order_nor_beside_one_that_came_in_meanwhile() -> None:
    team = make_team()
    transplant = make_recipient(team)
    place(team, transplant)
    with refused("order_waiting"):
        make_course(team, transplant, order=order_of(team))
    orders.withdraw_order(order=Order.objects.get(), reason="Graft lost", by=team.prescriber, at=NOW)
    with refused("no_order"):
        make_course_without_order(team, transplant)


def make_course_without_order(team: Team, transplant: Transplant) -> None:
    from regimens.actions import courses, planning

    courses.build_course(
        transplant=transplant,
        choices=planning.Choices(protocol_code="kidney"),
        weight=transplant.patient.weights.get(),
        choice_reason="Kidney alone",
        beside=courses.Beside(prior_ig="no"),
        by=team.builder,
        at=NOW,
    )


def test_a_plan_that_differs_from_its_order_is_not_built() -> None:
    team = make_team()
    transplant = make_recipient(team, organs=["kidney", "pancreas"])
    order = place(team, transplant, protocol_code="other_organ")
    with refused("order_differs"):
        make_course(team, transplant, protocol_code="kidney")
    rows = [[code, "60" if code == "W12" else mg] for code, mg in order.ordered_rows]
    order_anew(order, ordered_rows=rows)
    with refused("order_differs"):
        make_course(team, transplant, protocol_code="other_organ")


def test_an_order_is_built_until_its_last_day_and_not_after_it() -> None:
    team = make_team()
    transplant = make_recipient(team)
    with refused("order_expires"):
        place(team, transplant, expires_on=date(2026, 11, 21))
    place(team, transplant, expires_on=date(2026, 11, 22))
    with refused("order_expired"):
        make_course(team, transplant, at=NOW + timedelta(hours=14))  # 00:00 in New York
    assert make_course(team, transplant, at=NOW + timedelta(hours=14, seconds=-1)).pk


def test_a_later_order_replaces_the_one_that_waits() -> None:
    team = make_team()
    transplant = make_recipient(team)
    first, second = place(team, transplant), place(team, transplant, indication="Prophylaxis, agreed on the round")
    first.refresh_from_db()
    assert first.superseded_at == NOW
    assert orders.waiting_order(transplant) == second


def test_by_telephone_it_is_read_back_and_waits_for_the_prescriber_alone() -> None:
    team = make_team()
    transplant = make_recipient(team)
    with refused("not_read_back"):
        place(team, transplant, by=team.nurse, mode="telephone")
    order = place(team, transplant, by=team.nurse, mode="telephone", is_read_back=True, is_signed=True)
    assert order.signed_at is None, "nobody signs for the prescriber"
    with refused("role"):
        orders.cosign_order(order=order, by=team.builder, at=NOW)
    with refused("not_your_order"):
        orders.cosign_order(order=order, by=make_member("prescriber", centre=team.centre), at=NOW)
    assert orders.cosign_order(order=order, by=team.prescriber, at=NOW).signed_at == NOW


def test_a_prescriber_signs_in_person_and_for_nobody_else() -> None:
    team = make_team()
    transplant = make_recipient(team)
    with refused("order_unsigned"):
        place(team, transplant, is_signed=False)
    other = make_member("prescriber", centre=team.centre)
    with refused("order_unsigned"):
        place(team, transplant, by=other, is_signed=True)
    for role in ("technician", "coordinator", "auditor"):
        with refused("role"):
            place(team, transplant, by=make_member(role, centre=team.centre), is_signed=False)


def test_a_prescriber_who_builds_without_the_password_has_not_signed() -> None:
    team = make_team()
    course = make_course(team, by=team.prescriber)
    assert course.orders.get().signed_at is None
    signed = make_course(team, by=team.prescriber, order=order_of(team, is_signed=True))
    assert signed.orders.get().signed_at == NOW


def test_off_label_use_is_never_ordered_by_telephone() -> None:
    team = make_team()
    transplant = make_recipient(team, organs=["hsct"])
    reason = {"off_label_reason": "Severe pneumonitis, ganciclovir failed"}
    with refused("off_label_by_telephone"):
        place(team, transplant, protocol_code="hsct_pneumonitis", by=team.nurse, mode="telephone", is_read_back=True, **reason)
    assert place(team, transplant, protocol_code="hsct_pneumonitis", **reason).signed_at


@pytest.mark.parametrize(
    ("organs", "donor", "protocol_code", "asks"),
    [
        (["heart"], "positive", "other_organ", True),
        (["kidney", "pancreas"], "positive", "kidney", True),
        (["hsct"], "unknown", "hsct_pneumonitis", True),
        (["heart"], "negative", "other_organ", False),
        (["kidney"], "positive", "kidney", False),
    ],
)
def test_the_antiviral_is_recorded_before_the_order_and_before_the_course(
    organs: list[str], donor: str, protocol_code: str, asks: bool
) -> None:
    team = make_team()
    transplant = make_recipient(team, organs=organs, donor_cmv_igg=donor, antiviral="not_recorded")
    facts = {"protocol_code": protocol_code, "off_label_reason": "Severe pneumonitis, ganciclovir failed"}
    if asks:
        with refused("antiviral_not_recorded"):
            place(team, transplant, **facts)
        with refused("antiviral_not_recorded"):
            make_course(
                team,
                transplant,
                protocol_code=protocol_code,
                first_dose_on=NOW.date(),
                order=order_of(team, off_label_reason=facts["off_label_reason"]),
            )
        actions.correct_transplant(
            transplant=transplant, version=1, reason="Asked the ward", antiviral="none", by=team.builder, at=NOW
        )
    assert place(team, transplant, **facts).pk


def test_a_contraindication_stops_the_order_too() -> None:
    team = make_team()
    with refused("contraindicated"):
        place(team, make_recipient(team, answers={"iga_deficiency": "present"}))


def test_vials_are_rounded_only_where_the_center_allows_it_and_not_for_a_child() -> None:
    team = make_team()
    transplant = make_recipient(team)
    with refused("rounding_not_allowed"):
        place(team, transplant, allows_vial_rounding=True)
    actions.correct_centre(by=None, at=NOW, centre=team.centre, vial_rounding_percent=Decimal(5))
    assert place(team, transplant, allows_vial_rounding=True).allows_vial_rounding
    transplant.patient.birth_on = date(2008, 11, 23)
    type(transplant.patient).objects.filter(pk=transplant.patient_id).update(birth_on=date(2008, 11, 23))
    with refused("rounding_not_allowed"):
        place(team, transplant, allows_vial_rounding=True)


def test_the_dry_weight_is_ordered_only_where_one_is_on_record_and_built_as_ordered() -> None:
    team = make_team()
    transplant = make_recipient(team)  # weighed after the operation
    with refused("no_dry_weight"):
        place(team, transplant, weight_basis="dry")
    dry = make_weight(
        transplant.patient,
        "62",
        measured_at=transplant.reperfusion_at - timedelta(hours=6),
        by=team.builder,
        reason="Fluid since",
    )
    place(team, transplant, weight_basis="dry")
    with refused("order_differs"):
        make_course(team, transplant)
    course = make_course(team, transplant, weight=dry)
    assert {dose.weight_kg for dose in doses_of(course)} == {Decimal(62)}
    assert "at the dry weight, 62\u00a0kg (latest 70\u00a0kg)" in course.choice_reason
    assert not course.weights_kept.exists()
    verify(team, course, at=NOW)
    kept = course.weights_kept.get()
    assert (kept.weight.weight_kg, kept.kept_by) == (70, team.verifier), "the signature is the word on the newer weight"


@pytest.mark.parametrize(("dry_kg", "kept"), [("64", 0), ("63", 1)])
def test_only_a_difference_of_ten_percent_is_signed_for(dry_kg: str, kept: int) -> None:
    team = make_team()
    transplant = make_recipient(team)
    dry = make_weight(
        transplant.patient,
        dry_kg,
        measured_at=transplant.reperfusion_at - timedelta(hours=6),
        by=team.builder,
        reason="Fluid since",
    )
    place(team, transplant, weight_basis="dry")
    assert verify(team, make_course(team, transplant, weight=dry), at=NOW).weights_kept.count() == kept


def test_an_order_is_withdrawn_by_who_entered_it_or_a_prescriber_until_it_is_built() -> None:
    team = make_team()
    transplant = make_recipient(team)
    order = place(team, transplant, by=team.nurse, mode="telephone", is_read_back=True)
    with refused("not_your_order"):
        orders.withdraw_order(order=order, reason="Wrong patient", by=team.builder, at=NOW)
    with refused("reason_needed"):
        orders.withdraw_order(order=order, reason=" ", by=team.nurse, at=NOW)
    assert orders.withdraw_order(order=order, reason="Wrong patient", by=team.nurse, at=NOW).superseded_at == NOW
    with refused("order_not_waiting"):
        orders.withdraw_order(order=order, reason="Wrong patient", by=team.prescriber, at=NOW)
    make_course(team, transplant)
    with refused("order_not_waiting"):
        orders.withdraw_order(order=transplant.orders.get(superseded_at=None), reason="Too late", by=team.prescriber, at=NOW)
