"""What has to be right around a course before a dose starts: holds, releases, booking papers, consents and signed exceptions."""

from __future__ import annotations

from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Index, Q, UniqueConstraint

from patients.models import Membership, WeightMeasurement
from regimens.models.course import Course, PlannedDose
from regimens.models.findings import LabResult

AFTER_REACTION = "serious_reaction"  # the code of the monograph's list by which a recorded reaction holds a course


class Reasoned(models.Model):
    """A reason from the monograph's list, with its sentence as it read when it was chosen, and more in words."""

    reason_code = models.CharField(max_length=40)
    reason_words = models.CharField("reason as listed", max_length=200, blank=True)
    reason = models.CharField("in words", max_length=300, blank=True)

    class Meta:
        abstract = True

    @property
    def listed_reason(self) -> str:
        """The reason as people read it; of a row older than the lists, its code in plain letters."""
        return self.reason_words or self.reason_code.replace("_", " ").capitalize()


class Hold(Reasoned):
    """No dose of the course starts until somebody resumes it. Windows go on closing: each one that does is decided about."""

    course = models.ForeignKey(Course, PROTECT, related_name="holds")
    ordered_by = models.ForeignKey(
        Membership,
        PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The prescriber, in person or by read-back; nobody where a serious reaction holds the course",
    )
    held_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    held_at = models.DateTimeField()
    review_on = models.DateField()
    resumed_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    resumed_at = models.DateTimeField(null=True, blank=True)
    resume_ordered_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    resume_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["held_at"]
        constraints = [
            UniqueConstraint(fields=["course"], condition=Q(resumed_at=None), name="one_open_hold_per_course"),
            CheckConstraint(condition=~Q(reason_code=""), name="hold_has_a_reason"),
            CheckConstraint(
                condition=Q(ordered_by__isnull=False) | Q(reason_code=AFTER_REACTION) & ~Q(reason=""),
                name="hold_is_ordered_or_follows_a_reaction",
            ),
            CheckConstraint(
                condition=Q(resumed_at__isnull=True, resumed_by__isnull=True, resume_ordered_by__isnull=True, resume_reason="")
                | Q(resumed_at__gt=F("held_at"), resumed_by__isnull=False, resume_ordered_by__isnull=False)
                & ~Q(resume_reason=""),
                name="resumed_hold_has_who_when_why",
            ),
        ]

    @property
    def ordered_text(self) -> str:
        """Who ordered it, as a sentence; people are read already."""
        if self.ordered_by is None:
            return f"Held by the record of {self.held_by.user.printed_name}; nobody ordered it."
        return f"Ordered by {self.ordered_by.user.printed_name}."


class Release(models.Model):
    """A pharmacist's go for one dose, at most 48 h before it starts: the re-check of everything that may have changed."""

    dose = models.ForeignKey(PlannedDose, PROTECT, related_name="releases")
    weight = models.ForeignKey(WeightMeasurement, PROTECT, related_name="+", help_text="The latest weight, seen and in date")
    creatinine = models.ForeignKey(LabResult, PROTECT, null=True, blank=True, related_name="+")
    creatinine_missing_reason = models.CharField(max_length=200, blank=True)
    released_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    released_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    withdrawn_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["dose"], condition=Q(withdrawn_at=None), name="one_live_release_per_dose"),
            CheckConstraint(
                condition=Q(creatinine__isnull=False) | ~Q(creatinine_missing_reason=""),
                name="release_saw_creatinine_or_says_why",
            ),
            CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True, withdrawn_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdrawn_reason=""),
                name="withdrawn_release_has_who_when_why",
            ),
        ]


class Authorization(models.Model):
    """Whether the payer pays and the vials are there; a newer row replaces an older one. Both missing cause most missed doses."""

    class State(models.TextChoices):
        NOT_NEEDED = "not_needed", "Not needed"
        PENDING = "pending", "Pending"
        APPROVED = "approved", "Approved"
        DENIED = "denied", "Denied"

    class Vials(models.TextChoices):
        NOT_ASKED = "not_asked", "Not asked for yet"
        ORDERED = "ordered", "Ordered"
        RESERVED = "reserved", "Reserved"

    course = models.ForeignKey(Course, PROTECT, related_name="authorizations")
    state = models.CharField("payer authorization", max_length=10, choices=State.choices)
    approved_until = models.DateField(null=True, blank=True)
    vials = models.CharField(max_length=10, choices=Vials.choices)
    vials_for_on = models.DateField("vials are for the dose of", null=True, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["course"], condition=Q(superseded_at=None), name="one_live_authorization_per_course"),
            CheckConstraint(
                condition=Q(state__in=["not_needed", "pending", "approved", "denied"]), name="authorization_state_is_known"
            ),
            CheckConstraint(condition=Q(vials__in=["not_asked", "ordered", "reserved"]), name="vials_state_is_known"),
            CheckConstraint(
                condition=~Q(state="approved") | Q(approved_until__isnull=False), name="approved_authorization_has_an_end"
            ),
            CheckConstraint(condition=Q(vials="not_asked") | Q(vials_for_on__isnull=False), name="vials_are_for_a_day"),
        ]


