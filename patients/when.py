"""Typed dates and times, and the instants they mean in a zone. Pure: no clock, no database, no page.

Dates are read as 22-Nov-2026 or 2026-11-22 and nothing else: 03/04/2026 is two different days to two different readers (G3).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from patients.refusal import Refusal

TIME_RULES = "Time rules"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOW_TO_WRITE = "Write the date as 22-Nov-2026 (or 2026-11-22)."
OLDEST_YEARS = 120
AHEAD = timedelta(days=1)

_CLINICAL = re.compile(r"([0-9]{2})-([A-Za-z]{3})-([0-9]{4})", re.ASCII)
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def day_text(on: date) -> str:
    """``22-Nov-2026``, whatever the locale."""
    return f"{on.day:02d}-{MONTHS[on.month - 1]}-{on.year:04d}"


def weekday_text(on: date) -> str:
    """``Sun 22-Nov-2026``: the echo after a date was typed."""
    return f"{WEEKDAYS[on.weekday()]} {day_text(on)}"


def instant_text(at: datetime, zone_name: str) -> str:
    """``22-Nov-2026 14:05`` on the clock of a zone, with the zone's abbreviation where the hour comes twice that day."""
    local = at.astimezone(ZoneInfo(zone_name))
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{day_text(local.date())} {local:%H:%M}" + (f" {local.tzname()}" if twice else "")


def _not_a_date(sentence: str) -> Refusal:
    return Refusal("date_text", sentence, source=TIME_RULES)


def parse_day(text: str) -> date:
    """A typed calendar day. Refused ("date_text") in every other form, and for a day that no calendar has."""
    typed = text.strip(" ")
    if not typed:
        raise _not_a_date(f"Enter a date. {HOW_TO_WRITE}")
    if match := _CLINICAL.fullmatch(typed):
        month = match[2].capitalize()
        if month not in MONTHS:
            raise _not_a_date(f"There is no month {match[2]}. Use the first three letters: {', '.join(MONTHS)}.")
        year, month_number, day = int(match[3]), MONTHS.index(month) + 1, int(match[1])
    elif match := _ISO.fullmatch(typed):
        year, month_number, day = int(match[1]), int(match[2]), int(match[3])
    else:
        raise _not_a_date(_what_is_wrong(typed))
    if not 1900 <= year <= 2100:
        raise _not_a_date(f"The year {year:04d} is outside 1900 to 2100.")
    try:
        return date(year, month_number, day)
    except ValueError:
        raise _not_a_date("That day does not exist in the calendar.") from None


def _what_is_wrong(typed: str) -> str:
    if re.fullmatch(r"[0-9]{1,4}[/.][0-9]{1,2}[/.][0-9]{1,4}", typed, re.ASCII):
        return f"That could be two different days: day and month can be swapped. {HOW_TO_WRITE}"
    if re.fullmatch(r"[0-9]{1,2}-[A-Za-z]{3,}-[0-9]{2}", typed, re.ASCII):
        return f"Write the year with four digits. {HOW_TO_WRITE}"
    if re.fullmatch(r"[0-9]-[A-Za-z]{3}-[0-9]{4}", typed, re.ASCII):
        return f"Write the day with two digits, such as 0{typed}."
    return HOW_TO_WRITE


def parse_clock(text: str) -> time:
    """A typed time of the 24-hour clock, ``14:05``. Refused ("time_text") in every other form."""
    typed = text.strip(" ")
    match = _CLOCK.fullmatch(typed)
    if match:
        return time(int(match[1]), int(match[2]))
    if typed == "24:00":
        sentence = "Midnight is 00:00 of the next day."
    elif re.search(r"[ap]\.?m", typed, re.IGNORECASE):
        sentence = "Use the 24-hour clock: 14:05, not 2:05 in the afternoon."
    else:
        sentence = "Write the time on the 24-hour clock with a colon, such as 14:05 or 09:30."
    raise Refusal("time_text", sentence, source=TIME_RULES)


def zone_named(zone_name: str) -> ZoneInfo:
    """The zone of that name; refused ("zone") where there is none."""
    try:
        return ZoneInfo(zone_name)
    except (KeyError, ValueError, OSError):
        raise Refusal("zone", "There is no time zone of that name.", source=TIME_RULES, field="zone_name") from None


