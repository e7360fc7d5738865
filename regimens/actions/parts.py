"""The parts of a bedside record: rates, vital signs, reactions and vials, as typed and as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from patients.models import Membership
from patients.refusal import Refusal
from regimens.actions.charting import VITALS_RULE, not_in_future, to_minute
from regimens.domain.monograph import Monograph as MonographValue
from regimens.models import Administration, Lot, Moment, RateChange, Reaction, VialUse, VitalSigns

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class VialFacts:
    """What was used of one lot: mL infused and mL thrown away, from one vial or several."""

    lot_number: str
    expires_on: date
    given_ml: Decimal
    wasted_ml: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class VitalsFacts:
    """One set of vital signs, or why it was not taken."""

    taken_at: datetime
    moment: str
    systolic_mmhg: int | None = None
    diastolic_mmhg: int | None = None
    heart_rate_per_min: int | None = None
    temperature_c: Decimal | None = None
    spo2_percent: int | None = None
    not_taken_reason: str = ""


@dataclass(frozen=True, slots=True)
class ReactionFacts:
    """One reaction, by the monograph's term or in free words."""

    onset_at: datetime
    term: str
    is_serious: bool
    action_taken: str
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class RateFacts:
    """The pump set to this rate at this instant; 0 is a pause."""

    set_at: datetime
    rate_ml_per_h: Decimal
    reason: str = ""


def lot_numbers(vials: Iterable[VialFacts]) -> set[str]:
    """The lots that vials come from."""
    return {vial.lot_number.strip() for vial in vials}


def save_rates(record: Administration, rates: Iterable[RateFacts], by: Membership, at: datetime) -> list[RateChange]:
    """The pump's settings, in order of time."""
    return RateChange.objects.bulk_create(
        RateChange(
            administration=record,
            at=r.set_at,
            rate_ml_per_h=r.rate_ml_per_h,
            reason=r.reason.strip(),
            recorded_by=by,
            recorded_at=at,
        )
        for r in sorted(rates, key=lambda r: r.set_at)
    )


def save_vitals(record: Administration, rows: Sequence[VitalsFacts], by: Membership, at: datetime) -> list[VitalSigns]:
    """Vital signs as taken, or the reason why not; refused when neither is there."""
    for row in rows:
        not_in_future(row.taken_at, at, "taken_at", "Vital signs")
        if row.moment not in Moment.values:
            raise Refusal("vitals_moment", "Choose when the vital signs were taken.", field="moment")
        needed = (row.systolic_mmhg, row.diastolic_mmhg, row.heart_rate_per_min, row.temperature_c)
        if None in needed and not row.not_taken_reason.strip():
            raise Refusal(
                "vitals_incomplete",
                "Enter blood pressure, heart rate and temperature, or say why they were not taken.",
                source=VITALS_RULE,
                field="not_taken_reason",
            )
        if row.systolic_mmhg and row.diastolic_mmhg and row.diastolic_mmhg >= row.systolic_mmhg:
            raise Refusal("blood_pressure", "The diastolic pressure is below the systolic one.", field="diastolic_mmhg")
    return VitalSigns.objects.bulk_create(
        VitalSigns(
            administration=record,
            at=row.taken_at,
            moment=row.moment,
            systolic_mmhg=row.systolic_mmhg,
            diastolic_mmhg=row.diastolic_mmhg,
            heart_rate_per_min=row.heart_rate_per_min,
            temperature_c=row.temperature_c,
            spo2_percent=row.spo2_percent,
            not_taken_reason=row.not_taken_reason.strip(),
            recorded_by=by,
            recorded_at=at,
        )
        for row in rows
    )


def save_reactions(record: Administration, rows: Sequence[ReactionFacts], by: Membership, at: datetime) -> list[Reaction]:
    """Reactions with their onset, never before the infusion began."""
    for row in rows:
        not_in_future(row.onset_at, at, "onset_at", "A reaction")
        if to_minute(row.onset_at) < to_minute(record.started_at):
            raise Refusal("reaction_before_start", "The reaction would have begun before the infusion.", field="onset_at")
        if not row.term.strip() or not row.action_taken.strip():
            raise Refusal(
                "reaction_incomplete",
                "Name the reaction and what was done.",
                field="term" if not row.term.strip() else "action_taken",
            )
    return Reaction.objects.bulk_create(
        Reaction(
            administration=record,
            onset_at=row.onset_at,
            term=row.term.strip(),
            is_serious=row.is_serious,
            action_taken=row.action_taken.strip(),
            outcome=row.outcome.strip(),
            recorded_by=by,
            recorded_at=at,
        )
        for row in rows
    )


def split_over_vials(given_ml: Decimal, wasted_ml: Decimal, vial_ml: Decimal) -> list[tuple[Decimal, Decimal]]:
    """(given, wasted) per vial: whole vials first, then the one of which a part was thrown away; none beyond its size."""
    rows = []
    while given_ml > 0 or wasted_ml > 0:
        given = min(given_ml, vial_ml)
        wasted = min(wasted_ml, vial_ml - given)
        rows.append((given, wasted))
        given_ml, wasted_ml = given_ml - given, wasted_ml - wasted
    return rows


def save_vials(
    record: Administration, rows: Sequence[VialFacts], value: MonographValue, by: Membership, at: datetime
) -> list[VialUse]:
    """One row per vial, each with its lot; a lot is known to the centre from its first vial. Three statements."""
    if not rows:
        return []
    for row in rows:
        if not row.lot_number.strip():
            raise Refusal("lot_number", "Enter the lot number on the vial.", field="lot_number")
        if row.given_ml < 0 or row.wasted_ml < 0 or not row.given_ml + row.wasted_ml:
            raise Refusal("vial_volume", "Enter how many mL of this lot were given or wasted.", field="given_ml")
    product = value.product
    lots = {(row.lot_number.strip(), row.expires_on) for row in rows}
    Lot.objects.bulk_create(
        (
            Lot(centre_id=record.centre_id, product_code=product.code, number=number, expires_on=on)
            for number, on in sorted(lots)
        ),
        ignore_conflicts=True,
    )
    known = {
        (lot.number, lot.expires_on): lot
        for lot in Lot.objects.filter(
            centre_id=record.centre_id, product_code=product.code, number__in=[number for number, _ in lots]
        )
    }
    return VialUse.objects.bulk_create(
        VialUse(
            administration=record,
            lot=known[row.lot_number.strip(), row.expires_on],
            given_ml=given,
            wasted_ml=wasted,
            recorded_by=by,
            recorded_at=at,
        )
        for row in rows
        for given, wasted in split_over_vials(row.given_ml, row.wasted_ml, product.vials[0].volume_ml)
    )
