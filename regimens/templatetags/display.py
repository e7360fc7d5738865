"""How a dose, a date and a status are written: the only place, for templates and for views that format their own rows.

Every filter has a plain function beside it (``format_*``). A list page calls the function in its view, once per value,
because a filter in a 50-row template costs more than the whole page. Nothing here depends on a locale or on the browser
(hazards H04, H22). What is absent is written "Not recorded", never a blank or a question mark (CUI Date D+Ta-0022).

The library is built in for every template: no ``{% load %}`` is needed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from regimens.domain import units
from regimens.domain.monograph import Limit, SourceKind
from regimens.domain.reasons import KIND_WORDS

register = template.Library()

NOT_RECORDED = "Not recorded"
NBSP = units.NO_BREAK_SPACE


# Numbers ---------------------------------------------------------------------------------------------------------------------


def format_number(value: Decimal | int | None) -> str:
    """10500 is "10,500"; 70.50 is "70.5"; None is "Not recorded". A float or a text is refused with TypeError."""
    if value is None or value == "":
        return NOT_RECORDED
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError(f"a number on a page is a Decimal or an int, not {type(value).__name__}")
    return units.number(value)


def format_unit(value: Decimal | int | None, unit: str) -> str:
    """The number and its unit, which never part at a line's end: "10,500 mg"; "42 mL per h" for the unit "mL/h"."""
    text = format_number(value)
    return text if text == NOT_RECORDED else text + NBSP + unit.replace("/", " per ").replace(" ", NBSP)


def format_limit(limit: Limit) -> str:
    """A limit of the monograph as it is named in a sentence: "10 percent", "48 h"."""
    return format_unit(limit.value, limit.unit)


def format_rounded(value: Decimal, unit: str, places: int = 1) -> str:
    """The number rounded half up to so many decimals, with its unit: for volumes of rate steps, never for a dose."""
    return units.number(value, places) + NBSP + unit.replace("/", " per ").replace(" ", NBSP)


def format_pounds(weight_kg: Decimal | None) -> str:
    """ "about 154 lb" for 70 kg: an echo to catch a slip, never an input; "" when there is no weight."""
    return "" if weight_kg is None else units.pounds_echo(weight_kg)


def format_minutes(elapsed: Decimal | int | timedelta | None) -> str:
    """Elapsed time in whole hours and minutes, a part of a minute counted as one: 202.8 is "3 h 23 min"."""
    if elapsed is None:
        return NOT_RECORDED
    minutes = Decimal(round(elapsed.total_seconds())) / 60 if isinstance(elapsed, timedelta) else elapsed
    return units.duration_text(minutes)


