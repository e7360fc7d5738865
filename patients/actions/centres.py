"""Centers, their policy and the days on which they are closed. ``by=None`` is the installation itself, as with accounts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction

from patients import audit
from patients.actions.accounts import Actor, check_administers
from patients.actions.common import plain_refusals, short_text
from patients.models import Centre, ClosedDay, Membership
from patients.names import clean_name
from patients.refusal import Refusal
from patients.when import local_day, zone_named

SHORTEST_PROTOCOL = 10  # characters of a name with its date


@transaction.atomic
def create_centre(*, by: Actor, at: datetime, name: str, time_zone: str, phone: str, **policy: Any) -> Centre:
    """A new centre, by the installation or a superuser. ``policy`` holds its other columns, such as ``is_demonstration``."""
    if isinstance(by, Membership):
        raise Refusal("role", "A new center is made when the product is installed.")
    check_administers(by)
    centre = Centre(**_clean({"name": name, "time_zone": time_zone, "phone": phone} | policy))
    audit.event("create_centre", by=by, at_stated=at, centre=centre.name)
    with plain_refusals():
        centre.save(force_insert=True)
    return centre


@transaction.atomic
def correct_centre(*, by: Actor, at: datetime, centre: Centre, **changes: Any) -> Centre:
    """A centre with some of its columns changed: name, time_zone, phone and its policy.

    Refused: an administrator of another centre; a value outside its limits; "protocol_name" for a collaborative protocol too short
    to be a name and a date.
    """
    centre = Centre.objects.select_for_update().get(pk=centre.pk)
    check_administers(by, centre)
    changed = {name: value for name, value in _clean(changes).items() if value != getattr(centre, name)}
    if not changed:
        return centre
    audit.event("correct_centre", by=by, at_stated=at, centre=centre.pk, changed=list(changed))
    for name, value in changed.items():
        setattr(centre, name, value)
    with plain_refusals():
        centre.save(update_fields=list(changed))
    return centre


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    """The same columns, those that somebody typed as they are stored."""
    clean = dict(values)
    if "name" in clean:
        clean["name"] = clean_name(clean["name"], field="name", what="name of the center", required=True)
    if "time_zone" in clean:
        clean["time_zone"] = str(zone_named(clean["time_zone"]))
    if "phone" in clean:
        clean["phone"] = short_text(clean["phone"], field="phone", what="telephone number", limit=40)
    if "collaborative_protocol" in clean:
        clean["collaborative_protocol"] = _protocol(clean["collaborative_protocol"])
    return clean


def _protocol(text: str) -> str:
    name = short_text(text, field="collaborative_protocol", what="name of the protocol", limit=120)
    if 0 < len(name) < SHORTEST_PROTOCOL:
        sentence = f"Give the name and the date of the signed document, in at least {SHORTEST_PROTOCOL} characters."
        raise Refusal("protocol_name", sentence, field="collaborative_protocol")
    return name


@transaction.atomic
def add_closed_day(*, by: Actor, at: datetime, centre: Centre, on: date, title: str) -> ClosedDay:
    """One more day on which this centre gives no planned infusions, from today on; no dose moves.

    Refused: an administrator of another centre; a day that is over ("day_is_past"), is listed already
    ("closed_day_is_listed_once") or has no title ("title_needed").
    """
    check_administers(by, centre)
    _refuse_past(on, centre, at, "A day that is over is not closed any more.")
    title = short_text(title, field="title", what="title", limit=80)
    if not title:
        raise Refusal("title_needed", "Say why the center is closed on that day.", field="title")
    audit.event("add_closed_day", by=by, at_stated=at, centre=centre.pk, on=on)
    with plain_refusals():
        return ClosedDay.objects.create(centre=centre, on=on, title=title)


@transaction.atomic
def remove_closed_day(*, by: Actor, at: datetime, closed_day: ClosedDay) -> ClosedDay:
    """The center works on this day after all; the row is kept.

    Refused: an administrator of another centre; a day that is over ("day_is_past"), beside which doses were planned as they are;
    one that was removed already ("removed_already").
    """
    closed_day = ClosedDay.objects.select_for_update(of=("self",)).select_related("centre").get(pk=closed_day.pk)
    check_administers(by, closed_day.centre)
    if closed_day.removed_at:
        raise Refusal("removed_already", f"{closed_day.title} was removed from the list already.")
    _refuse_past(closed_day.on, closed_day.centre, at, f"{closed_day.title} is over, and stays on the list as it was.")
    audit.event("remove_closed_day", by=by, at_stated=at, centre=closed_day.centre_id, on=closed_day.on)
    closed_day.removed_at = at
    with plain_refusals():
        closed_day.save(update_fields=["removed_at"])
    return closed_day


def _refuse_past(on: date, centre: Centre, at: datetime, sentence: str) -> None:
    if on < local_day(at, centre.time_zone):
        raise Refusal("day_is_past", sentence, field="on")
