"""The gate of the core: what is not an exact number in its range, or not an instant, is refused by name and never clamped."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .monograph import Limit
from .reasons import Refused
from .units import day_text, number, with_unit

ENTRY = "Rules for entering numbers"
LARGEST_POWER = 9  # of ten, either way: beyond it arithmetic is no longer exact, and nothing here is that large or small
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
FIRST_INSTANT, NO_INSTANT_FROM = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
CALENDAR = f"{day_text(FIRST_DAY)} to {day_text(LAST_DAY)}"
FIELD_WORDS = {
    "weight_kg": "Weight",
    "planned_weight_kg": "Planned weight",
    "latest_weight_kg": "Latest weight",
    "mg_per_kg": "Dose per kg",
    "cap_mg_per_kg": "Cap",
    "highest_mg_per_kg": "Highest dose per kg",
    "pump_increment_ml_per_h": "Pump increment",
    "ceiling_mg_per_kg_per_h": "Rate ceiling",
    "resume_rate_ml_per_h": "Rate",
    "begin_within_h": "Begin within",
    "finish_within_h": "Finish within",
    "rounding.max_percent": "Rounding",
    "volume_in_ml": "Volume in",
    "started_at": "Start",
    "starts_at": "Start",
    "previous_started_at": "Start of the dose before",
    "entered_at": "Vial entry",
    "referred_at": "Referral",
    "born_on": "Date of birth",
    "on": "Day",
    "at": "Time",
    "target_on": "Target day",
    "sampled_on": "Day of the sample",
    "sampled_at": "Sample",
    "removal_at": "Antibody removal",
    "released_at": "Release",
    "first_dose_on": "Day of the first dose",
    "last_given_on": "Day of the last dose",
    "concentration_mg_per_ml": "Concentration",
}


def words(field: str) -> str:
    """A field as people call it; its own name where it has no other."""
    return FIELD_WORDS.get(field, field)


def exact(value: object, field: str, unit: str = "") -> Decimal:
    """The value itself when it is a finite Decimal; a float, a string or NaN is Refused ("not_a_decimal"), and so is a number
    of more digits than can be reckoned with ("out_of_reach").
    """
    if isinstance(value, Decimal) and value.is_finite():
        if not value or -LARGEST_POWER <= value.adjusted() < LARGEST_POWER:
            return value
        raise Refused(
            "out_of_reach",
            f"{words(field)}: {value} is too large or too small a number.",
            source=ENTRY,
            field=field,
            value=str(value),
            limit=f"{LARGEST_POWER} digits before the point, {LARGEST_POWER} after",
        )
    raise Refused(
        "not_a_decimal",
        f"{words(field)}: {value} is not an exact number{' of ' + unit if unit else ''}.",
        source=ENTRY,
        field=field,
        value=str(value),
        limit="an exact number",
    )


def positive(value: object, field: str, unit: str) -> Decimal:
    """A Decimal above zero, or Refused ("not_positive")."""
    amount = exact(value, field, unit)
    if amount <= 0:
        raise Refused(
            "not_positive",
            f"{words(field)}: {with_unit(amount, unit)} must be more than 0.",
            source=ENTRY,
            field=field,
            value=amount,
            limit="more than 0",
        )
    return amount


def within(value: Decimal, field: str, unit: str, low: Limit, high: Limit) -> Decimal:
    """The value when low ≤ value ≤ high; else Refused ("below_limit", "above_limit") with the limit and its source."""
    if value < low.value:
        sentence = f"{words(field)}: {with_unit(value, unit)} is below {with_unit(low.value, unit)}."
        raise Refused("below_limit", sentence, source=low.source, field=field, value=value, limit=low.value)
    if value > high.value:
        sentence = f"{words(field)}: {with_unit(value, unit)} is above {with_unit(high.value, unit)}."
        raise Refused("above_limit", sentence, source=high.source, field=field, value=value, limit=high.value)
    return value


def at_most_decimals(value: Decimal, field: str, places: int) -> Decimal:
    """The value when it needs no more than so many decimals; else Refused ("too_many_decimals")."""
    if value.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR) != value:
        raise Refused(
            "too_many_decimals",
            f"{words(field)}: {number(value)} has more than {places} decimals.",
            source=ENTRY,
            field=field,
            value=value,
            limit=f"{places} decimals",
        )
    return value


def not_longer(value: Decimal, limit: Limit, field: str) -> Decimal:
    """A site's own time limit: it may shorten the monograph's, never lengthen it."""
    if positive(value, field, limit.unit) > limit.value:
        sentence = f"{words(field)}: a site may only shorten {with_unit(limit.value, limit.unit)}."
        raise Refused("only_shorter", sentence, source=limit.source, field=field, value=value, limit=limit.value)
    return value


def instant(value: object, field: str) -> datetime:
    """An aware instant, in UTC; a naive one is Refused ("no_zone") because nobody can tell when it was, and one before 1900 or
    after 2199 as well ("beyond_calendar").
    """
    if isinstance(value, datetime) and value.utcoffset() is not None:
        if FIRST_INSTANT <= value < NO_INSTANT_FROM:
            return value.astimezone(UTC)
        raise _beyond_calendar(value, field)
    raise Refused(
        "no_zone",
        f"{words(field)}: a date and time needs its time zone.",
        source="Time rules",
        field=field,
        value=str(value),
        limit="an instant with a zone",
    )


def zone(name: str, field: str = "zone_name") -> ZoneInfo:
    """The named time zone; Refused ("unknown_zone") when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(
            "unknown_zone",
            f"There is no time zone called {name!r}.",
            source="Time rules",
            field=field,
            value=name,
            limit="an IANA zone name",
        ) from None


def day(value: object, field: str) -> date:
    """A calendar day, not an instant; Refused ("not_a_day") otherwise, and before 1900 or after 2199 ("beyond_calendar")."""
    if isinstance(value, date) and not isinstance(value, datetime):
        if FIRST_DAY <= value <= LAST_DAY:
            return value
        raise _beyond_calendar(value, field)
    raise Refused(
        "not_a_day",
        f"{words(field)}: {value} is not a calendar day.",
        source="Time rules",
        field=field,
        value=str(value),
        limit="a calendar day",
    )


def _beyond_calendar(value: date, field: str) -> Refused:
    return Refused(
        "beyond_calendar",
        f"{words(field)}: {day_text(value)} is not from {CALENDAR}.",
        source="Time rules",
        field=field,
        value=day_text(value),
        limit=CALENDAR,
    )