def format_elapsed(since: datetime, until: datetime) -> str:
    """The whole minutes between two instants: "9 h 14 min". What is left is never written longer than it is."""
    return format_minutes(int((until - since).total_seconds() // 60))


# Days and instants -----------------------------------------------------------------------------------------------------------


def format_day(on: date | None) -> str:
    """A calendar day: 22-Nov-2026. An instant is refused with TypeError: it has no day until its zone is said."""
    if on is None:
        return NOT_RECORDED
    if isinstance(on, datetime):
        raise TypeError("an instant has no day without a zone: use instant")
    return units.day_text(on)


def format_weekday_day(on: date | None) -> str:
    """A calendar day with its weekday, which do not part: "Sun 22-Nov-2026"."""
    text = format_day(on)
    return text if on is None else units.WEEKDAYS[on.weekday()][:3] + NBSP + text


def format_span(opens_on: date, closes_on: date) -> str:
    """A window of whole days, both included: "01-Dec-2026 to 07-Dec-2026", or one day alone."""
    if opens_on == closes_on:
        return format_day(opens_on)
    return f"{format_day(opens_on)} to {format_day(closes_on)}"


def _zone(zone: str | ZoneInfo) -> ZoneInfo:
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo(zone)


def _local(at: datetime, zone: str | ZoneInfo) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant without a zone cannot be shown")
    return at.astimezone(_zone(zone))


def format_zone(at: datetime, zone: str | ZoneInfo) -> str:
    """The short name of the zone's time at an instant: "EST", or "UTC+05:30" where the zone has no letters."""
    local = _local(at, zone)
    letters = local.tzname() or ""
    if letters.isalpha():
        return letters
    offset = local.utcoffset() or timedelta()
    sign, minutes = ("-" if offset < timedelta() else "+"), abs(int(offset.total_seconds())) // 60
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def format_zone_city(zone: str | ZoneInfo) -> str:
    """The zone as people say it: "New York" for America/New_York."""
    return _zone(zone).key.rsplit("/", 1)[-1].replace("_", " ")


def _repeated_hour(local: datetime) -> bool:
    """Whether the wall clock shows this time twice, as on the night the clocks go back."""
    other = local.replace(fold=1 - local.fold).utcoffset()
    again = local.replace(fold=1 - local.fold).astimezone(UTC).astimezone(local.tzinfo)
    return other != local.utcoffset() and (again.hour, again.minute) == (local.hour, local.minute)


def format_clock(at: datetime | None, zone: str | ZoneInfo) -> str:
    """The 24-hour clock in a zone: "14:05". In the hour that comes twice the zone is said as well: "01:30 EDT" (hazard H16)."""
    if at is None:
        return NOT_RECORDED
    local = _local(at, zone)
    text = f"{local.hour:02d}:{local.minute:02d}"
    return f"{text}{NBSP}{format_zone(at, zone)}" if _repeated_hour(local) else text


def format_instant(at: datetime | None, zone: str | ZoneInfo, *, name_zone: bool = False) -> str:
    """Day and clock in a zone: "22-Nov-2026 14:05", and with ``name_zone`` "22-Nov-2026 14:05 EST"."""
    if at is None:
        return NOT_RECORDED
    clock = format_clock(at, zone)
    if name_zone and NBSP not in clock:
        clock += NBSP + format_zone(at, zone)
    return format_day(_local(at, zone).date()) + NBSP + clock


def format_told(at: datetime, zone: str | ZoneInfo, *, is_time_known: bool) -> str:
    """An instant that somebody told: day and clock, or the day alone where nobody knows the time."""
    return format_instant(at, zone) if is_time_known else format_day(_local(at, zone).date())


# People ----------------------------------------------------------------------------------------------------------------------


def format_name(family: str, given: str = "", title: str = "") -> str:
    """A patient's name as a list and the banner show it: "OKONKWO, Adaeze (Ms)"; a single name stands alone."""
    text = ", ".join(part for part in (family.strip().upper(), given.strip()) if part)
    return f"{text} ({title.strip()})" if title.strip() else text


def format_mrn(mrn: str) -> str:
    """A record number in groups of four, unbroken: "0042 7719". One that is not plain digits is left as it is."""
    if not (mrn.isascii() and mrn.isdigit() and len(mrn) > 5):
        return mrn
    return NBSP.join(mrn[start : start + 4] for start in range(0, len(mrn), 4))


def format_age(born_on: date, on: date) -> str:
    """Age on a day: "47y"; "4y 3m" below 18 years; "18m" below 2 years; "23w" below 1 year; "12d" below 4 weeks."""
    days = (on - born_on).days
    if days < 0:
        raise ValueError("a day before birth has no age")
    years = units.age_on(born_on, on)
    months = (on.year - born_on.year) * 12 + on.month - born_on.month - (on.day < born_on.day)
    if years >= 18:
        return f"{years}y"
    if years >= 2:
        return f"{years}y{NBSP}{months - 12 * years}m" if months > 12 * years else f"{years}y"
    if months >= 12:
        return f"{months}m"
    return f"{days // 7}w" if days >= 28 else f"{days}d"


# Status ----------------------------------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """How a status is shown. Shape and word carry the meaning; the tone (a colour) only repeats it."""

    mark: str
    word: str
    tone: str


STATUS: dict[str, Look] = {
    # a planned dose at an instant (regimens/domain/status.py)
    "upcoming": Look("○", "Upcoming", "plain"),
    "due": Look("◐", "Due", "info"),
    "overdue": Look("▲", "Overdue", "warn"),
    "missed": Look("■", "Missed", "missed"),
    "held": Look("◫", "On hold", "warn"),
    "passed_on_hold": Look("■", "Passed on hold", "missed"),
    "in_progress": Look("◑", "Infusing", "live"),
    "given": Look("●", "Given", "good"),
    "partial": Look("◐", "Partial", "warn"),
    "disputed": Look("◫", "Disputed, do not give", "urgent"),
    "omitted": Look("✕", "Omitted", "closed"),
    "cancelled": Look("✕", "Cancelled", "closed"),
    "before_referral": Look("✕", "Not given here", "closed"),
    "superseded": Look("✕", "Replaced", "closed"),
    # how a given dose lay in its window
    "given_early": Look("●", "Given early", "good"),
    "given_late": Look("●", "Given late", "good"),
    "given_outside": Look("●", "Given outside window", "warn"),
    "given_elsewhere": Look("◈", "Given elsewhere", "good"),
    # what is asked of whom
    "query_open": Look("◇", "Query open", "todo"),
    "query_late": Look("▲", "Query late", "warn"),
    "query_answered": Look("●", "Answered", "good"),
    "planned": Look("○", "Planned", "plain"),
    "within_72_h": Look("◆", "72 h", "urgent"),
    "outside_72_h": Look("■", "Outside 72 h", "missed"),
    "verify": Look("◇", "Verify", "todo"),
    "verified": Look("◈", "Verified", "good"),
    "released": Look("◈", "Released", "good"),
    "prepared": Look("◈", "Prepared", "good"),
    "infusing": Look("◑", "Infusing", "live"),
    "paused": Look("◑", "Paused", "warn"),
    "stopped": Look("✕", "Stopped", "closed"),
    "entered_in_error": Look("✕", "Entered in error", "closed"),
    # courses and monographs
    "active": Look("◑", "Active", "live"),
    "completed": Look("●", "Completed", "good"),
    "draft": Look("◇", "Draft", "plain"),
    "submitted": Look("◇", "Submitted", "todo"),
    "published": Look("●", "Published", "good"),
    "retired": Look("✕", "Retired", "closed"),
    "discarded": Look("✕", "Discarded", "closed"),
    # shown in red: it stops
    "off_label": Look("✕", "OFF-LABEL", "hard"),
    "stop": Look("✕", "Stop", "hard"),
}


def format_status(status: str, word: str = "") -> SafeString:
    """The status as shape, word and color. ``word`` says it more closely ("9 h 14 min left"). KeyError: unknown status."""
    look = STATUS[str(status)]
    return format_html(
        '<span class="tag tag-{}"><span class="mark" aria-hidden="true">{}</span> {}</span>',
        look.tone,
        look.mark,
        word or look.word,
    )


# For templates ---------------------------------------------------------------------------------------------------------------

register.filter("number", format_number)
register.filter("unit", format_unit)
register.filter("per", format_unit)
register.filter("unit_rounded", format_rounded)
register.filter("pounds_echo", format_pounds)
register.filter("minutes_long", format_minutes)
register.filter("day", format_day)
register.filter("weekday_day", format_weekday_day)
register.filter("clock", format_clock)
register.filter("instant", format_instant)
register.filter("zone_city", format_zone_city)
register.filter("mrn", format_mrn)
register.filter("age", format_age)
register.simple_tag(format_status, name="status_tag")
register.simple_tag(format_instant, name="instant")
register.simple_tag(format_span, name="span")


@register.filter
def patient_name(patient: Any) -> str:
    """The name of anything with family_name, given_name and title, as the banner writes it."""
    return format_name(patient.family_name, patient.given_name, patient.title)


@register.inclusion_tag("components/banner.html")
def patient_banner(
    patient: Any,
    *,
    today: date,
    zone: str | ZoneInfo = "UTC",
    weight: Any = None,
    name_alert: str = "",
    precautions: Any = (),
) -> dict[str, Any]:
    """The banner of one patient, the same on every page that is about one patient (CUI PAB).

    ``today`` is the centre's calendar day; ``zone`` its time zone; ``weight`` the latest valid measurement (weight_kg,
    measured_at); ``name_alert`` the sentence of a look-alike; ``precautions`` sentences to be seen on every page.
    """
    closed_on = _local(patient.closed_at, zone).date() if patient.closed_at else None
    died = patient.closed_reason == "died"
    return {
        "id": patient.pk,
        "name": format_name(patient.family_name, patient.given_name, patient.title),
        "born": format_day(patient.birth_on),
        "age": format_age(patient.birth_on, closed_on if died and closed_on else today),
        "sex": patient.get_sex_display(),
        "mrn": format_mrn(patient.mrn),
        "ward": patient.ward,
        "weight": format_unit(weight.weight_kg, "kg") if weight else "",
        "weighed": format_day(_local(weight.measured_at, zone).date()) if weight else "",
        "allergy_state": str(patient.allergy_state),
        "allergy_words": patient.get_allergy_state_display(),
        "allergies": patient.allergies,
        "died": died,
        "closed": format_day(closed_on) if closed_on else "",
        "closed_words": patient.get_closed_reason_display() if closed_on else "",
        "name_alert": name_alert,
        "precautions": precautions,
    }


# The monograph's own text ----------------------------------------------------------------------------------------------------


@register.filter
def source_word(kind: str) -> str:
    """Who says so, in words: "Label"."""
    return KIND_WORDS[SourceKind(kind)]


@register.simple_tag
def light_markup(text: str) -> SafeString:
    """Paragraphs and "- " lists of a monograph's section; everything else in it is text and is escaped (H19)."""
    blocks = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        if all(line.startswith("- ") for line in lines):
            blocks.append(format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((line[2:],) for line in lines))))
        else:
            blocks.append(format_html("<p>{}</p>", " ".join(lines)))
    return format_html_join("", "{}", ((block,) for block in blocks))
