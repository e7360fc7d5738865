"""The second pharmacist's independent check: identity, a dose of one's own, and the signature under every dose of a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from patients import audit
from patients.actions.common import plain_refusals, signed_reason
from patients.identity import identity_matches
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import Role, require
from regimens.actions import planning
from regimens.actions.courses import is_anchor_outdated
from regimens.actions.locks import lock_course
from regimens.models import Course, PlannedDose, SingleCheck, WeightBasis, WeightKept

INDEPENDENT = "Site policy: independent check"


def open_unsigned(course: Course):
    """The live doses of a course that still wait for a second pharmacist."""
    return course.doses.filter(settled_at=None, verified_at=None).order_by("number")


@transaction.atomic
def verify_course(
    *,
    course: Course,
    shown_hash: str,
    mrn_tail: str,
    birth_year: str,
    own_dose_mg: Decimal,
    by: Membership,
    at: datetime,
    single_why: str = "",
    single_words: str = "",
) -> Course:
    """Sign every unsigned live dose of a course, after an independent check. The view has checked the password.

    Refused: the builder; a plan sent back with a query that nobody has answered; an identity that does not match; a dose of one's
    own that differs from the first computed one; a plan that changed after it was shown (``shown_hash`` from :func:`plan_hash`); an
    off-label order without the prescriber's signature; a plan that a prescriber built without ``single_why``, the coded reason why
    one pharmacist alone checks it, and its words where the code needs them.
    """
    course = lock_course(course)
    doses = list(open_unsigned(course).select_for_update(of=("self",)).select_related("built_by"))
    for dose in doses:
        dose.course = course
    patient = course.patient
    check_independently(course, doses, mrn_tail=mrn_tail, birth_year=birth_year, own_dose_mg=own_dose_mg, by=by)
    if plan_hash(doses) != shown_hash:
        raise Refusal("plan_changed", "The plan changed after this page was opened. Read it again before you sign.")
    order = course.orders.get(superseded_at=None)
    if course.protocol.off_label and not order.signed_at:
        raise Refusal(
            "off_label_unsigned", "Off-label: the prescriber must sign the order first.", source="Site policy: off-label use"
        )
    planning.check_may_plan(patient)
    planning.check_outside(course)
    single = _single_check(course, doses, single_why, single_words.strip(), by, at)
    audit.event(
        "verify_course",
        by=by,
        patient=patient,
        course=str(course.pk),
        revision=course.revision,
        signed=shown_hash,
        single=single_why if single else "",
    )
    for dose in doses:
        dose.verified_by, dose.verified_at, dose.content_hash = by, at, planning.content_hash(dose)
    PlannedDose.objects.bulk_update(doses, ["verified_by", "verified_at", "content_hash"])
    if order.weight_basis == WeightBasis.DRY:
        _keep_dry_weight(course, doses, by, at)
    if single is not None:
        with plain_refusals():
            single.save(force_insert=True)
    return course


def is_checked_by_one(doses: Sequence[PlannedDose]) -> bool:
    """Whether a prescriber built the plan: then the pharmacist who checks it is the only one to see it (W1.15).

    A row that takes another one's place by a prescriber's decision is not: the plan it belongs to was checked before.
    """
    return any(dose.replaces_id is None and dose.built_by.role == Role.PRESCRIBER for dose in doses)


def _single_check(
    course: Course, doses: Sequence[PlannedDose], why: str, words: str, by: Membership, at: datetime
) -> SingleCheck | None:
    if not is_checked_by_one(doses):
        return None
    if why not in SingleCheck.Why.values:
        raise Refusal(
            "single_check_why",
            "A prescriber built this plan: say why one pharmacist alone checks it. Another one looks at it afterwards.",
            source=INDEPENDENT,
            field="single_why",
        )
    if why == SingleCheck.Why.OTHER and not words:
        raise Refusal("reason_text", "This reason needs words.", field="single_words")
    return SingleCheck(course=course, revision=course.revision, why=why, words=words, checked_by=by, checked_at=at)


@transaction.atomic
def review_single_check(*, check: SingleCheck, review: str, by: Membership, at: datetime) -> SingleCheck:
    """Another pharmacist has looked at a plan that one alone had checked. The view has checked the password.

    Refused: another role; whoever checked or built it; looked at already; fewer than 10 characters about what was found.
    """
    require(by, "verify")
    course = lock_course(check.course)
    row = SingleCheck.objects.select_for_update(of=("self",)).select_related("checked_by").get(pk=check.pk)
    if row.reviewed_at:
        raise Refusal("reviewed_already", "Another pharmacist has looked at this plan already.")
    if row.checked_by.user_id == by.user_id or course.doses.filter(built_by__user=by.user_id).exists():
        raise Refusal("own_course", "You checked or built this plan: another pharmacist looks at it.", source=INDEPENDENT)
    review = signed_reason(review, field="review", sentence="Say what you found")
    audit.event("review_single_check", by=by, patient=course.patient, reason=review, course=str(course.pk), check=row.pk)
    row.reviewed_by, row.reviewed_at, row.review = by, at, review
    with plain_refusals():
        row.save(update_fields=["reviewed_by", "reviewed_at", "review"])
    return row


def _keep_dry_weight(course: Course, doses: Sequence[PlannedDose], by: Membership, at: datetime) -> None:
    """The signature under a plan at the dry weight, as ordered, is the word on the newer weight that its builder saw: the doses are
    not stopped by it again (W1.9).
    """
    weights = planning.weights_of(course.transplant)
    latest, dry = weights.latest, weights.dry
    if latest is None or dry is None or not weights.differ(course.monograph.to_domain()):
        return
    if any(dose.weight_id == dry.pk and latest.recorded_at <= dose.built_at for dose in doses):
        kept = {"reason": "Built on the dry weight, as ordered", "kept_by": by, "kept_at": at}
        WeightKept.objects.get_or_create(course=course, weight=latest, defaults=kept)


def check_independently(
    course: Course, doses: Sequence[PlannedDose], *, mrn_tail: str, birth_year: str, own_dose_mg: Decimal, by: Membership
) -> None:
    """The part of a verification that comes before the plan is seen; signing repeats it on the locked rows.

    Refused: another role; nothing to verify; the builder; an open query about the course; a transplant whose time was corrected
    after the plan was built; an identity that does not match; a dose of one's own that differs from the first computed one.
    """
    require(by, "verify")
    patient = course.patient
    if not doses or course.stopped_at:
        raise Refusal("nothing_to_verify", "No dose of this course waits for verification.")
    if any(dose.built_by.user_id == by.user_id for dose in doses):
        raise Refusal("own_course", "You built this plan: another pharmacist verifies it.", source=INDEPENDENT)
    query = course.notes.filter(is_query=True, answered_at=None).select_related("owner__user").order_by("written_at").first()
    if query is not None and query.owner is not None:
        raise Refusal(
            "query_open",
            f"A query about this course waits for {query.owner.user.printed_name}. Nothing of it is signed until it is answered.",
            source="Site policy: a plan with an open query is not signed",
        )
    if is_anchor_outdated(course):
        raise Refusal("anchor_changed", "The transplant's time was corrected after this plan was built: recalculate it first.")
    if not identity_matches(patient.mrn, patient.birth_on, mrn_tail, birth_year):
        raise Refusal(
            "wrong_identity",
            "The record number's last 4 characters or the birth year do not belong to this patient.",
            source="Site policy: identity re-entered at every signature",
            field="mrn_tail",
        )
    if own_dose_mg != doses[0].dose_mg:
        raise Refusal(
            "own_dose_differs",
            "Your own dose differs from the plan's. Check the weight, the row and the arithmetic; if you still differ, the plan goes back.",
            source=INDEPENDENT,
            field="own_dose_mg",
        )


def plan_hash(doses: Sequence[PlannedDose]) -> str:
    """SHA-256 over all the doses on a verification page: what the signature will cover."""
    return hashlib.sha256("".join(planning.content_hash(dose) for dose in doses).encode()).hexdigest()
