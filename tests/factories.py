"""Plain functions that make what a test needs, by the same actions that a person's clicks go through.

Every test says what matters to it and leaves the rest to the defaults. Instants hang on NOW, so that no test reads the clock.
"""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import override_settings

from patients import actions
from patients.models import Centre, Membership, Patient, PrecautionKind, Transplant, User, WeightMeasurement
from patients.roles import Role
from regimens.models import Order

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)  # Sunday 10:00 in New York
NEW_YORK = "America/New_York"
PASSWORD = "correct-horse-battery-staple"

_number = itertools.count(1)


class QuickHasher(PBKDF2PasswordHasher):
    """Django's own hash with one round, which its own check reads like any other: signing in works, and tests do not wait."""

    iterations = 1


override_settings(PASSWORD_HASHERS=["tests.factories.QuickHasher"]).enable()  # for the whole process: no test is about hashing


def make_centre(*, name: str = "", time_zone: str = NEW_YORK, at: datetime = NOW, **policy: Any) -> Centre:
    """A centre in New York, without a second factor."""
    policy = {"second_factor_required": False} | policy
    name = name or f"Centre {next(_number)}"
    return actions.create_centre(by=None, at=at, name=name, time_zone=time_zone, phone="+1 212 555 0100", **policy)


def make_account(*, given: str = "Kemi", family: str = "Adeyemi", username: str = "", at: datetime = NOW) -> User:
    """An account without a role; its password is PASSWORD."""
    username = username or f"person{next(_number)}"
    return actions.create_account(by=None, at=at, username=username, given=given, family=family, password=PASSWORD)


def make_member(
    role: str = Role.PHARMACIST, *, centre: Centre | None = None, user: User | None = None, at: datetime = NOW, **names: str
) -> Membership:
    """A person with this role, in a centre of its own unless one is given."""
    return actions.add_membership(
        by=None, at=at, user=user or make_account(at=at, **names), centre=centre or make_centre(at=at), role=role
    )


def make_patient(*, by: Membership | None = None, at: datetime = NOW, **values: Any) -> Patient:
    """OKONKWO, Adaeze, born 14-Jul-1979, with a record number of her own, in the centre of ``by``."""
    by = by or make_member(at=at)
    facts: dict[str, Any] = {
        "family_name": "Okonkwo",
        "given_name": "Adaeze",
        "birth_on": date(1979, 7, 14),
        "sex": "female",
        "mrn": f"{42_7719 + 17 * next(_number):08d}",
        "is_another_person": True,
    }
    return actions.register_patient(by=by, at=at, **(facts | values))


def make_weight(
    patient: Patient, weight_kg: str | Decimal = "70", *, by: Membership | None = None, at: datetime = NOW, **values: Any
) -> WeightMeasurement:
    """A weight on a bed scale, measured an hour before ``at``; by whoever registered the patient unless ``by`` is given."""
    facts: dict[str, Any] = {"measured_at": at - timedelta(hours=1), "method": "bed_scale"}
    return actions.record_weight(
        by=by or patient.registered_by, at=at, patient=patient, weight_kg=Decimal(weight_kg), **(facts | values)
    )


def make_transplant(patient: Patient, *, by: Membership | None = None, at: datetime = NOW, **values: Any) -> Transplant:
    """A kidney, reperfused two days before ``at``, from a positive donor into a negative recipient."""
    facts: dict[str, Any] = {
        "organs": ["kidney"],
        "reperfusion_at": at - timedelta(days=2),
        "donor_cmv_igg": "positive",
        "recipient_cmv_igg": "negative",
    }
    return actions.record_transplant(by=by or patient.registered_by, at=at, patient=patient, **(facts | values))


def order_anew(order: Order, *, at: datetime = NOW, **changes: Any) -> Order:
    """Another order in the place of this one, with these differences: what was ordered is never overwritten."""
    Order.objects.filter(pk=order.pk).update(superseded_at=at)
    values = {field.attname: getattr(order, field.attname) for field in Order._meta.concrete_fields if not field.primary_key}
    return Order.objects.create(**(values | changes))


def make_answers(patient: Patient, *, by: Membership | None = None, at: datetime = NOW, **answers: str) -> None:
    """Every question answered "no", except those given: ``make_answers(patient, iga_deficiency="present")``."""
    all_answers = {kind.value: (answers.get(kind.value, "absent"), "") for kind in PrecautionKind}
    actions.answer_precautions(by=by or patient.registered_by, at=at, patient=patient, answers=all_answers)
