"""What happened: administrations with their rates, vital signs, reactions and vials, and decisions about missed doses."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Index, Q, UniqueConstraint

from patients.models import Centre, Membership, Patient
from patients.roles import Role
from regimens.models.course import PlannedDose
from regimens.models.stock import Lot

# What counts as given until two people have said otherwise (W1.5): live records, and those of planned doses in dispute.
COUNTED = Q(error_at=None) | Q(dose__isnull=False) & ~Q(dispute_outcome="not_given")


class Administration(models.Model):
    """One infusion as it happened. Recording the truth is never refused; what departs from the plan carries a reason and a flag.

    Three times are kept apart: planned (the dose's window), given (``started_at``) and charted (``recorded_at``).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, PROTECT, related_name="administrations")
    centre = models.ForeignKey(Centre, PROTECT, related_name="+")
    dose = models.ForeignKey(PlannedDose, PROTECT, null=True, blank=True, related_name="administrations")
    token = models.UUIDField(unique=True, help_text="The form's own number: the same form twice is one record")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    volume_ml = models.DecimalField("volume given", max_digits=7, decimal_places=2, null=True, blank=True)
    vial_entered_at = models.DateTimeField(null=True, blank=True)
    sheet_code = models.CharField(max_length=9, blank=True)
    rate_table = models.CharField(max_length=20, blank=True, help_text="The table the steps were planned by, at the start")
    given_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    flags = models.JSONField(default=list, help_text="Departures from the plan, as codes")
    reason = models.CharField(max_length=300, blank=True)
    stopped_early_reason = models.CharField(max_length=300, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    completed_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    completed_at = models.DateTimeField(null=True, blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    error_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    error_reason = models.CharField(max_length=300, blank=True)
    # After "entered in error" the dose stays disputed until another person says given or not given.
    dispute_settled_at = models.DateTimeField(null=True, blank=True)
    dispute_settled_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    dispute_outcome = models.CharField(
        max_length=10, blank=True, choices=[("given", "Given: to be recorded correctly"), ("not_given", "Not given")]
    )
    dispute_reason = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["dose"], condition=Q(error_at=None), name="one_live_administration_per_dose"),
            CheckConstraint(condition=Q(started_at__lte=F("recorded_at")), name="infusion_does_not_start_in_the_future"),
            CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")), name="infusion_ends_after_its_start"
            ),
            CheckConstraint(condition=Q(ended_at=None) | Q(volume_ml__isnull=False), name="ended_infusion_has_a_volume"),
            CheckConstraint(condition=Q(volume_ml=None) | Q(volume_ml__gte=0), name="volume_given_is_not_negative"),
            CheckConstraint(
                condition=Q(dose__isnull=False) | Q(reason__regex=r"^.{10,}$"), name="unplanned_infusion_has_a_reason"
            ),
            CheckConstraint(
                condition=Q(error_at__isnull=True, error_by__isnull=True, error_reason="")
                | Q(error_at__isnull=False, error_by__isnull=False) & ~Q(error_reason=""),
                name="administration_error_has_who_when_why",
            ),
            CheckConstraint(
                condition=Q(dispute_settled_by=None) | ~Q(dispute_settled_by=F("recorded_by")),
                name="dispute_is_settled_by_another_person",
            ),
            CheckConstraint(
                condition=Q(dispute_settled_by=None) | ~Q(dispute_settled_by=F("error_by")),
                name="dispute_is_not_settled_by_who_raised_it",
            ),
            CheckConstraint(
                condition=Q(dispute_settled_at__isnull=True, dispute_settled_by__isnull=True, dispute_outcome="")
                | Q(dispute_settled_at__isnull=False, dispute_settled_by__isnull=False, error_at__isnull=False)
                & Q(dispute_outcome__in=["given", "not_given"])
                & ~Q(dispute_reason=""),
                name="settled_dispute_says_what_who_when_why",
            ),
        ]
        indexes = [
            Index(fields=["patient", "-started_at"], name="administration_by_patient"),
            Index(fields=["centre", "started_at"], condition=Q(ended_at=None, error_at=None), name="running_infusions"),
        ]

    def __str__(self) -> str:
        return f"administration {self.pk}"

    @property
    def is_counted(self) -> bool:
        """``COUNTED`` for one row."""
        return self.error_at is None or (self.dose_id is not None and self.dispute_outcome != "not_given")


