"""The home page: what needs somebody now, most urgent first. Nothing on it is stored; it is right with no job running.

Five statements whatever the rows: session, person with role, doses, counts, and all that waits besides (waiting.py). Values are
written here, not in the template.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import (
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.models import Centre, Membership
from patients.names import Known, mistakable
from patients.roles import may
from regimens.domain.clock import last_day, local_day
from regimens.models import Limit, PlannedDose, Release
from regimens.models.status import IN_HOURS_SQL, in_hours_sql, open_status_sql, with_hold
from regimens.templatetags import display
from regimens.views import waiting
from regimens.views.rows import short_title

STATUS_WORD = {"target": "due", "next": "upcoming"}
PAGE_ROWS = 50
AHEAD = timedelta(days=7)
WIDEST_WINDOW = timedelta(days=30)  # held by the constraint window_is_at_most_30_days
COUNT_LIMIT = 1000

GROUPS = (
    ("missed", "Missed: a prescriber decides"),
    ("initial", "Time running: no days of grace after this window"),
    ("overdue", "Overdue"),
    ("target", "Target day today"),
    ("due", "Window open"),
    ("next", "Opens in the next 7 days"),
    ("held", "On hold: nothing starts until it is resumed"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line, with every value already written."""

    pk: str
    status: str
    name: str
    alike: bool
    born: str
    mrn: str
    ward: str
    dose: str
    amount: str
    when: str
    verify: bool
    url: str
    action: str


@dataclass(frozen=True, slots=True)
class Group:
    code: str
    title: str
    count: str
    rows: list[Row]


def worklist(request: HttpRequest) -> HttpResponse:
    """The groups of open doses, running infusions and plans to verify of one centre."""
    if not may(request.membership, "read_charts"):
        return redirect("monograph")  # the editor and the administrator see no patient; the monograph is for everybody
    now = timezone.now()
    centre = request.membership.centre
    after = _position(request.GET.get("after", ""))
    doses = open_doses(centre, now, after)
    today = local_day(now, centre.time_zone)
    counts, people = counts_of(centre, now)
    waits = waiting.read_waiting(request.membership, now, today)
    alike = mistakable(people | waiting.people_in(waits))
    context = {
        "groups": _grouped(doses[:PAGE_ROWS], counts, request.membership, now, alike),
        "waiting": waiting.parts(waits, alike, centre.time_zone),
        "counts": counts,
        "shown": min(len(doses), PAGE_ROWS),
        "total": _capped(sum(counts[code] for code, _ in GROUPS)),
        "next_page": _mark(doses[PAGE_ROWS - 1]) if len(doses) > PAGE_ROWS else "",
        "as_of": display.format_clock(now, centre.time_zone),
        "today": display.format_weekday_day(today),
        "is_later_page": bool(after),
    }
    template = "regimens/_worklist.html" if request.htmx else "regimens/worklist.html"
    return render(request, template, context)


def open_doses(centre: Centre, now: datetime, after: tuple[datetime, uuid.UUID] | None = None) -> list[dict[str, Any]]:
    """Doses of a centre that are missed, open, or open within 7 days: by closing instant, one more than a page."""
    rows = PlannedDose.objects.filter(
        centre=centre, settled_at=None, closes_at__lt=now + AHEAD + WIDEST_WINDOW, opens_at__lt=now + AHEAD
    )
    # Nothing is due for somebody who died or was transferred (hazard H25); reopening the chart brings it back.
    rows = rows.filter(course__patient__closed_at=None)
    if after:
        rows = _after(rows, after)
    page = rows.order_by("closes_at", "pk").values("pk")[: PAGE_ROWS + 1]
    rows_of_page: Iterable[Any] = (
        with_hold(PlannedDose.objects.filter(pk__in=page), now)
        .annotate(
            status=open_status_sql(now),
            is_in_hours=in_hours_sql(),
            released=Exists(_good_releases(now)),
        )
        .order_by("closes_at", "pk")
        .values(
            "pk",
            "status",
            "title",
            "number",
            "dose_mg",
            "target_on",
            "opens_at",
            "is_in_hours",
            "closes_at",
            "verified_at",
            "booked_for",
            "released",
            "course_id",
            patient_id=F("course__patient_id"),
            family=F("course__patient__family_name"),
            given=F("course__patient__given_name"),
            born_on=F("course__patient__birth_on"),
            mrn=F("course__patient__mrn"),
            ward=F("course__patient__ward"),
        )
    )
    return list(rows_of_page)


