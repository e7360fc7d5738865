"""The home page: what needs somebody now, most urgent first. Nothing on it is stored; it is right with no job running.

Five statements whatever the rows: session, person with role, doses, infusions with plans to verify, counts. Values are written
here, not in the template.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import CharField, Exists, F, OuterRef, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from patients.models import Centre
from patients.roles import may
from regimens.domain.clock import last_day
from regimens.models import Administration, Course, PlannedDose
from regimens.models.status import open_status_sql, with_hold
from regimens.templatetags import display
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
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line, with every value already written."""

    pk: str
    status: str
    name: str
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
    infusing, to_verify = _infusing_and_to_verify(centre)
    counts = _counts(centre, now)
    groups = _grouped(doses[:PAGE_ROWS], counts, centre, now, may(request.membership, "decide_missed"))
    local = now.astimezone(ZoneInfo(centre.time_zone))
    context = {
        "groups": groups,
        "infusing": infusing,
        "to_verify": to_verify,
        "counts": counts,
        "shown": min(len(doses), PAGE_ROWS),
        "total": _capped(sum(counts[code] for code, _ in GROUPS)),
        "next_page": _mark(doses[PAGE_ROWS - 1]) if len(doses) > PAGE_ROWS else "",
        "as_of": display.format_clock(now, centre.time_zone),
        "today": display.format_weekday_day(local.date()),
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
        .annotate(status=open_status_sql(now))
        .order_by("closes_at", "pk")
        .values(
            "pk",
            "status",
            "title",
            "number",
            "dose_mg",
            "target_on",
            "opens_at",
            "overdue_at",
            "closes_at",
            "verified_at",
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


def _infusing_and_to_verify(centre: Centre) -> tuple[list[dict], list[dict]]:
    """Running infusions and plans that wait for a second pharmacist, in one statement."""
    infusing = (
        Administration.objects.filter(centre=centre, ended_at=None, error_at=None)
        .annotate(kind=Value("infusing", CharField()), since=F("started_at"), what=F("dose__title"))
        .values_list(
            "kind", "pk", "patient__family_name", "patient__given_name", "patient__mrn", "patient__birth_on", "since", "what"
        )
    )
    waiting = (
        Course.objects.filter(patient__centre=centre, stopped_at=None)
        .filter(Exists(PlannedDose.objects.filter(course=OuterRef("pk"), centre=centre, settled_at=None, verified_at=None)))
        .annotate(kind=Value("verify", CharField()), since=F("built_at"), what=F("protocol__title"))
        .values_list(
            "kind", "pk", "patient__family_name", "patient__given_name", "patient__mrn", "patient__birth_on", "since", "what"
        )
    )
    rows = infusing.union(waiting, all=True).order_by("since")[: 2 * PAGE_ROWS]
    found: dict[str, list[dict]] = {"infusing": [], "verify": []}
    for kind, pk, family, given, mrn, born_on, since, what in rows:
        found[kind].append(
            {
                "name": display.format_name(family, given),
                "mrn": display.format_mrn(mrn),
                "born": display.format_day(born_on),
                "since": display.format_instant(since, centre.time_zone),
                "what": what or "Unplanned infusion",
                "url": reverse("infusion", args=[pk]) if kind == "infusing" else reverse("verify", args=[pk]),
            }
        )
    return found["infusing"], found["verify"]


COUNTS_SQL = """
WITH open AS (
    SELECT d.opens_at, d.overdue_at, d.closes_at, d.target_on
    FROM regimens_planneddose d
    JOIN regimens_course c ON c.id = d.course_id
    JOIN patients_patient p ON p.id = c.patient_id AND p.closed_at IS NULL
    WHERE d.centre_id = %(centre)s AND d.settled_at IS NULL AND d.closes_at < %(horizon)s AND d.opens_at < %(ahead)s
    ORDER BY d.closes_at LIMIT 1001
)
SELECT count(*) FILTER (WHERE closes_at <= %(now)s),
       count(*) FILTER (WHERE closes_at > %(now)s AND opens_at <= %(now)s AND overdue_at = closes_at),
       count(*) FILTER (WHERE closes_at > %(now)s AND overdue_at <= %(now)s),
       count(*) FILTER (WHERE overdue_at > %(now)s AND opens_at <= %(now)s AND overdue_at < closes_at AND target_on = %(today)s),
       count(*) FILTER (WHERE overdue_at > %(now)s AND opens_at <= %(now)s AND overdue_at < closes_at AND target_on <> %(today)s),
       count(*) FILTER (WHERE opens_at > %(now)s)
FROM open
"""


def _counts(centre: Centre, now: datetime) -> dict[str, int]:
    """How many rows each group has in all, whatever page is shown; counted up to 1,000."""
    today = now.astimezone(ZoneInfo(centre.time_zone)).date()
    with connection.cursor() as cursor:
        cursor.execute(
            COUNTS_SQL,
            {"centre": centre.pk, "now": now, "ahead": now + AHEAD, "horizon": now + AHEAD + WIDEST_WINDOW, "today": today},
        )
        values = cursor.fetchone()
    return dict(zip((code for code, _ in GROUPS), values, strict=True))


def _capped(count: int) -> str:
    return f"{COUNT_LIMIT:,}+" if count > COUNT_LIMIT else f"{count:,}"


def _grouped(doses: list[dict], counts: dict[str, int], centre: Centre, now: datetime, decides: bool) -> list[Group]:
    today = now.astimezone(ZoneInfo(centre.time_zone)).date()
    rows: dict[str, list[Row]] = {code: [] for code, _ in GROUPS}
    for dose in doses:
        code = _group_of(dose, today)
        rows[code].append(_row(dose, code, centre, now, decides))
    return [Group(code, title, _capped(counts[code]), rows[code]) for code, title in GROUPS if counts[code]]


def _group_of(dose: dict, today) -> str:
    if dose["status"] in ("missed", "overdue"):
        return dose["status"]
    if dose["status"] == "upcoming":
        return "next"
    if dose["overdue_at"] == dose["closes_at"]:
        return "initial"
    return "target" if dose["target_on"] == today else "due"


def _row(dose: dict, code: str, centre: Centre, now: datetime, decides: bool) -> Row:
    pk = dose["pk"]
    url = reverse("chart", args=[dose["patient_id"]])
    action = "Open"
    if code == "missed":
        url, action = reverse("decide", args=[pk]), "Decide" if decides else "Open"
    elif not dose["verified_at"]:
        url, action = reverse("verify", args=[dose["course_id"]]), "Verify"
    elif code != "next":
        url, action = reverse("dose", args=[pk]), "Open"
    return Row(
        pk=str(pk),
        status=_status(dose, code, now),
        name=display.format_name(dose["family"], dose["given"]),
        born=display.format_day(dose["born_on"]),
        mrn=display.format_mrn(dose["mrn"]),
        ward=dose["ward"],
        dose=short_title(dose["title"]),
        amount=display.format_unit(dose["dose_mg"], "mg"),
        when=_when(dose, code, centre, now),
        verify=not dose["verified_at"],
        url=url,
        action=action,
    )


def _status(dose: dict, code: str, now: datetime) -> str:
    """The status; for a window without grace the hours that are left of it."""
    if code != "initial":
        return display.format_status(STATUS_WORD.get(code, code))
    minutes = int((dose["closes_at"] - now).total_seconds() // 60)
    return display.format_status("within_72_h", f"{display.format_minutes(minutes)} left")


def _when(dose: dict, code: str, centre: Centre, now: datetime) -> str:
    """The one time that matters for the row's group."""
    zone = centre.time_zone
    if code == "missed":
        return f"closed {display.format_instant(dose['closes_at'], zone)}"
    if code == "initial":
        return f"until {display.format_instant(dose['closes_at'], zone)}"
    if code == "next":
        return display.format_weekday_day(dose["target_on"])
    last_on = last_day(dose["closes_at"], zone)
    return f"{display.format_weekday_day(dose['target_on'])}, last day {display.format_day(last_on)}"


urls = [path("", worklist, name="worklist")]