class RateChange(models.Model):
    """The pump was set to this rate at this instant; 0 is a pause."""

    administration = models.ForeignKey(Administration, PROTECT, related_name="rates")
    at = models.DateTimeField()
    rate_ml_per_h = models.DecimalField(max_digits=5, decimal_places=2)
    reason = models.CharField(max_length=200, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        constraints = [CheckConstraint(condition=Q(rate_ml_per_h__gte=0), name="pump_rate_is_not_negative")]


class Moment(models.TextChoices):
    """When the label asks for vital signs."""

    BEFORE = "before", "Before the start"
    BEFORE_RISE = "before_rise", "Before a rate increase"
    MIDWAY = "midway", "Midway by volume"
    AFTER = "after", "After the end"
    OTHER = "other", "Another moment"


class VitalSigns(models.Model):
    administration = models.ForeignKey(Administration, PROTECT, related_name="vitals")
    at = models.DateTimeField()
    moment = models.CharField(max_length=12, choices=Moment.choices)
    systolic_mmhg = models.PositiveSmallIntegerField(null=True, blank=True)
    diastolic_mmhg = models.PositiveSmallIntegerField(null=True, blank=True)
    heart_rate_per_min = models.PositiveSmallIntegerField(null=True, blank=True)
    temperature_c = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    spo2_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    not_taken_reason = models.CharField(max_length=200, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            CheckConstraint(condition=Q(moment__in=Moment.values), name="vital_signs_moment_is_known"),
            CheckConstraint(
                condition=~Q(not_taken_reason="")
                | Q(
                    systolic_mmhg__isnull=False,
                    diastolic_mmhg__isnull=False,
                    heart_rate_per_min__isnull=False,
                    temperature_c__isnull=False,
                ),
                name="vital_signs_are_taken_or_say_why_not",
            ),
        ]


class Reaction(models.Model):
    """A reaction to an infusion: by the monograph's term or in free words."""

    administration = models.ForeignKey(Administration, PROTECT, related_name="reactions")
    onset_at = models.DateTimeField()
    term = models.CharField(max_length=80)
    is_serious = models.BooleanField()
    action_taken = models.CharField(max_length=300)
    outcome = models.CharField(max_length=300, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    error_at = models.DateTimeField(null=True, blank=True)
    error_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    error_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["onset_at", "id"]


class VialUse(models.Model):
    """How much of one vial of one lot went into one infusion, and how much of it was thrown away."""

    administration = models.ForeignKey(Administration, PROTECT, related_name="vials")
    lot = models.ForeignKey(Lot, PROTECT, related_name="uses")
    given_ml = models.DecimalField(max_digits=6, decimal_places=2)
    wasted_ml = models.DecimalField(max_digits=6, decimal_places=2, default=0)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [CheckConstraint(condition=Q(given_ml__gte=0, wasted_ml__gte=0), name="vial_volumes_are_not_negative")]


class Decision(models.TextChoices):
    """What may be decided about a dose whose window has closed, or that was stopped before its end."""

    GIVE_LATE = "give_late", "Give late"
    GIVE_LATE_AND_SHIFT = "give_late_and_shift", "Give late and move all later doses"
    GIVE_REMAINDER = "give_remainder", "Give the remainder"
    ACCEPT_PARTIAL = "accept_partial", "Accept the part given"
    OMIT = "omit", "Omit this dose"
    CHANGE_DOSE = "change_dose", "Change the dose"
    HOLD = "hold", "Hold the course"
    STOP = "stop", "Stop the course"
    CHANGE_PROTOCOL = "change_protocol", "Change the protocol"


class MissedDoseDecision(models.Model):
    """What was decided about a missed dose, by whom, when, why, and how the prescriber was reached; or by which signed protocol a
    pharmacist decided.

    It stands until the record that it was about is entered in error: what was decided about a wrong amount counts no more.
    """

    dose = models.ForeignKey(PlannedDose, PROTECT, related_name="decisions")
    decision = models.CharField(max_length=24, choices=Decision.choices)
    give_on = models.DateField(null=True, blank=True)
    reason_code = models.CharField(max_length=40)
    reason = models.CharField(max_length=300, blank=True)
    reached_by = models.CharField("how the prescriber was reached, or by which protocol", max_length=160, blank=True)
    effects = models.JSONField(help_text="The options with dates, gaps and mg as they were shown")
    decided_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    decided_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["dose"], condition=Q(superseded_at=None), name="one_live_decision_per_dose"),
            CheckConstraint(condition=Q(decision__in=Decision.values), name="decision_is_known"),
            CheckConstraint(
                condition=~Q(decision__in=["give_late", "give_late_and_shift", "give_remainder"]) | Q(give_on__isnull=False),
                name="giving_late_has_a_day",
            ),
        ]

    @property
    def signed_by(self) -> str:
        """ "Imani Okafor"; "Kemi Adeyemi, pharmacist (Collaborative protocol: …)"."""
        name, role = self.decided_by.user.printed_name, self.decided_by.role
        return name if role == Role.PRESCRIBER else f"{name}, {Role(role).label.lower()} ({self.reached_by})"
