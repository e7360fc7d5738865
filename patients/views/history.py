"""What happened to a chart, page by page."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from patients import when
from patients.history import HistoryEntry, history_page
from patients.images import shown
from patients.views.common import chart_of, member, page


def history(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Who changed what, when and why; with ?reads=1 who read the chart as well. Reading it is recorded too."""
    by = member(request)
    patient = chart_of(by, patient_id)
    now, zone_name = timezone.now(), patient.centre.time_zone
    with_reads = request.GET.get("reads") == "1"
    before = _instant(request.GET.get("before", ""))
    part = history_page(patient, with_reads=with_reads, before=before)
    older = part.older_than.isoformat() if part.older_than else ""
    context: dict[str, Any] = {
        "rows": rows_of(part.lines, zone_name),
        "older": older,
        "before": before,
        "with_reads": with_reads,
    }
    return page(request, "patients/history.html", patient, now, **context)


def rows_of(lines: Iterable[HistoryEntry], zone_name: str) -> list[dict[str, Any]]:
    """Lines of history as a page shows them, in the zone's time."""
    return [
        {
            "at": when.instant_text(line.at, zone_name),
            "who": line.who,
            "role": line.role.replace("_", " "),
            "what": line.what,
            "about": line.about,
            "before": shown(line.before, line.field, zone_name),
            "after": shown(line.after, line.field, zone_name),
            "details": [(label, shown(value, column, zone_name)) for label, column, value in line.details],
            "reason": line.reason,
        }
        for line in lines
    ]


def _instant(text: str) -> datetime | None:
    """Where a page begins, as the link of the page before wrote it; anything else begins with the newest."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
