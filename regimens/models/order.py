"""What the prescriber ordered: signed by the prescriber, or entered by somebody else and co-signed."""

from __future__ import annotations

from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Index, Q, UniqueConstraint

from patients.models import Membership, Transplant
from regimens.models.course import Course


class Mode(models.TextChoices):
    """How an order reached the record."""

    WRITTEN = "written", "Written by the prescriber"
    TELEPHONE = "telephone", "Telephone, read back"
    PROTOCOL = "protocol", "Signed protocol of the centre"


class WeightBasis(models.TextChoices):
    """Which weight the doses are to be computed from; both are shown where they differ."""

    LATEST = "latest", "Latest weight"
    DRY = "dry", "Last weight before the transplant (dry weight)"


class Order(models.Model):
    """What the prescriber ordered for a transplant. It waits until a course is built from it; a later order supersedes it."""

    transplant = models.ForeignKey(Transplant, PROTECT, related_name="orders")
    course = models.ForeignKey(Course, PROTECT, null=True, blank=True, related_name="orders", help_text="Empty: not built yet")
    protocol_code = models.CharField(max_length=40)
    ordered_rows = models.JSONField("mg per kg of each row as ordered", help_text="[[code, mg per kg], …]")
    weight_basis = models.CharField(max_length=6, choices=WeightBasis.choices, default=WeightBasis.LATEST)
    allows_vial_rounding = models.BooleanField(default=False)
    prescriber = models.ForeignKey(Membership, PROTECT, related_name="+")
    ordered_at = models.DateTimeField()
    mode = models.CharField(max_length=10, choices=Mode.choices)
    order_number = models.CharField(max_length=40, blank=True, help_text="Number in the hospital's record")
    indication = models.CharField(max_length=300)
    ceiling_mg_per_kg_per_h = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    instructions = models.CharField("premedication and bedside orders", max_length=500, blank=True)
    reaction_orders = models.CharField("orders for a reaction", max_length=500, blank=True)
    expires_on = models.DateField(null=True, blank=True, help_text="Empty: with the last window")
    is_read_back = models.BooleanField(default=False, help_text="A telephone order was read back by name")
    off_label_reason = models.CharField(max_length=300, blank=True)
    entered_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True, blank=True, help_text="When the prescriber signed or co-signed")
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["course"], condition=Q(superseded_at=None), name="one_live_order_per_course"),
            UniqueConstraint(
                fields=["transplant"], condition=Q(course=None, superseded_at=None), name="one_waiting_order_per_transplant"
            ),
            CheckConstraint(condition=Q(weight_basis__in=WeightBasis.values), name="weight_basis_is_known"),
            CheckConstraint(condition=~Q(mode="telephone") | Q(is_read_back=True), name="telephone_order_is_read_back"),
            CheckConstraint(condition=Q(mode__in=Mode.values), name="order_mode_is_known"),
            CheckConstraint(condition=Q(ordered_at__lte=F("entered_at")), name="order_is_not_in_the_future"),
        ]
        indexes = [Index(fields=["entered_at"], condition=Q(course=None, superseded_at=None), name="orders_to_build")]
