"""What is planned: orders, courses and planned doses. A planned dose row is one revision: superseded, never overwritten."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Index, Q, UniqueConstraint

from patients.models import Centre, Membership, Patient, Transplant, WeightMeasurement
from regimens.models.library import Monograph, Protocol, ProtocolDose


class PriorIg(models.TextChoices):
    """Immune globulin in the 28 days before the course, here or elsewhere; asked before anything is built."""

    YES = "yes", "Yes"
    NO = "no", "No"
    UNKNOWN = "unknown", "Unable to find out"


class Course(models.Model):
    """One patient's run of one protocol, pinned to one monograph version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, PROTECT, related_name="courses")
    transplant = models.ForeignKey(Transplant, PROTECT, related_name="courses")
    monograph = models.ForeignKey(Monograph, PROTECT, related_name="+")
    protocol = models.ForeignKey(Protocol, PROTECT, related_name="+")
    # The anchor: the transplant's instant, or the day of the first dose; frozen in the zone where it happened.
    anchor_at = models.DateTimeField(null=True, blank=True)
    anchor_on = models.DateField()
    anchor_zone_name = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    choice_reason = models.CharField("why this protocol", max_length=300)
    prior_ig = models.CharField(
        "immune globulin in the last 28 days", max_length=8, choices=PriorIg.choices, default=PriorIg.UNKNOWN
    )
    prior_ig_asked = models.CharField("who was asked", max_length=200, blank=True)
    # Late start: doses whose window closed before this instant were not ours to give.
    referred_at = models.DateTimeField(null=True, blank=True)
    referred_from = models.CharField(max_length=200, blank=True)
    review_on = models.DateField("review of the repeated doses", null=True, blank=True)
    built_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    built_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    stop_reason_code = models.CharField(max_length=40, blank=True)
    stop_reason = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["transplant"], condition=Q(stopped_at=None), name="one_open_course_per_transplant"),
            CheckConstraint(
                condition=Q(stopped_at__isnull=True, stopped_by__isnull=True, stop_reason_code="")
                | Q(stopped_at__isnull=False, stopped_by__isnull=False) & ~Q(stop_reason_code=""),
                name="stopped_course_has_who_when_why",
            ),
            CheckConstraint(condition=Q(prior_ig__in=PriorIg.values), name="prior_immune_globulin_is_answered"),
            CheckConstraint(condition=Q(referred_at=None) | ~Q(referred_from=""), name="referral_says_from_where"),
        ]
        indexes = [Index(fields=["patient", "-built_at"], name="course_by_patient")]

    def __str__(self) -> str:
        return f"course {self.pk}"


