"""One course on a chart: its picture, its doses, what stands in its way, the order beside what was built, its papers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse

from patients.models import Membership, WeightMeasurement
from patients.roles import may
from regimens.actions import weighing
from regimens.actions.courses import is_anchor_outdated
from regimens.actions.previous import last_start, signature_under
from regimens.domain.clock import day_start, local_day
from regimens.models import Consent, Course, Hold, Note, OutsideDose, PlannedDose
from regimens.templatetags import display
from regimens.views import ordered, timeline
from regimens.views.chart_dose import DoseLine, DoseRecord, dose_line
from regimens.views.chart_facts import ChartFacts
from regimens.views.rows import consent_text, payer_text


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a course that somebody has to see, with where it is settled."""

    tone: str
    mark: str
    text: str
    links: tuple[tuple[str, str], ...] = ()


def course_view(facts: ChartFacts, course: Course, by: Membership, now: datetime, older: set[uuid.UUID]) -> dict[str, Any]:
    """The context of one course. ``older`` are the open courses of a transplant that is not the latest."""
    zone = course.patient.centre.time_zone
    doses = facts.doses[course.pk]
    holds = facts.holds[course.pk]
    lines = [dose_line(record_of(facts, dose), by, now) for dose in doses]
    left = [dose for dose in doses if not dose.settled_at]
    is_open = bool(left) and not course.stopped_at
    open_hold = next((hold for hold in holds if hold.resumed_at is None), None)
    order = facts.order_of(course)
    return {
        "course": course,
        "name": f"{course.protocol.title}, built {display.format_instant(course.built_at, zone)}",
        "lines": lines,
        "picture": _picture(facts, course, lines, now, zone) if doses else None,
        "is_open": is_open,
        "is_done": not left and not course.stopped_at and bool(doses),
        "open_hold": open_hold,
        "notices": list(_notices(facts, course, left, open_hold, by, now, older)) if is_open else [],
        "acts": list(_acts(course, open_hold, by)) if is_open else [],
        "ordered": ordered.beside(order, course, doses, zone=zone, now=now) if order else None,
        "consent": _consent(facts.consents.get(course.pk), course.patient.centre.consent_required),
        "payer": payer_text(facts.authorizations.get(course.pk)),
        "kept": facts.kept[course.pk],
    }


def record_of(facts: ChartFacts, dose: PlannedDose) -> DoseRecord:
    """What the chart holds about one dose."""
    previous = last_start((row for row in facts.records if row.dose_id != dose.pk), facts.outside)
    decisions = facts.decisions
    return DoseRecord(
        dose=dose,
        records=facts.records_of(dose),
        holds=facts.holds[dose.course_id],
        release=facts.releases.get(dose.pk),
        interval=signature_under(facts.intervals[dose.pk], previous),
        decision=decisions.get(dose.pk) or (decisions.get(dose.replaces_id) if dose.replaces_id else None),
        not_given=facts.not_given[dose.pk],
        elsewhere=next((row for row in facts.outside if row.dose_id == dose.pk), None),
        previous=previous,
    )


# What stands in the way ------------------------------------------------------------------------------------------------------


def _notices(
    facts: ChartFacts,
    course: Course,
    left: Sequence[PlannedDose],
    open_hold: Hold | None,
    by: Membership,
    now: datetime,
    older: set[uuid.UUID],
) -> Iterator[Notice]:
    zone = course.patient.centre.time_zone
    if open_hold is not None:
        yield _hold_notice(open_hold, course, by, now)
    if course.pk in older:
        stop = (("Stop this course", f"{reverse('course-stop', args=[course.pk])}?reason=retransplant"),)
        yield Notice(
            "soft",
            "⚠",
            "This course belongs to an earlier transplant, and doses of it are still to be given: stop it, or let it go on beside the "
            "new one.",
            stop if may(by, "stop_course") else (),
        )
    if is_anchor_outdated(course):
        counted = display.format_instant(course.anchor_at, course.anchor_zone_name, name_zone=True)
        yield Notice(
            "soft",
            "⚠",
            f"The transplant's time was corrected after this course was built. These windows still count from {counted}; nothing was "
            "moved.",
            _replan(course, by, "See what changes"),
        )
    yield from _weight_notice(facts, course, left, by)
    for note in facts.notes:
        if note.course_id == course.pk and note.is_query and note.answered_at is None:
            yield _query_notice(note, by)
    order = facts.order_of(course)
    if order is not None and not order.signed_at:
        said = ordered.beside(order, course, (), zone=zone, now=now)
        mine = order.prescriber_id == by.pk
        yield Notice(
            "soft" if said.is_late else "info",
            "◇",
            f"{said.signed}.",
            (("Sign the order", reverse("order-cosign", args=[order.pk])),) if mine else (),
        )
    if any(not dose.verified_at for dose in left):
        link = (("Verify the plan", reverse("verify", args=[course.pk])),)
        yield Notice("info", "◇", "Doses of this course wait for a second pharmacist.", link)
    if course.patient.centre.consent_required and course.pk not in facts.consents:
        yield Notice("soft", "⚠", "No consent is on record: no dose is released without one.", _papers(course, by))


