"""Notices: who was told what about which dose, and when the notifier last ran."""

from __future__ import annotations

from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Q, UniqueConstraint

from patients.models import Membership
from regimens.models.course import PlannedDose


class NoticeKind(models.TextChoices):
    """What somebody is told."""

    MISSED = "missed", "The window of a dose has closed and nobody has decided"


class Notice(models.Model):
    """One person is told one thing about one dose. The row is the claim: whoever writes it sends the message, and nobody else.

    A row without ``sent_at`` was claimed, and perhaps sent: the process ended in between, or the mail server refused. It is never
    sent again, because the same notice twice teaches people to look away; the page shows it instead.
    """

    kind = models.CharField(max_length=12, choices=NoticeKind.choices)
    dose = models.ForeignKey(PlannedDose, PROTECT, related_name="notices")
    recipient = models.ForeignKey(Membership, PROTECT, related_name="+")
    claimed_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["kind", "dose", "recipient"], name="notice_is_claimed_once"),
            CheckConstraint(condition=Q(kind__in=NoticeKind.values), name="notice_kind_is_known"),
            CheckConstraint(
                condition=Q(sent_at=None) | Q(sent_at__gte=F("claimed_at")), name="notice_is_claimed_before_it_is_sent"
            ),
        ]


class NotifierRun(models.Model):
    """When the notifier last came to its end: one row, written by every run that is not a rehearsal."""

    ran_at = models.DateTimeField()

    class Meta:
        constraints = [CheckConstraint(condition=Q(id=1), name="notifier_has_one_last_run")]
