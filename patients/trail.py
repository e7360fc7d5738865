"""The history as Django reads it: events and row changes, kept by SQL in schema audit. Nothing here writes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.db import models


class Event(models.Model):
    """What happened, once per request that changed or read something: kept by SQL in schema audit, read here.

    Written only through the function audit.act (see patients/audit.py); the app's role can select, nothing else.
    """

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    name = models.TextField()
    request_id = models.TextField()
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.TextField()
    role = models.TextField()
    centre_id = models.BigIntegerField(null=True)
    patient_id = models.UUIDField(null=True)
    reason = models.TextField()
    facts = models.JSONField()

    class Meta:
        managed = False
        db_table = 'audit"."event'


class ExactJSON(json.JSONDecoder):
    """Reads 70.00 as the decimal it was, never as a float."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(parse_float=Decimal, **kwargs)


class RowChange(models.Model):
    """One row before and after one change, with the event that caused it: the view audit.change, kept by the database's triggers."""

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    tbl = models.TextField()
    op = models.TextField()
    row_pk = models.TextField()
    patient_id = models.UUIDField(null=True)
    old = models.JSONField(null=True, decoder=ExactJSON)
    new = models.JSONField(null=True, decoder=ExactJSON)
    db_role = models.TextField()
    event = models.ForeignKey(Event, models.DO_NOTHING, null=True, related_name="changes")

    class Meta:
        managed = False
        db_table = 'audit"."change'
