"""Lots: a batch of the product with its expiry, known to a centre from the first vial used or received."""

from __future__ import annotations

from django.db import models
from django.db.models import PROTECT, UniqueConstraint

from patients.models import Centre


class Lot(models.Model):
    centre = models.ForeignKey(Centre, PROTECT, related_name="lots")
    product_code = models.CharField(max_length=40)
    number = models.CharField("lot number", max_length=20)
    expires_on = models.DateField()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["centre", "product_code", "number", "expires_on"], name="lot_is_known_once_per_centre")
        ]

    def __str__(self) -> str:
        return self.number