def _hold_notice(hold: Hold, course: Course, by: Membership, now: datetime) -> Notice:
    zone = course.patient.centre.time_zone
    words = hold.listed_reason + (f", {hold.reason}" if hold.reason else "")
    is_due = hold.review_on <= local_day(now, zone)
    review = "Review day reached" if is_due else "Review on"
    text = (
        f"On hold since {display.format_instant(hold.held_at, zone)}: {words}. {hold.ordered_text} "
        f"{review}: {display.format_weekday_day(hold.review_on)}. No dose starts until the course is resumed; windows go on closing."
    )
    link = (("Resume", reverse("course-resume", args=[course.pk])),) if may(by, "hold_course") else ()
    return Notice("soft" if is_due else "info", "◫", text, link)


def _weight_notice(facts: ChartFacts, course: Course, left: Sequence[PlannedDose], by: Membership) -> Iterator[Notice]:
    """A weight 10 percent or more off asks; a newer one less far off is only offered."""
    latest, zone = facts.latest_weight, course.patient.centre.time_zone
    percent = course.monograph.to_domain().limit("weight_change_percent")
    asks = [dose for dose in left if weighing.weight_has_changed(dose, latest, percent, facts.kept[course.pk])]
    if asks and latest is not None:
        keep = (("Keep the doses", reverse("course-keep-weight", args=[course.pk])),) if may(by, "keep_weight") else ()
        yield Notice(
            "soft",
            "⚠",
            f"The latest weight, {_weight_text(latest, zone)}, differs by {display.format_limit(percent)} or more from "
            f"the {display.format_unit(asks[0].weight_kg, 'kg')} these doses were computed from. None starts until somebody has decided.",
            (*_replan(course, by, "Recalculate"), *keep),
        )
    elif asks:
        yield Notice("soft", "⚠", "The weight of these doses was entered in error, and there is no other. Weigh again.")
    elif latest is not None and any(dose.weight_kg != latest.weight_kg for dose in left):
        text = f"A newer weight is on record: {_weight_text(latest, zone)}."
        yield Notice("passive", "", text, _replan(course, by, "See what a recalculation would change"))


def _weight_text(weight: WeightMeasurement, zone: str) -> str:
    return f"{display.format_unit(weight.weight_kg, 'kg')} of {display.format_instant(weight.measured_at, zone)}"


def _query_notice(note: Note, by: Membership) -> Notice:
    assert note.owner is not None  # a query has an owner: query_has_an_owner
    text = (
        f"Query: {note.text} Waits for {note.owner.user.printed_name}, by {display.format_weekday_day(note.due_on)}. "
        "Nothing of the course is signed until it is answered."
    )
    link = (("Answer", reverse("note-answer", args=[note.pk])),) if may(by, "write_note") else ()
    return Notice("info", "◇", text, link)


def _replan(course: Course, by: Membership, label: str) -> tuple[tuple[str, str], ...]:
    return ((label, reverse("course-replan", args=[course.pk])),) if may(by, "build") else ()


def _papers(course: Course, by: Membership) -> tuple[tuple[str, str], ...]:
    return (("Papers", reverse("papers", args=[course.pk])),) if may(by, "record_consent") else ()


