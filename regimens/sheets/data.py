"""What stands on a dose sheet, as plain values.

Amounts are exact Decimals, written here by the same rules as on screen; days, instants and names arrive as the words to print.
The sentences that a sheet and its page on screen share are made here, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from regimens.domain.units import NO_BREAK_SPACE, duration_text, number, whole_minutes, with_unit

VOLUME_PLACES = 2
CONCENTRATION_UNIT = "mg per mL"
RATE_UNIT = "mL per h"


def _duration(minutes: Decimal) -> str:
    """A span of time that is never parted at the end of a line."""
    return duration_text(minutes).replace(" ", NO_BREAK_SPACE)


class AllergyState(StrEnum):
    """Exactly one of four stands in every banner (NHS common user interface, patient banner)."""

    KNOWN = "Known allergies"
    NONE_KNOWN = "No known allergies"
    NOT_RECORDED = "Allergies not recorded"
    UNAVAILABLE = "Allergies unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """Whose sheet this is; printed on every page. ``weight_text`` is amount, how and when it was measured."""

    family_name: str
    given_name: str
    title: str
    born: str  # 14-Jul-1979
    age: str  # 47y
    sex: str
    record_number: str
    ward: str
    weight_kg: Decimal
    weight_how: str  # bed scale, STATED WEIGHT
    weight_when: str  # 21-Nov-2026 06:20
    allergy_state: AllergyState
    allergies: tuple[str, ...] = ()
    name_alert: str = ""  # who else of a similar name is about

    @property
    def name(self) -> str:
        """FAMILY, Given (Title); a person with one name has only that."""
        names = ", ".join(part for part in (self.family_name.upper(), self.given_name) if part)
        return f"{names} ({self.title})" if self.title else names

    @property
    def weight(self) -> str:
        """The weight with its unit."""
        return with_unit(self.weight_kg, "kg")

    @property
    def allergy_text(self) -> str:
        """What is known, after the state's own words."""
        return "; ".join(self.allergies)


@dataclass(frozen=True, slots=True)
class RateStep:
    """One step of the pump. The last one runs to the end; ``minutes`` is then what is left."""

    rate_ml_per_h: Decimal
    minutes: Decimal
    volume_ml: Decimal
    note: str = ""  # "limit 75 mL per h", "15 mg per kg per h"


@dataclass(frozen=True, slots=True)
class VitalsMoment:
    """When vital signs are taken: "Before start" at "minute 0"."""

    label: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VialPlan:
    """How many vials are opened, and what is used of the last one. A vial is supply, never the dose."""

    count: int
    size_ml: Decimal
    content_mg: Decimal
    whole: int
    last_use_ml: Decimal
    last_discard_ml: Decimal

    @property
    def needed(self) -> str:
        """ "5 (2.5 g in 50 mL)" """
        content = with_unit(self.content_mg / 1000, "g")
        return f"{self.count} ({content} in {with_unit(self.size_ml, 'mL')})"

    @property
    def last_vial(self) -> str:
        """ "Vials 1–4 whole; from vial 5 use 10 mL, discard 40 mL." Hanging every vial whole would exceed the dose (H49)."""
        if self.whole == 0:
            whole = ""
        elif self.whole == 1:
            whole = "Vial 1 whole"
        else:
            whole = f"Vials 1–{self.whole} whole"
        if not self.last_use_ml:
            return f"{whole}; nothing to discard."
        use, discard = with_unit(self.last_use_ml, "mL"), with_unit(self.last_discard_ml, "mL")
        rest = f"from vial {self.whole + 1} use {use}, discard {discard}."
        return f"{whole}; {rest}" if whole else rest[0].upper() + rest[1:]


@dataclass(frozen=True, slots=True)
class VialClock:
    """Time limits that run from entering a vial, in minutes. ``latest_start_minutes`` leaves room to finish in time."""

    begin_within_minutes: Decimal
    finish_within_minutes: Decimal
    latest_start_minutes: Decimal  # 0 or less: such an infusion cannot be started from these vials

    @property
    def sentence(self) -> str:
        """Both limits in words."""
        begin, finish = _duration(self.begin_within_minutes), _duration(self.finish_within_minutes)
        return f"Begin within {begin} and finish within {finish} of entering the first vial."

    @property
    def latest_start(self) -> str:
        """ "5 h 40 min after entering the first vial", rounded down: a limit is never printed too late."""
        if self.latest_start_minutes <= 0:
            return "not possible, the infusion takes longer than the limit"
        return f"{_duration(Decimal(int(self.latest_start_minutes)))} after entering the first vial"


