"""What the guard tests share: provoke a refusal of the database, and copy a row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, models, transaction

from patients.constraints import sentence_for


def refused(write: Callable[[], object]) -> str:
    """The name of the guard or constraint that refuses a write."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write()
        with connection.cursor() as cursor:
            cursor.execute("set constraints all immediate")
    return sentence_for(refusal.value).code


def copy_of(row: models.Model, **changes) -> models.Model:
    """The same row again under a new key, with some columns changed, not saved."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}
    return type(row)(**(values | changes))