class PlannedDose(models.Model):
    """One dose to give, at one revision: its window, the weight and rule it was computed from, and the amounts.

    ``settled_at`` is a fact: when somebody's act (a record, a decision, a new revision, a stopped course) ended the waiting.
    Whether an unsettled dose is due, overdue or missed is computed from its three instants when asked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    course = models.ForeignKey(Course, PROTECT, related_name="doses")
    centre = models.ForeignKey(Centre, PROTECT, related_name="+")
    protocol_dose = models.ForeignKey(ProtocolDose, PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField(help_text="Place in the course, from 1")
    revision = models.PositiveIntegerField(help_text="The course's revision that made this row")
    title = models.CharField(max_length=80)
    opens_at = models.DateTimeField()
    target_on = models.DateField()
    overdue_at = models.DateTimeField(help_text="First instant after the target day")
    closes_at = models.DateTimeField(help_text="First instant outside the window")
    min_interval_hours = models.PositiveSmallIntegerField()
    weight = models.ForeignKey(WeightMeasurement, PROTECT, related_name="+")
    weight_kg = models.DecimalField(max_digits=5, decimal_places=2)
    mg_per_kg = models.DecimalField(max_digits=6, decimal_places=2)
    cap_mg_per_kg = models.DecimalField(max_digits=6, decimal_places=2)
    dose_mg = models.DecimalField(max_digits=8, decimal_places=2)
    volume_ml = models.DecimalField(max_digits=7, decimal_places=2)
    draw_ml = models.DecimalField("volume to infuse", max_digits=7, decimal_places=2)
    vials = models.PositiveSmallIntegerField()
    waste_ml = models.DecimalField(max_digits=7, decimal_places=2)
    rounded_from_mg = models.DecimalField(
        "exact dose before rounding to vials", max_digits=8, decimal_places=2, null=True, blank=True
    )
    is_remainder = models.BooleanField(default=False, help_text="What is left of a stopped dose")
    shifted_days = models.PositiveSmallIntegerField(default=0, help_text="Days this dose was moved with a late one, in all")
    booked_for = models.DateTimeField(null=True, blank=True)
    booked_place = models.CharField(max_length=80, blank=True)
    rate_table = models.CharField(max_length=20)
    ceiling_mg_per_kg_per_h = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    pump_increment_ml_per_h = models.DecimalField(max_digits=4, decimal_places=2)
    working = models.JSONField(help_text="The derivation: rule, sentence, source")
    replaces = models.ForeignKey("self", PROTECT, null=True, blank=True, related_name="replaced_by")
    built_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    built_at = models.DateTimeField()
    verified_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True)
    content_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of what was signed")
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_as = models.CharField(
        max_length=16,
        blank=True,
        choices=[
            ("recorded", "Recorded"),
            ("omitted", "Omitted"),
            ("superseded", "Superseded"),
            ("cancelled", "Cancelled"),
            ("before_referral", "Not given here, before referral"),
            ("accepted", "Part accepted as the dose"),
        ],
    )

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["course", "number"], condition=~Q(settled_as="superseded"), name="one_live_revision_per_dose"
            ),
            CheckConstraint(
                condition=Q(dose_mg__gt=0, dose_mg__lte=F("cap_mg_per_kg") * F("weight_kg")), name="dose_is_not_above_its_cap"
            ),
            CheckConstraint(condition=Q(draw_ml__gt=0, draw_ml__lte=F("volume_ml")), name="volume_is_drawn_down_never_up"),
            CheckConstraint(
                condition=Q(opens_at__lt=F("overdue_at"), overdue_at__lte=F("closes_at")), name="window_is_in_order"
            ),
            # Bounds the window, so that a worklist of one centre can look at a narrow range of closing instants.
            CheckConstraint(
                condition=Q(closes_at__lte=F("opens_at") + models.Value("30 days", output_field=models.DurationField())),
                name="window_is_at_most_30_days",
            ),
            CheckConstraint(
                condition=Q(verified_by__isnull=True, verified_at__isnull=True, content_hash="")
                | Q(verified_by__isnull=False, verified_at__isnull=False) & ~Q(content_hash=""),
                name="signature_has_who_when_what",
            ),
            CheckConstraint(condition=Q(verified_by=None) | ~Q(verified_by=F("built_by")), name="verifier_is_not_the_builder"),
            CheckConstraint(
                condition=Q(settled_at__isnull=True, settled_as="") | Q(settled_at__isnull=False) & ~Q(settled_as=""),
                name="settled_dose_says_how",
            ),
            CheckConstraint(condition=Q(booked_for=None) | ~Q(booked_place=""), name="booking_has_a_place"),
            CheckConstraint(
                condition=Q(rounded_from_mg=None) | Q(rounded_from_mg__gt=0), name="dose_before_rounding_is_above_zero"
            ),
        ]
        indexes = [
            # For the worklist: the open doses of one centre by closing instant. No parameter in the condition.
            Index(fields=["centre", "closes_at"], condition=Q(settled_at=None), name="open_doses_of_a_centre"),
            Index(fields=["centre", "built_at"], condition=Q(settled_at=None, verified_at=None), name="open_doses_to_verify"),
        ]

    def __str__(self) -> str:
        return f"planned dose {self.pk}"

    @property
    def monograph(self) -> Monograph:
        """The version this row was made by: its course's own, unless the course was moved after the row was settled."""
        if self.protocol_dose.protocol_id == self.course.protocol_id:
            return self.course.monograph
        return self.protocol_dose.protocol.monograph

    @property
    def in_hours(self) -> bool:
        """Whether this window is still the one its protocol counts in hours. A day of its own, once it is given late, is none;
        nor is any window of whole days that ends with its target day. ``models.status.in_hours_sql`` is the same rule.
        """
        hours = self.protocol_dose.closes_after_hours
        return hours is not None and self.closes_at - self.opens_at == timedelta(hours=hours)


class SheetCopy(models.Model):
    """One printed copy of one dose's sheet: what was printed, so that a replaced one can be called back."""

    dose = models.ForeignKey(PlannedDose, PROTECT, related_name="copies")
    code = models.CharField(max_length=9, help_text="Content code such as 7F3A-91C2")
    copy_number = models.PositiveSmallIntegerField()
    size = models.CharField(max_length=6, choices=[("a4", "A4"), ("letter", "Letter")])
    is_draft = models.BooleanField()
    printed_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+", help_text="Empty: unattended")
    printed_at = models.DateTimeField()

    class Meta:
        constraints = [UniqueConstraint(fields=["dose", "copy_number"], name="copies_of_a_sheet_are_numbered")]