class Consent(models.Model):
    """The patient's consent to a blood product for a course."""

    course = models.ForeignKey(Course, PROTECT, related_name="consents")
    given_by = models.CharField("who consented", max_length=120, help_text="The patient, or the person who consents for them")
    obtained_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    obtained_on = models.DateField()
    form_version = models.CharField(max_length=40)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    withdrawn_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["course"], condition=Q(withdrawn_at=None), name="one_live_consent_per_course"),
            CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True, withdrawn_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdrawn_reason=""),
                name="withdrawn_consent_has_who_when_why",
            ),
        ]


class SingleCheck(models.Model):
    """A plan that a prescriber built and one pharmacist alone checked, because no second one could be had (W1.15).

    It is as good as signed; it is listed until another pharmacist has looked at it.
    """

    class Why(models.TextChoices):
        OFF_HOURS = "off_hours", "Night, weekend or holiday: no second pharmacist on duty"
        WINDOW = "window", "The window was about to close"
        ABSENT = "absent", "The second pharmacist was called and could not come"
        OTHER = "other", "Another reason"

    course = models.ForeignKey(Course, PROTECT, related_name="single_checks")
    revision = models.PositiveIntegerField()
    why = models.CharField(max_length=10, choices=Why.choices)
    words = models.CharField("in words", max_length=300, blank=True)
    checked_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    checked_at = models.DateTimeField()
    reviewed_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = models.CharField("what the second pharmacist found", max_length=300, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["course", "revision", "checked_at"], name="single_check_is_listed_once"),
            CheckConstraint(condition=~Q(why="other") | ~Q(words=""), name="single_check_has_words"),
            CheckConstraint(
                condition=Q(reviewed_by=None) | ~Q(reviewed_by=F("checked_by")), name="single_check_is_reviewed_by_another"
            ),
            CheckConstraint(
                condition=Q(reviewed_by__isnull=True, reviewed_at__isnull=True, review="")
                | Q(reviewed_by__isnull=False, reviewed_at__isnull=False) & ~Q(review=""),
                name="reviewed_single_check_has_who_and_when",
            ),
        ]
        indexes = [Index(fields=["checked_at"], condition=Q(reviewed_at=None), name="single_checks_to_review")]


class WeightKept(models.Model):
    """A pharmacist signed that the doses stay as they are although a newer weight differs by 10 percent or more."""

    course = models.ForeignKey(Course, PROTECT, related_name="weights_kept")
    weight = models.ForeignKey(WeightMeasurement, PROTECT, related_name="+", help_text="The newer weight")
    reason = models.CharField(max_length=300)
    kept_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    kept_at = models.DateTimeField()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["course", "weight"], name="weight_is_kept_once_per_course"),
            CheckConstraint(condition=Q(reason__regex=r"^.{10,}$"), name="kept_weight_has_a_reason"),
        ]


class IntervalRelease(models.Model):
    """A prescriber signed that a dose may start sooner than the minimum interval after the one that was the last when they signed."""

    dose = models.ForeignKey(PlannedDose, PROTECT, related_name="interval_releases")
    reason = models.CharField(max_length=300)
    released_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    released_at = models.DateTimeField()

    class Meta:
        constraints = [CheckConstraint(condition=Q(reason__regex=r"^.{10,}$"), name="released_interval_has_a_reason")]


class NotGivenToday(Reasoned):
    """A nurse's note that a dose was not given on a day, and why. It closes nothing: the case opens with it."""

    dose = models.ForeignKey(PlannedDose, PROTECT, related_name="not_given")
    was_prepared = models.BooleanField("the dose had been prepared")
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["recorded_at"]
        constraints = [
            CheckConstraint(condition=~Q(reason_code=""), name="not_given_has_a_reason"),
        ]
        indexes = [Index(fields=["dose", "recorded_at"], name="not_given_by_dose")]