def _good_releases(now: datetime) -> QuerySet[Release]:
    """The releases of a dose (of an outer query) that still hold: not withdrawn, and within the hours of the course's monograph."""
    limit = Limit.objects.filter(monograph=OuterRef("dose__course__monograph"), code="release_within_h").values("value")[:1]
    hours = Cast(Subquery(limit), FloatField()) * Value(timedelta(hours=1), output_field=DurationField())
    lasts_until = F("released_at") + ExpressionWrapper(hours, output_field=DurationField())
    rows = Release.objects.filter(dose=OuterRef("pk"), withdrawn_at=None)
    return rows.annotate(lasts_until=ExpressionWrapper(lasts_until, output_field=DateTimeField())).filter(lasts_until__gte=now)


def _after(rows, after: tuple[datetime, uuid.UUID]):
    """Keyset paging: rows behind a position, by the index's own order."""
    at, pk = after
    return rows.filter(closes_at__gte=at).exclude(closes_at=at, pk__lte=pk)


def _mark(row: dict) -> str:
    return f"{row['closes_at'].timestamp():.6f}_{row['pk']}"


def _position(mark: str) -> tuple[datetime, uuid.UUID] | None:
    """The position a "next page" link carries; a mangled one is the first page."""
    stamp, _, pk = mark.partition("_")
    try:
        return datetime.fromtimestamp(float(stamp), tz=UTC), uuid.UUID(pk)
    except (ValueError, OverflowError, OSError):
        return None


# The same rule as open_status_sql, once for a whole page: a test compares both over every state of a dose.
COUNTS_SQL = f"""
WITH open AS (
    SELECT d.opens_at, d.overdue_at, d.closes_at, d.target_on, d.course_id, {IN_HOURS_SQL} AS in_hours,
           CASE WHEN d.booked_for >= d.opens_at AND d.booked_for < d.closes_at AND NOT {IN_HOURS_SQL}
                THEN d.booked_for ELSE d.overdue_at END AS overdue_from,
           p.name_key, p.birth_on, p.mrn
    FROM regimens_planneddose d
    JOIN regimens_protocoldose r ON r.id = d.protocol_dose_id
    JOIN regimens_course c ON c.id = d.course_id
    JOIN patients_patient p ON p.id = c.patient_id AND p.closed_at IS NULL
    WHERE d.centre_id = %(centre)s AND d.settled_at IS NULL AND d.closes_at < %(horizon)s AND d.opens_at < %(ahead)s
    ORDER BY d.closes_at LIMIT 1001
), told AS (
    SELECT open.*, CASE
        WHEN h.held_at < closes_at AND closes_at <= %(now)s AND (h.resumed_at IS NULL OR closes_at <= h.resumed_at) THEN 'missed'
        WHEN h.held_at <= %(now)s AND closes_at > %(now)s AND (h.resumed_at IS NULL OR h.resumed_at > %(now)s) THEN 'held'
        WHEN opens_at > %(now)s THEN 'next'
        WHEN overdue_from > %(now)s AND in_hours THEN 'initial'
        WHEN overdue_from > %(now)s AND target_on = %(today)s THEN 'target'
        WHEN overdue_from > %(now)s THEN 'due'
        WHEN closes_at > %(now)s THEN 'overdue'
        ELSE 'missed' END AS code
    FROM open LEFT JOIN LATERAL (
        SELECT held_at, resumed_at FROM regimens_hold h
        WHERE h.course_id = open.course_id AND h.held_at <= least(%(now)s, open.closes_at)
          AND (h.resumed_at IS NULL OR h.resumed_at >= least(%(now)s, open.closes_at))
        ORDER BY held_at LIMIT 1
    ) h ON true
)
SELECT count(*) FILTER (WHERE code = 'missed'), count(*) FILTER (WHERE code = 'initial'), count(*) FILTER (WHERE code = 'overdue'),
       count(*) FILTER (WHERE code = 'target'), count(*) FILTER (WHERE code = 'due'), count(*) FILTER (WHERE code = 'next'),
       count(*) FILTER (WHERE code = 'held'),
       string_agg(concat_ws(E'\\x1f', name_key, birth_on, mrn), E'\\x1e')
FROM told
"""  # noqa: S608 (put together from a constant)


