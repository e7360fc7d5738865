"""One planned dose as a chart shows it: its status now, what was done about it, and what this person may do with it next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.safestring import SafeString

from patients.models import Membership
from patients.roles import may
from regimens.actions.previous import Previous, interval_of
from regimens.domain.checks import release_lasts_until
from regimens.domain.status import NEEDS_DECISION, STARTABLE, Status
from regimens.forms.outside import given_text
from regimens.models import (
    Administration,
    Hold,
    IntervalRelease,
    MissedDoseDecision,
    NotGivenToday,
    OutsideDose,
    PlannedDose,
    Release,
)
from regimens.models.status import status_of
from regimens.templatetags import display
from regimens.views.rows import short_title, window_text

WAITING = frozenset({Status.UPCOMING, Status.DUE, Status.OVERDUE})


@dataclass(frozen=True, slots=True)
class Act:
    """Something that can be done about a dose, as a link; ``key`` is the letter that follows it, ``is_next`` what it waits for."""

    label: str
    url: str
    is_next: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class DoseRecord:
    """What is on record about one dose."""

    dose: PlannedDose
    records: Sequence[Administration] = ()
    holds: Sequence[Hold] = ()
    release: Release | None = None
    interval: IntervalRelease | None = None
    decision: MissedDoseDecision | None = None
    not_given: Sequence[NotGivenToday] = ()
    elsewhere: OutsideDose | None = None
    previous: Previous | None = None

    @property
    def live(self) -> Administration | None:
        """The infusion that is not entered in error."""
        return next((row for row in self.records if row.error_at is None), None)


@dataclass(frozen=True, slots=True)
class DoseLine:
    """One line of a dose table, with every value written."""

    dose: PlannedDose
    title: str
    shown: str  # a key of display.STATUS
    word: str  # the status in words, closer than the key's own where a window is counted in hours
    status: SafeString
    target: str
    window: str
    notes: tuple[str, ...]
    acts: tuple[Act, ...]
    record: DoseRecord

    @property
    def next_act(self) -> Act | None:
        """What the dose waits for, where this person may do it."""
        return next((act for act in self.acts if act.is_next), None)

    @property
    def other_acts(self) -> tuple[Act, ...]:
        """What else may be done."""
        return tuple(act for act in self.acts if not act.is_next)


def dose_line(record: DoseRecord, by: Membership, now: datetime) -> DoseLine:
    """The line of one dose for one person."""
    dose = record.dose
    zone = dose.course.patient.centre.time_zone
    status = status_of(dose, now, record.records, record.holds)
    shown = _shown(record, status)
    word = _word(dose, shown, now)
    acts = _acts(record, status, by, now)
    return DoseLine(
        dose=dose,
        title=short_title(dose.title),
        shown=shown,
        word=word,
        status=display.format_status(shown, word),
        target=display.format_weekday_day(dose.target_on),
        window=window_text(dose, zone),
        notes=tuple(_notes(record, zone, now)),
        acts=tuple(acts),
        record=record,
    )


def _shown(record: DoseRecord, status: Status) -> str:
    in_hours = record.dose.in_hours
    if status == Status.DUE and in_hours:
        return "within_72_h"
    if status == Status.MISSED and in_hours:
        return "outside_72_h"
    if status == Status.BEFORE_REFERRAL and record.elsewhere is not None:
        return "given_elsewhere"
    return status.value


def _word(dose: PlannedDose, shown: str, now: datetime) -> str:
    """What is left of a window in hours, or that it is over: "9 h 14 min left", "Outside 72 h"."""
    if shown == "within_72_h":
        return f"{display.format_elapsed(now, dose.closes_at)} left"
    if shown == "outside_72_h":
        return f"Outside {display.format_unit(int((dose.closes_at - dose.opens_at).total_seconds() // 3600), 'h')}"
    return display.STATUS[shown].word


def _needs_decision(record: DoseRecord, status: Status) -> bool:
    """Whether a prescriber is asked: a window that closed, or a dose that was stopped and not accepted."""
    if status not in NEEDS_DECISION or status == Status.DISPUTED or record.decision is not None:
        return False
    return status == Status.PARTIAL or not record.dose.settled_at


# What is done next -----------------------------------------------------------------------------------------------------------


def _acts(record: DoseRecord, status: Status, by: Membership, now: datetime) -> list[Act]:
    dose, live = record.dose, record.live
    acts: list[Act] = []

    def add(label: str, name: str, pk: object, *, key: str = "", may_lead: bool = True) -> None:
        acts.append(Act(label, reverse(name, args=[pk]), may_lead and not acts, key))

    if status == Status.DISPUTED and record.records:
        add("Settle" if may(by, "settle_dispute") else "Record", "infusion", record.records[0].pk)
    elif _needs_decision(record, status):
        add("Decide" if may(by, "decide_missed") else "Open the case", "decide", dose.pk)
    if live is not None:
        add("Record", "infusion", live.pk)
    if dose.settled_at or status not in WAITING | {Status.HELD}:
        return acts
    if not dose.verified_at and may(by, "verify"):
        add("Verify", "verify", dose.course_id)
    if dose.verified_at and _may_be_released(dose, status, now) and not _is_released(record, now) and may(by, "release_dose"):
        add("Release", "release", dose.pk)
    if status in STARTABLE and dose.verified_at and may(by, "log_infusion"):
        add("Log infusion", "infusion-log", dose.pk, key="i")
    if _interval_is_short(record, status, now) and may(by, "decide_finding"):
        add("Allow a shorter interval", "interval-release", dose.pk, may_lead=False)
    if status in STARTABLE and may(by, "not_given_today"):
        add("Not given", "not-given", dose.pk, may_lead=False)
    if not dose.in_hours:  # a window in hours is neither booked nor moved
        if may(by, "book"):
            add("Rebook" if dose.booked_for else "Book", "booking", dose.pk, may_lead=False)
        if status in WAITING and may(by, "build"):
            add("Move", "dose-move", dose.pk, may_lead=False)
    return acts


def _may_be_released(dose: PlannedDose, status: Status, now: datetime) -> bool:
    """Due, overdue, or opening before a release of now would be over."""
    within = dose.course.monograph.to_domain().limit("release_within_h")
    return status in STARTABLE or (status == Status.UPCOMING and dose.opens_at <= release_lasts_until(now, within=within))


def _is_released(record: DoseRecord, now: datetime) -> bool:
    if record.release is None:
        return False
    within = record.dose.course.monograph.to_domain().limit("release_within_h")
    return now <= release_lasts_until(record.release.released_at, within=within)


def _interval_is_short(record: DoseRecord, status: Status, now: datetime) -> bool:
    """Whether the dose could be started now but for the interval to the last one."""
    if status not in STARTABLE or record.interval is not None:
        return False
    return not interval_of(record.dose, record.previous, now).is_kept


# What was done about it ------------------------------------------------------------------------------------------------------


def _notes(record: DoseRecord, zone: str, now: datetime) -> list[str]:
    """What was done about the dose so far, each as a short sentence."""
    return [*_given(record, zone), *_decided(record, zone), *_prepared(record, zone, now), *_made(record)]


def _given(record: DoseRecord, zone: str) -> list[str]:
    dose, live, elsewhere = record.dose, record.live, record.elsewhere
    if elsewhere is not None:
        return [f"Given elsewhere {given_text(elsewhere, zone)}, said by {elsewhere.said_by}"]
    if live is None:
        return []
    started = display.format_instant(live.started_at, zone)
    if live.ended_at is None or live.volume_ml is None:
        return [f"Started {started}"]
    volume = display.format_unit(live.volume_ml, "mL")
    part = f" of {display.format_unit(dose.draw_ml, 'mL')}" if live.volume_ml < dose.draw_ml else ""
    return [f"Given {started}, {volume}{part}, by {live.given_by.user.printed_name}"]


def _decided(record: DoseRecord, zone: str) -> list[str]:
    said = []
    if record.decision is not None:
        on = f" on {display.format_day(record.decision.give_on)}" if record.decision.give_on else ""
        word = record.decision.get_decision_display()
        said.append(f"{word}{on}: {record.decision.signed_by}")
    said += [
        f"Not given {display.format_instant(row.recorded_at, zone)}: {row.listed_reason.lower()}"
        + (f", {row.reason}" if row.reason else "")
        + f" ({row.recorded_by.user.printed_name})"
        for row in record.not_given
    ]
    if record.interval is not None:
        said.append(f"May start before its interval: {record.interval.released_by.user.printed_name}")
    return said


def _prepared(record: DoseRecord, zone: str, now: datetime) -> list[str]:
    """Verification, release and booking; of a dose that is over only the verification matters no more."""
    dose, release = record.dose, record.release
    if dose.settled_at and record.live is None:
        return []
    said = []
    if dose.verified_by is not None and dose.verified_at is not None:
        said.append(f"Verified {display.format_instant(dose.verified_at, zone)}, {dose.verified_by.user.printed_name}")
    if release is not None:
        said.append(f"{_release_text(record, release, zone, now)}, {release.released_by.user.printed_name}")
    if dose.booked_for is not None and record.live is None:
        said.append(f"Booked {display.format_instant(dose.booked_for, zone)}, {dose.booked_place}")
    return said


def _release_text(record: DoseRecord, release: Release, zone: str, now: datetime) -> str:
    """Since when a dose is released, and until when it may start by that."""
    if record.live is not None:
        return f"Released {display.format_instant(release.released_at, zone)}"
    within = record.dose.course.monograph.to_domain().limit("release_within_h")
    until = release_lasts_until(release.released_at, within=within)
    return f"Release {'ran out' if now > until else 'good until'} {display.format_instant(until, zone)}"


def _made(record: DoseRecord) -> list[str]:
    """Where the row itself departs from the protocol's."""
    dose = record.dose
    said = []
    if dose.is_remainder:
        said.append("What is left of a stopped dose")
    if dose.shifted_days:
        said.append(f"Moved {display.format_unit(dose.shifted_days, 'days')} in all: departs from the label's schedule")
    if dose.rounded_from_mg is not None and dose.rounded_from_mg != dose.dose_mg:
        said.append(f"Rounded to whole vials from {display.format_unit(dose.rounded_from_mg, 'mg')}")
    return said
