"""What else has to be there before a dose: the payer's authorization, the vials, and the patient's consent (W2.13, W2.16)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from patients import audit, when
from patients.actions.common import allow, needed_reason, one_of, plain_refusals, short_text
from patients.models import Centre, Membership
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import planning
from regimens.actions.locks import lock_course
from regimens.domain.clock import last_day, local_day
from regimens.models import Authorization, Consent, Course, PlannedDose
from regimens.models.status import in_hours_sql

AUTHORIZATION = "Site policy: authorization and product"
CONSENT = "Site policy: consent"
OBTAINERS = frozenset({Role.PRESCRIBER, Role.NURSE, Role.PHARMACIST, Role.COORDINATOR})


@transaction.atomic
def record_authorization(
    *,
    course: Course,
    state: str,
    vials: str,
    by: Membership,
    at: datetime,
    approved_until: date | None = None,
    vials_for_on: date | None = None,
) -> Authorization:
    """Where the payer and the pharmacy stand now; it replaces what was recorded before.

    Refused: another role; a stopped course; no known state; an approval without its last day, or past it; vials without the day
    they are for.
    """
    allow(by, "authorize")
    course = lock_course(course)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped: nothing of it is to be authorized.")
    one_of(state, Authorization.State.values, field="state", what="the state of the authorization")
    one_of(vials, Authorization.Vials.values, field="vials", what="the state of the vials")
    approved = state == Authorization.State.APPROVED
    if approved and approved_until is None:
        raise Refusal("approved_until", "Enter the last day of the approval.", source=AUTHORIZATION, field="approved_until")
    if approved and approved_until is not None and approved_until < when.local_day(at, by.centre.time_zone):
        raise Refusal("approval_over", "This approval is over already.", source=AUTHORIZATION, field="approved_until")
    asked = vials != Authorization.Vials.NOT_ASKED
    if asked and vials_for_on is None:
        raise Refusal("vials_day", "Enter the day of the dose the vials are for.", source=AUTHORIZATION, field="vials_for_on")
    audit.event("record_authorization", by=by, patient=course.patient, course=str(course.pk), state=state, vials=vials)
    with plain_refusals():
        Authorization.objects.filter(course=course, superseded_at=None).update(superseded_at=at)
        return Authorization.objects.create(
            course=course,
            state=state,
            approved_until=approved_until if approved else None,
            vials=vials,
            vials_for_on=vials_for_on if asked else None,
            recorded_by=by,
            recorded_at=at,
        )


@transaction.atomic
def record_consent(
    *,
    course: Course,
    given_by: str,
    obtained_by: Membership,
    obtained_on: date,
    form_version: str,
    by: Membership,
    at: datetime,
) -> Consent:
    """The patient's consent to a blood product for this course.

    Refused: another role; a stopped course; nobody named; obtained by nobody of this centre who may; on a day ahead or before
    birth; no version of the form; a consent on record already.
    """
    allow(by, "record_consent")
    course = lock_course(course)
    if course.stopped_at:
        raise Refusal("course_stopped", "This course is stopped.")
    given_by = short_text(given_by, field="given_by", what="name", limit=120)
    form_version = short_text(form_version, field="form_version", what="version", limit=40)
    for text, field, sentence in (
        (given_by, "given_by", "Say who consented: the patient, or who consents for them."),
        (form_version, "form_version", "Enter the version of the form that was signed."),
    ):
        if not text:
            raise Refusal("consent_incomplete", sentence, source=CONSENT, field=field)
    if obtained_by.centre_id != by.centre_id or obtained_by.role not in OBTAINERS:
        raise Refusal("obtainer", "Name who obtained it: somebody of this centre.", source=CONSENT, field="obtained_by")
    if obtained_on > when.local_day(at, by.centre.time_zone):
        raise Refusal("in_the_future", "The consent cannot be in the future. Check the date.", field="obtained_on")
    if obtained_on < course.patient.birth_on:
        raise Refusal("before_birth", "That is before the birth.", field="obtained_on")
    audit.event("record_consent", by=by, patient=course.patient, course=str(course.pk), version=form_version)
    with plain_refusals():
        return Consent.objects.create(
            course=course,
            given_by=given_by,
            obtained_by=obtained_by,
            obtained_on=obtained_on,
            form_version=form_version,
            recorded_by=by,
            recorded_at=at,
        )


@transaction.atomic
def withdraw_consent(*, course: Course, reason: str, by: Membership, at: datetime) -> Consent:
    """The patient withdrew. Refused: another role; no consent on record; no reason."""
    allow(by, "record_consent")
    course = lock_course(course)
    consent = Consent.objects.select_for_update(of=("self",)).filter(course=course, withdrawn_at=None).first()
    if consent is None:
        raise Refusal("no_consent", "No consent is on record.", source=CONSENT)
    reason = needed_reason(reason, field="withdrawn_reason", sentence="Say why it was withdrawn.")
    audit.event("withdraw_consent", by=by, patient=course.patient, course=str(course.pk), reason=reason)
    consent.withdrawn_at, consent.withdrawn_by, consent.withdrawn_reason = at, by, reason
    with plain_refusals():
        consent.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_reason"])
    return consent


# Green, or not -------------------------------------------------------------------------------------------------------------


def pays(row: Authorization | None, dose: PlannedDose) -> bool:
    """Whether the payer's side is settled for a dose: not needed, or approved until its target day or longer."""
    if row is None:
        return False
    if row.state == Authorization.State.NOT_NEEDED:
        return True
    return row.state == Authorization.State.APPROVED and row.approved_until is not None and row.approved_until >= dose.target_on


def has_vials(row: Authorization | None, dose: PlannedDose, zone_name: str) -> bool:
    """Whether vials are ordered or reserved for a day inside the window of a dose."""
    if row is None or row.vials_for_on is None:
        return False
    return local_day(dose.opens_at, zone_name) <= row.vials_for_on <= last_day(dose.closes_at, zone_name)


def not_green(centre: Centre, at: datetime, warn_days: int | None = None) -> QuerySet[Course]:
    """The courses of a centre whose next dose is at most the monograph's warning of days ahead (read here unless given), and
    whose authorization or vials are not there for it. A window in hours is given at once and is not listed.
    """
    if warn_days is None:
        warn_days = int(planning.published().to_domain().limit("authorization_warn_days").value)
    zone = when.zone_named(centre.time_zone)
    today = when.local_day(at, centre.time_zone)
    waiting = PlannedDose.objects.filter(course=OuterRef("pk"), settled_at=None, closes_at__gt=at)
    green = Authorization.objects.filter(
        Q(state=Authorization.State.NOT_NEEDED)
        | Q(state=Authorization.State.APPROVED, approved_until__gte=OuterRef("target_on")),
        course=OuterRef("course"),
        superseded_at=None,
        vials_for_on__gte=OuterRef("opens_on"),
        vials_for_on__lt=OuterRef("closed_on"),
    )
    windows = PlannedDose.objects.annotate(
        opens_on=TruncDate("opens_at", tzinfo=zone), closed_on=TruncDate("closes_at", tzinfo=zone)
    )
    following = windows.filter(
        ~Exists(green),
        ~in_hours_sql(),
        pk=OuterRef("next_dose"),
        target_on__lte=today + timedelta(days=warn_days),
    )
    return (
        Course.objects.filter(patient__centre=centre, patient__closed_at=None, stopped_at=None)
        .annotate(next_dose=waiting.order_by("number").values("pk")[:1])
        .filter(Exists(following))
    )