def counts_of(centre: Centre, now: datetime) -> tuple[dict[str, int], set[Known]]:
    """How many rows each group has in all, whatever page is shown, counted up to 1,000; and whom these rows are about."""
    today = local_day(now, centre.time_zone)
    with connection.cursor() as cursor:
        cursor.execute(
            COUNTS_SQL,
            {"centre": centre.pk, "now": now, "ahead": now + AHEAD, "horizon": now + AHEAD + WIDEST_WINDOW, "today": today},
        )
        *counts, told = cursor.fetchone()
    people = {
        Known(key, date.fromisoformat(born), mrn)
        for key, born, mrn in (person.split("\x1f") for person in (told.split("\x1e") if told else ()))
    }
    return dict(zip((code for code, _ in GROUPS), counts, strict=True)), people


def _capped(count: int) -> str:
    return f"{COUNT_LIMIT:,}+" if count > COUNT_LIMIT else f"{count:,}"


def _grouped(doses: list[dict], counts: dict[str, int], by: Membership, now: datetime, alike: frozenset[str]) -> list[Group]:
    today = local_day(now, by.centre.time_zone)
    rows: dict[str, list[Row]] = {code: [] for code, _ in GROUPS}
    for dose in doses:
        code = group_of(dose, today)
        rows[code].append(_row(dose, code, by, now, dose["mrn"] in alike))
    return [Group(code, title, _capped(counts[code]), rows[code]) for code, title in GROUPS if counts[code]]


def group_of(dose: dict, today: date) -> str:
    """The group that a row of :func:`open_doses` belongs to."""
    if dose["status"] in ("missed", "passed_on_hold"):
        return "missed"
    if dose["status"] in ("overdue", "held"):
        return str(dose["status"])
    if dose["status"] == "upcoming":
        return "next"
    if dose["is_in_hours"]:
        return "initial"
    return "target" if dose["target_on"] == today else "due"


def _row(dose: dict, code: str, by: Membership, now: datetime, alike: bool) -> Row:
    url, action = _act(dose, code, by)
    return Row(
        pk=str(dose["pk"]),
        status=_status(dose, code, now),
        name=display.format_name(dose["family"], dose["given"]),
        alike=alike,
        born=display.format_day(dose["born_on"]),
        mrn=display.format_mrn(dose["mrn"]),
        ward=dose["ward"],
        dose=short_title(dose["title"]),
        amount=display.format_unit(dose["dose_mg"], "mg"),
        when=_when(dose, code, by.centre, now),
        verify=not dose["verified_at"],
        url=url,
        action=action,
    )


def _act(dose: dict, code: str, by: Membership) -> tuple[str, str]:
    """Where a row leads and the word for it: the one act that the dose waits for, where this person may do it."""
    pk = dose["pk"]
    if code == "missed":
        return reverse("decide", args=[pk]), "Decide" if may(by, "decide_missed") else "Open"
    if code == "held":
        return reverse("chart", args=[dose["patient_id"]]), "Open"
    if not dose["verified_at"]:
        return reverse("verify", args=[dose["course_id"]]), "Verify"
    if code == "next":
        return reverse("chart", args=[dose["patient_id"]]), "Open"
    if not dose["released"] and may(by, "release_dose"):
        return reverse("release", args=[pk]), "Release"
    return reverse("dose", args=[pk]), "Open"


def _status(dose: dict, code: str, now: datetime) -> str:
    """The status; for a window without grace the hours that are left of it."""
    if code != "initial":
        return display.format_status(STATUS_WORD.get(code, dose["status"]))
    return display.format_status("within_72_h", f"{display.format_elapsed(now, dose['closes_at'])} left")


def _when(dose: dict, code: str, centre: Centre, now: datetime) -> str:
    """The one time that matters for the row's group."""
    zone = centre.time_zone
    if code == "missed":
        return f"closed {display.format_instant(dose['closes_at'], zone)}"
    if code == "initial":
        return f"until {display.format_instant(dose['closes_at'], zone)}"
    if code == "next":
        return display.format_weekday_day(dose["target_on"])
    if code != "held" and dose["booked_for"]:
        return f"booked {display.format_instant(dose['booked_for'], zone)}"
    last_on = last_day(dose["closes_at"], zone)
    return f"{display.format_weekday_day(dose['target_on'])}, last day {display.format_day(last_on)}"


urls = [path("", worklist, name="worklist")]
