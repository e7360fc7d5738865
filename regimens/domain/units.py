"""How exact numbers, days and instants are handled and written: decimals only, units named, one way to write each.

Writing follows safe-prescribing habits: no trailing zero, a leading zero, a comma from 1,000, a no-break space before the unit,
22-Nov-2026 and the 24-hour clock. Nothing here depends on a locale.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

NO_BREAK_SPACE = "\u00a0"
KG_PER_POUND = Decimal("0.45359237")  # exact by definition of the international pound
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MICROSECONDS_PER_MINUTE = 60_000_000


def number(value: Decimal | int, places: int | None = None) -> str:
    """The value as people read it: "10,500", "70.5", "0.5". With ``places`` it is first rounded half up to so many."""
    exact = Decimal(value)
    if places is not None:
        exact = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{exact:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def with_unit(value: Decimal | int, unit: str, places: int | None = None) -> str:
    """The number and its unit with a no-break space between: "10,500 mg"."""
    return f"{number(value, places)}{NO_BREAK_SPACE}{unit}"


def day_text(on: date) -> str:
    """A calendar day as it stands on every page and sheet: 22-Nov-2026."""
    return f"{on.day:02d}-{MONTHS[on.month - 1]}-{on.year:04d}"


def instant_text(at: datetime, zone_name: str) -> str:
    """An instant on the wall clock of a zone, with the zone named: 22-Nov-2026 14:05 (America/New_York)."""
    return f"{_wall_clock(at.astimezone(ZoneInfo(zone_name)))} ({zone_name})"


def wall_text(at: datetime, zone_name: str) -> str:
    """The same where the zone is named once for everything: 22-Nov-2026 14:05. An hour that comes twice says which it is."""
    local = at.astimezone(ZoneInfo(zone_name))
    comes_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{_wall_clock(local)}{NO_BREAK_SPACE}{local.tzname()}" if comes_twice else _wall_clock(local)


def _wall_clock(local: datetime) -> str:
    return f"{day_text(local.date())} {local.hour:02d}:{local.minute:02d}"


def duration_text(minutes: Decimal | int) -> str:
    """Elapsed minutes in whole hours and minutes, the part minute rounded up: 202.8 is "3 h 23 min"."""
    hours, rest = divmod(whole_minutes(Decimal(minutes)), 60)
    if not hours:
        return with_unit(rest, "min")
    return f"{with_unit(hours, 'h')} {with_unit(rest, 'min')}" if rest else with_unit(hours, "h")


def pounds(weight_kg: Decimal) -> int:
    """The weight in whole pounds, rounded half up: an echo to catch a slip, never an input."""
    return int((weight_kg / KG_PER_POUND).quantize(Decimal(1), ROUND_HALF_UP))


def pounds_echo(weight_kg: Decimal) -> str:
    """ "about 154 lb" for 70 kg."""
    return f"about {with_unit(pounds(weight_kg), 'lb')}"


def floor_to(value: Decimal, increment: Decimal) -> Decimal:
    """The largest multiple of ``increment`` not above ``value`` (both positive): never rounded up."""
    return value // increment * increment


def ceil_div(value: Decimal, size: Decimal) -> int:
    """How many pieces of ``size`` hold ``value``: 210 mL in 50 mL vials is 5."""
    return int((value / size).to_integral_value(ROUND_CEILING))


def whole_minutes(minutes: Decimal) -> int:
    """Minutes rounded up to a whole minute: a planned end is never printed too early."""
    return int(minutes.to_integral_value(ROUND_CEILING))


def elapsed(minutes: Decimal) -> timedelta:
    """Decimal minutes as elapsed time, to the microsecond, downwards."""
    return timedelta(microseconds=int((minutes * MICROSECONDS_PER_MINUTE).to_integral_value(ROUND_FLOOR)))


def decimals(value: Decimal) -> int:
    """How many decimals the value needs when written without trailing zeros: 70.50 needs one."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def add_months(on: date, months: int) -> date:
    """The same day so many calendar months later, or the last day of that month where it is shorter."""
    year, month0 = divmod(on.year * 12 + on.month - 1 + months, 12)
    day = on.day
    while True:
        try:
            return date(year, month0 + 1, day)
        except ValueError:
            day -= 1


def age_on(born_on: date, on: date) -> int:
    """Completed years of age on a day. Someone born on 29 February has the birthday on 1 March in other years."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))