@dataclass(frozen=True, slots=True)
class Verification:
    """Who signed what this sheet says, when, and what the signature means."""

    name: str
    role: str
    at: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One print of a sheet. ``replaces`` names the earlier copies that are to be destroyed."""

    number: int
    printed_by: str
    printed_at: str
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateRow:
    """A step as the table prints it."""

    number: int
    rate: str
    lasts: str
    volume: str
    begins: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseSheet:
    """Everything on the sheet of one dose. Without ``verification`` it is a draft: marked, with no signature, code or QR."""

    banner: Banner
    # Which dose
    dose_number: int
    dose_count: int
    visit: str  # Week 2
    due: str  # Fri 04-Dec-2026, window 01-Dec-2026 to 07-Dec-2026
    course: str  # Kidney, prophylaxis · transplanted 20-Nov-2026
    plan_version: str
    monograph_version: str
    code: str  # 7F3A-91C2
    check_url: str  # opaque, no patient data
    valid_until: str
    # What
    generic_name: str
    brand_name: str
    concentration_mg_per_ml: Decimal
    dose_mg: Decimal
    mg_per_kg: Decimal
    volume_ml: Decimal
    vials: VialPlan
    handling: tuple[str, ...]
    vial_clock: VialClock
    # How fast
    rate_table: str  # First infusion
    rate_table_reason: str
    rate_ceiling: str  # Never above 75 mL per h
    steps: tuple[RateStep, ...]
    total_minutes: Decimal
    flush: str
    vitals: tuple[VitalsMoment, ...]
    observation: str
    # Watch for
    precautions: tuple[str, ...]
    orders: tuple[str, ...]  # premedication, hydration, as-needed medicines
    missed_advice: str
    centre: str
    centre_phone: str
    # Who and when
    copy: Copy
    zone: str  # New York time
    sources: tuple[str, ...]
    verification: Verification | None = None
    off_label: str = ""  # reason and prescriber
    decided: str = ""  # what was decided after the dose was missed or stopped, by whom, and when
    check_weight_and_code: bool = False  # for a down-time pack, printed ahead of the day
    is_remainder: bool = False  # what was left of a stopped dose
    rounded_from_mg: Decimal | None = None  # the ordered dose, where it was rounded to whole vials

    @property
    def is_draft(self) -> bool:
        """Nothing that is not verified may look like an order (H23)."""
        return self.verification is None

    @property
    def dose(self) -> str:
        """ "10,500 mg" """
        return with_unit(self.dose_mg, "mg")

    @property
    def volume(self) -> str:
        """ "210 mL" """
        return with_unit(self.volume_ml, "mL")

    @property
    def arithmetic(self) -> str:
        """The working of dose and volume, for whoever checks it by hand."""
        dose = f"{self.banner.weight} × {with_unit(self.mg_per_kg, 'mg per kg')} = {self.dose}"
        if self.is_remainder:
            dose = f"what was left of the stopped dose = {self.dose}"
        elif self.rounded_from_mg is not None:
            ordered = with_unit(self.rounded_from_mg, "mg")
            percent = number((self.dose_mg - self.rounded_from_mg) * 100 / self.rounded_from_mg, 2)
            product = f"{self.banner.weight} × {with_unit(self.mg_per_kg, 'mg per kg')} = {ordered}"
            dose = f"{product} ordered, {percent} percent to whole vials = {self.dose}"
        return f"{dose}; {self.dose} ÷ {self.concentration} = {self.volume}"

    @property
    def concentration(self) -> str:
        """ "50 mg per mL" """
        return with_unit(self.concentration_mg_per_ml, CONCENTRATION_UNIT)

    @property
    def vtbi(self) -> str:
        """The volume to be infused, and how it comes out of the vials."""
        return f"VTBI {self.volume}. {self.vials.last_vial}"

    @property
    def total_duration(self) -> str:
        """Pump time of all steps together."""
        return _duration(self.total_minutes)

    @property
    def rate_rows(self) -> tuple[RateRow, ...]:
        """The steps as printed: each with the minute at which it begins."""
        return tuple(self._rate_rows())

    def _rate_rows(self) -> Iterator[RateRow]:
        begins = Decimal(0)
        for index, step in enumerate(self.steps, start=1):
            last = index == len(self.steps)
            lasts = f"to the end, {_duration(step.minutes)}" if last else _duration(step.minutes)
            yield RateRow(
                number=index,
                rate=with_unit(step.rate_ml_per_h, RATE_UNIT),
                lasts=lasts,
                volume=with_unit(step.volume_ml, "mL", VOLUME_PLACES),
                begins=f"minute {number(whole_minutes(begins))}",
                note=step.note,
            )
            begins += step.minutes