def comes_twice(on: date, clock: time, zone_name: str) -> bool:
    """Whether the clocks go back over this wall-clock time, so that a day has it twice."""
    wall = datetime.combine(on, clock, tzinfo=zone_named(zone_name))
    first, second = wall.replace(fold=0).utcoffset(), wall.replace(fold=1).utcoffset()
    assert first is not None and second is not None  # a zone always knows its offset
    return first > second


def instant_of(on: date, clock: time, zone_name: str, which: int | None = None) -> datetime:
    """The UTC instant of a wall-clock time (H15, H16).

    ``which`` (1 the first, 2 the second) is asked only where a time comes twice. Refused: "time_gap" for a time the clocks
    jump over, "time_twice" for one that comes twice and nobody said which.
    """
    wall = datetime.combine(on, clock, tzinfo=zone_named(zone_name))
    first, second = wall.replace(fold=0).utcoffset(), wall.replace(fold=1).utcoffset()
    assert first is not None and second is not None
    shown = f"{day_text(on)} {clock:%H:%M}"
    if first < second:
        raise Refusal(
            "time_gap",
            f"{shown} does not exist in {zone_name}: the clocks go forward over it. Use the time that the clock shows.",
            source=TIME_RULES,
        )
    if first > second and which not in (1, 2):
        raise Refusal(
            "time_twice",
            f"{shown} comes twice in {zone_name}, because the clocks go back. Choose the first or the second.",
            source=TIME_RULES,
        )
    return (wall.replace(tzinfo=None) - (second if which == 2 else first)).replace(tzinfo=UTC)


def day_begins(on: date, zone_name: str) -> datetime:
    """The first instant of a calendar day in a zone, in UTC, where only the date is known.

    Where the clocks jump over midnight it is the moment after the jump; where midnight comes twice, the first one.
    """
    wall = datetime(on.year, on.month, on.day, tzinfo=zone_named(zone_name))
    before = wall.utcoffset()
    assert before is not None  # a zone always knows its offset
    # The clocks that jump over midnight jump at midnight: read with the offset before it, 00:00 is the jump itself.
    return (wall.replace(tzinfo=None) - before).replace(tzinfo=UTC)


def local_day(at: datetime, zone_name: str) -> date:
    """The calendar day of an instant in a zone."""
    return at.astimezone(zone_named(zone_name)).date()


def check_birth(birth_on: date, today: date) -> date:
    """The birth date when it is possible today: not in the future and not more than 120 years ago."""
    if birth_on > today:
        sentence = f"{day_text(birth_on)} is in the future. Check the year."
        raise Refusal("birth_future", sentence, source=TIME_RULES, field="birth_on")
    if today.year - birth_on.year - ((today.month, today.day) < (birth_on.month, birth_on.day)) > OLDEST_YEARS:
        sentence = f"That would be more than {OLDEST_YEARS} years old. Check the year."
        raise Refusal("birth_too_old", sentence, source=TIME_RULES, field="birth_on")
    return birth_on


def check_transplant(reperfusion_at: datetime, *, birth_on: date, zone_name: str, at: datetime) -> datetime:
    """The instant of reperfusion when it is possible: on or after the day of birth, and at most one day ahead of now."""
    if local_day(reperfusion_at, zone_name) < birth_on:
        raise Refusal(
            "transplant_before_birth",
            f"The transplant would be before the birth on {day_text(birth_on)}.",
            source=TIME_RULES,
            field="reperfusion_at",
        )
    if reperfusion_at > at + AHEAD:
        sentence = "A transplant can be entered at most one day ahead."
        raise Refusal("transplant_too_far_ahead", sentence, source=TIME_RULES, field="reperfusion_at")
    return reperfusion_at


def check_past(instant: datetime, *, at: datetime, field: str, what: str) -> datetime:
    """The instant itself unless it lies in the future."""
    if instant > at:
        sentence = f"{what} cannot be in the future. Check the date and the time."
        raise Refusal("in_the_future", sentence, source=TIME_RULES, field=field)
    return instant