def _acts(course: Course, open_hold: Hold | None, by: Membership) -> Iterator[tuple[str, str]]:
    """What may be done with the whole course: label and address."""
    if may(by, "build"):
        yield "Change this course", reverse("course-replan", args=[course.pk])
    if may(by, "hold_course"):
        name = "course-hold" if open_hold is None else "course-resume"
        yield ("Hold" if open_hold is None else "Resume"), reverse(name, args=[course.pk])
    yield "Papers", reverse("papers", args=[course.pk])
    if may(by, "stop_course"):
        yield "Stop this course", reverse("course-stop", args=[course.pk])


def _consent(consent: Consent | None, is_required: bool) -> str:
    if consent is None:
        return "Not recorded" + (", required here" if is_required else "")
    return f"{consent_text(consent)}, obtained by {consent.obtained_by.user.printed_name}"


# The picture -----------------------------------------------------------------------------------------------------------------


def _picture(facts: ChartFacts, course: Course, lines: Sequence[DoseLine], now: datetime, zone: str) -> timeline.Timeline:
    planned = [_planned(line, zone) for line in lines]
    weights = [
        timeline.Happened(weight.measured_at, (display.format_unit(weight.weight_kg, "kg"),))
        for weight in facts.weights
        if weight.error_at is None
    ]
    holds = [
        timeline.Span(hold.held_at, hold.resumed_at, f"{hold.listed_reason}{'' if hold.resumed_at else ', not resumed'}")
        for hold in facts.holds[course.pk]
    ]
    story = timeline.Story(
        planned=planned,
        given=_given(facts, course, lines, zone),
        events=_events(facts, course),
        weights=weights,
        holds=holds,
        anchor_at=course.anchor_at,
    )
    return timeline.draw(story, now=now, zone=zone)


def _planned(line: DoseLine, zone: str) -> timeline.Planned:
    dose = line.dose
    return timeline.Planned(
        name=f"Dose {dose.number}",
        amount=display.format_unit(dose.dose_mg, "mg"),
        status=line.shown,
        word=line.word,
        opens_at=dose.opens_at,
        target_at=max(dose.opens_at, day_start(dose.target_on, ZoneInfo(zone))),
        closes_at=dose.closes_at,
        in_hours=dose.in_hours,
        booked_for=dose.booked_for if line.record.live is None else None,
    )


def _given(facts: ChartFacts, course: Course, lines: Sequence[DoseLine], zone: str) -> list[timeline.Happened]:
    """Infusions of the course, unplanned ones, and doses given elsewhere."""
    shown = {line.dose.pk: line.shown for line in lines}
    found = []
    for row in facts.records:
        if row.error_at is not None or (row.dose is not None and row.dose.course_id != course.pk):
            continue
        # A part whose rest is planned as a row of its own has no line any more: it is still what was given.
        key = shown.get(row.dose_id, "partial") if row.dose_id else "given" if row.ended_at else "in_progress"
        look = display.STATUS[key if key in ("partial", "in_progress") else "given"]
        word = look.word if row.dose_id else f"{look.word}, unplanned"
        volume = f"{display.format_unit(row.volume_ml, 'mL')}" if row.volume_ml is not None else ""
        lines_of = tuple(filter(None, (word, volume, display.format_day(local_day(row.started_at, zone)))))
        found.append(timeline.Happened(row.started_at, lines_of, look.mark, look.tone))
    look = display.STATUS["given_elsewhere"]
    for outside in facts.outside:
        what = "Elsewhere" if outside.product == OutsideDose.Product.CMV_IG else "Other IG elsewhere"
        mg = display.format_unit(outside.given_mg, "mg") if outside.given_mg is not None else ""
        said = tuple(filter(None, (what, mg, display.format_day(local_day(outside.given_at, zone)))))
        found.append(timeline.Happened(outside.given_at, said, look.mark, look.tone))
    return found


def _events(facts: ChartFacts, course: Course) -> list[timeline.Happened]:
    """Reactions to the course's infusions and to unplanned ones, and antibody removals."""
    own = {row.pk for row in facts.records if row.dose is None or row.dose.course_id == course.pk}
    reactions = [
        timeline.Happened(
            reaction.onset_at,
            (f"Serious: {reaction.term}" if reaction.is_serious else reaction.term,),
            "■" if reaction.is_serious else "▲",
            "missed" if reaction.is_serious else "warn",
        )
        for infusion, rows in facts.reactions.items()
        if infusion in own
        for reaction in rows
    ]
    return reactions + [timeline.Happened(row.at, (row.get_kind_display(),), "✕", "warn") for row in facts.removals]
