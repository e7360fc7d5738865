"""The status of planned doses: the domain's rule asked with a row's facts, and the same rule as SQL for lists of open doses.

A test walks both over every hour of a window and each edge, so neither can drift from the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Least
from django.db.models.lookups import GreaterThan

from regimens.domain.status import BOUNDARIES, DoseFacts, Status, status
from regimens.models.care import Hold
from regimens.models.course import PlannedDose
from regimens.models.record import Administration


def facts_of(dose: PlannedDose, administrations: Iterable[Administration] = (), hold: Hold | None = None) -> DoseFacts:
    """What is on record about one dose, for the domain to judge; ``hold`` is the one of :func:`hold_over`."""
    administrations = list(administrations)
    live = next((a for a in administrations if a.error_at is None), None)
    # Closed by a record that was struck out since: disputed until two people have said "given" or "not given".
    closed = live is None and dose.settled_as in ("recorded", "accepted")
    struck_out = sorted((a.error_at, a.pk, a) for a in administrations if a.error_at) if closed else []
    last = struck_out[-1][2] if struck_out else None
    struck = last if last is not None and last.dispute_outcome == "given" else None
    return DoseFacts(
        opens_at=dose.opens_at,
        overdue_at=dose.overdue_at,
        closes_at=dose.closes_at,
        in_hours=dose.in_hours,
        is_superseded=dose.settled_as == "superseded",
        is_disputed=closed and struck is None,
        started_at=live.started_at if live else struck.started_at if struck else None,
        ended_at=live.ended_at if live else (struck.ended_at or struck.error_at) if struck else None,
        is_partial=bool(
            live
            and live.ended_at
            and live.volume_ml is not None
            and live.volume_ml < dose.draw_ml
            and dose.settled_as != "accepted"
        ),
        is_cancelled=dose.settled_as == "cancelled",
        is_omitted=dose.settled_as == "omitted",
        is_before_referral=dose.settled_as == "before_referral",
        held_at=hold.held_at if hold else None,
        resumed_at=hold.resumed_at if hold else None,
        booked_for=dose.booked_for,
    )


def hold_over(dose: PlannedDose, at: datetime, holds: Iterable[Hold]) -> Hold | None:
    """The hold of the dose's course that matters now: the one running at this instant, or when the window closed."""
    asked = min(at, dose.closes_at)
    return next((h for h in holds if h.held_at <= asked and (h.resumed_at is None or asked <= h.resumed_at)), None)


def status_of(
    dose: PlannedDose, at: datetime, administrations: Iterable[Administration] = (), holds: Iterable[Hold] = ()
) -> Status:
    """The status of one dose at an instant; ``holds`` are those of its course."""
    return status(facts_of(dose, list(administrations), hold_over(dose, at, holds)), at)


def with_hold(doses: QuerySet[PlannedDose], at: datetime) -> QuerySet[PlannedDose]:
    """The doses with ``held_at`` and ``resumed_at`` of the hold that matters now, as :func:`hold_over` finds it."""
    asked = Least(Value(at, output_field=DateTimeField()), OuterRef("closes_at"))
    hold = Hold.objects.filter(Q(resumed_at=None) | Q(resumed_at__gte=asked), course=OuterRef("course"), held_at__lte=asked)
    return doses.annotate(held_at=Subquery(hold.values("held_at")[:1]), resumed_at=Subquery(hold.values("resumed_at")[:1]))


# PlannedDose.in_hours in a statement written by hand, for the rows "d" of planned doses beside their protocol's rows "r".
IN_HOURS_SQL = "coalesce(d.closes_at = d.opens_at + r.closes_after_hours * interval '1 hour', false)"


def in_hours_sql() -> Q:
    """``PlannedDose.in_hours`` for a query of planned doses."""
    hours = ExpressionWrapper(
        F("protocol_dose__closes_after_hours") * Value(timedelta(hours=1), output_field=DurationField()),
        output_field=DurationField(),
    )
    closes_at = ExpressionWrapper(F("opens_at") + hours, output_field=DateTimeField())
    return Q(protocol_dose__closes_after_hours__isnull=False, closes_at=closes_at)


def open_status_sql(at: datetime) -> Case:
    """The status of doses nobody has settled yet, as SQL, made from the domain's own table of boundaries.

    For rows of :func:`with_hold`. A booking inside a window of days takes the place of the end of the target day.
    """
    *timed, last = BOUNDARIES
    now = Value(at, output_field=DateTimeField())
    is_booked = Q(booked_for__gte=F("opens_at"), booked_for__lt=F("closes_at")) & ~in_hours_sql()
    overdue = Case(When(is_booked, then=F("booked_for")), default=F("overdue_at"))
    edges = {"opens_at": F("opens_at"), "overdue_at": overdue, "closes_at": F("closes_at")}
    passed = Q(held_at__lt=F("closes_at"), closes_at__lte=at) & (Q(resumed_at=None) | Q(closes_at__lte=F("resumed_at")))
    held = Q(held_at__lte=at, closes_at__gt=at) & (Q(resumed_at=None) | Q(resumed_at__gt=at))
    return Case(
        When(passed, then=Value(Status.PASSED_ON_HOLD.value)),
        When(held, then=Value(Status.HELD.value)),
        *(When(GreaterThan(edges[edge], now), then=Value(word.value)) for word, edge in timed if edge),
        default=Value(last[0].value),
        output_field=CharField(),
    )
