"""The status of planned doses: the domain's rule asked with a row's facts, and the same rule as SQL for lists of open doses.

A test walks both over every hour of a window and each edge, so neither can drift from the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Case, CharField, Value, When

from regimens.domain.status import BOUNDARIES, DoseFacts, Status, status
from regimens.models.course import PlannedDose
from regimens.models.record import Administration


def facts_of(dose: PlannedDose, administrations: Iterable[Administration] = ()) -> DoseFacts:
    """What is on record about one dose, for the domain to judge."""
    administrations = list(administrations)
    live = next((a for a in administrations if a.error_at is None), None)
    # Closed by a record that was struck out since: disputed until two people have said "given" or "not given".
    closed = live is None and dose.settled_as == "recorded"
    struck_out = sorted((a.error_at, a.pk, a) for a in administrations if a.error_at) if closed else []
    last = struck_out[-1][2] if struck_out else None
    struck = last if last is not None and last.dispute_outcome == "given" else None
    return DoseFacts(
        opens_at=dose.opens_at,
        overdue_at=dose.overdue_at,
        closes_at=dose.closes_at,
        is_superseded=dose.settled_as == "superseded",
        is_disputed=closed and struck is None,
        started_at=live.started_at if live else struck.started_at if struck else None,
        ended_at=live.ended_at if live else (struck.ended_at or struck.error_at) if struck else None,
        is_partial=bool(live and live.ended_at and live.volume_ml is not None and live.volume_ml < dose.draw_ml),
        is_cancelled=dose.settled_as == "cancelled",
        is_omitted=dose.settled_as == "omitted",
        is_before_referral=dose.settled_as == "before_referral",
    )


def status_of(dose: PlannedDose, at: datetime, administrations: Iterable[Administration] = ()) -> Status:
    """The status of one dose at an instant."""
    return status(facts_of(dose, list(administrations)), at)


def open_status_sql(at: datetime) -> Case:
    """The status of doses nobody has settled yet, as SQL, made from the domain's own table of boundaries."""
    *timed, last = BOUNDARIES
    return Case(
        *(When(**{f"{edge}__gt": at}, then=Value(word.value)) for word, edge in timed),
        default=Value(last[0].value),
        output_field=CharField(),
    )
