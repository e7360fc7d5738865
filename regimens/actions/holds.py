"""Putting a course on hold, and resuming it: signed by a prescriber, or by a pharmacist who read the order back.

A hold settles nothing. Windows go on closing; each one that does is decided about as "passed on hold".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from patients import audit
from patients.actions.common import REASON_LENGTH, needed_reason, plain_refusals, short_text
from patients.models import Membership, Patient
from patients.refusal import Refusal
from patients.roles import Role, require
from regimens.actions.locks import lock_course, lock_open_courses
from regimens.actions.parts import ReactionFacts
from regimens.actions.reasons import chosen
from regimens.domain.clock import local_day
from regimens.domain.units import day_text
from regimens.models import AFTER_REACTION, Course, Hold, PlannedDose, Reaction

HOLD_RULES = "Site policy: holds"


def open_hold(course: Course) -> Hold | None:
    """The hold of a course that nobody has resumed."""
    rows = Hold.objects.filter(course=course, resumed_at=None)
    return rows.select_related("ordered_by__user", "held_by__user").first()


@transaction.atomic
def hold_course(
    *,
    course: Course,
    reason_code: str,
    review_on: date,
    ordered_by: Membership,
    by: Membership,
    at: datetime,
    reason: str = "",
    is_read_back: bool = False,
) -> Hold:
    """No dose of the course starts from now on. The view has checked the password.

    Refused: another role; a stopped or finished course; a second hold; an unknown reason, "another reason" without words; a review
    day in the past; an order that is not a prescriber's own or read back by name.
    """
    require(by, "hold_course")
    course = lock_course(course)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    if (held := open_hold(course)) is not None:
        on = day_text(local_day(held.held_at, course.patient.centre.time_zone))
        raise Refusal("held_already", f"On hold since {on} by {held.held_by.user.printed_name}: {_words(held)}.")
    if not course.doses.filter(settled_at=None).exists():
        raise Refusal("nothing_left", "No dose of this course is left to hold.")
    reason = short_text(reason, field="reason", what="reason", limit=300)
    listed = chosen(course.monograph.to_domain(), "held", reason_code, reason)
    if review_on < local_day(at, course.patient.centre.time_zone):
        raise Refusal("review_is_past", "The review day cannot be in the past.", source=HOLD_RULES, field="review_on")
    _check_order(ordered_by, is_read_back, by)
    audit.event(
        "hold_course",
        by=by,
        patient=course.patient,
        reason=reason or reason_code,
        course=str(course.pk),
        ordered_by=ordered_by.pk,
        read_back=is_read_back,
        review_on=review_on,
    )
    with plain_refusals():
        return Hold.objects.create(
            course=course,
            reason_code=reason_code,
            reason_words=listed.sentence,
            reason=reason,
            ordered_by=ordered_by,
            held_by=by,
            held_at=at,
            review_on=review_on,
        )


def courses_to_hold(patient: Patient, reactions: Sequence[ReactionFacts]) -> list[Course]:
    """The patient's open courses, locked before the chart is, where a reaction is serious; else none."""
    return lock_open_courses(patient) if any(row.is_serious for row in reactions) else []


def hold_after_reactions(
    courses: Sequence[Course], reactions: Sequence[ReactionFacts], *, by: Membership, at: datetime
) -> list[Hold]:
    """A serious reaction holds every locked course that has doses left and is not on hold, until a prescriber resumes it (W1.11).

    Nobody orders it; somebody looks at it again the same day.
    """
    if not courses:
        return []
    terms = ", ".join(row.term.strip() for row in reactions if row.is_serious)
    waiting = PlannedDose.objects.filter(course=OuterRef("pk"), settled_at=None)
    held = Hold.objects.filter(course=OuterRef("pk"), resumed_at=None)
    found = Course.objects.filter(Exists(waiting), ~Exists(held), pk__in=[course.pk for course in courses])
    holds = [
        Hold(
            course=course,
            reason_code=AFTER_REACTION,
            reason_words="Serious reaction",
            reason=terms[:300],
            held_by=by,
            held_at=at,
            review_on=local_day(at, course.patient.centre.time_zone),
        )
        for course in found.select_related("patient__centre")
    ]
    return Hold.objects.bulk_create(holds)


def is_after_reaction(hold: Hold) -> bool:
    """Whether only a prescriber resumes: held for a serious reaction, or one was recorded while it was on hold for another reason."""
    since = Reaction.objects.filter(
        administration__patient=hold.course.patient_id, is_serious=True, error_at=None, recorded_at__gte=hold.held_at
    )
    return hold.reason_code == AFTER_REACTION or since.exists()


@transaction.atomic
def resume_course(
    *, course: Course, reason: str, ordered_by: Membership, by: Membership, at: datetime, is_read_back: bool = False
) -> Hold:
    """The course goes on. The view has checked the password.

    Refused: another role; a course that is not on hold; no reason; an order that is not a prescriber's own or read back by name.
    After a serious reaction only a prescriber resumes, in person, naming the reaction and the plan.
    """
    require(by, "hold_course")
    course = lock_course(course)
    hold = open_hold(course)
    if hold is None:
        raise Refusal("not_held", "This course is not on hold.")
    reason = needed_reason(reason, sentence="Say why the course goes on.")
    if is_after_reaction(hold):
        if by.role != Role.PRESCRIBER:
            raise Refusal(
                "prescriber_only",
                "After a serious reaction only a prescriber resumes, with their own signature.",
                source=HOLD_RULES,
            )
        if len(reason) < REASON_LENGTH:  # it names the reaction and the plan
            raise Refusal(
                "reaction_and_plan", "Name the reaction and the plan for the next dose.", source=HOLD_RULES, field="reason"
            )
    _check_order(ordered_by, is_read_back, by)
    audit.event(
        "resume_course",
        by=by,
        patient=course.patient,
        reason=reason,
        course=str(course.pk),
        ordered_by=ordered_by.pk,
        read_back=is_read_back,
    )
    hold.resumed_by, hold.resumed_at, hold.resume_ordered_by, hold.resume_reason = by, at, ordered_by, reason
    with plain_refusals():
        hold.save(update_fields=["resumed_by", "resumed_at", "resume_ordered_by", "resume_reason"])
    return hold


def _words(hold: Hold) -> str:
    return hold.reason or hold.listed_reason.lower()


def _check_order(ordered_by: Membership, is_read_back: bool, by: Membership) -> None:
    """A prescriber signs their own order; a pharmacist names the prescriber and says that it was read back."""
    if ordered_by.role != Role.PRESCRIBER or ordered_by.centre_id != by.centre_id or ordered_by.ended_at:
        raise Refusal("not_a_prescriber", "A prescriber of this center orders it.", source=HOLD_RULES, field="ordered_by")
    if by.role == Role.PRESCRIBER:
        if ordered_by.pk != by.pk:
            raise Refusal("own_order", "A prescriber signs their own order.", source=HOLD_RULES, field="ordered_by")
    elif not is_read_back:
        raise Refusal(
            "not_read_back",
            "An order that somebody else gave is written down and read back by name.",
            source=HOLD_RULES,
            field="is_read_back",
        )
