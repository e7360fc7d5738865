"""The patients of a drill: `python -m cmvig_site.local.drill_data DOSES NURSES` on a database with a published monograph.

The first patient goes through the actions; the others are copies of those rows under names and numbers of their own, signed as
the first is, because a thousand courses built one by one would take longer than the drill. Prints what a nurse needs, as JSON.
"""

from __future__ import annotations

import copy
import json
import os
import secrets
import sys
import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Model

    from patients.models import Centre, Membership, Patient
    from regimens.models import Course

ZONE = "UTC"  # no hour of a drill comes twice
TRANSPLANTED_BEFORE = timedelta(hours=24)
LOT_EXPIRES_AFTER = timedelta(days=400)
FIRST_BIRTH_ON = date(1950, 1, 1)


def main(arguments: list[str]) -> int:
    """Make them, and print the accounts and doses."""
    doses, nurses = map(int, arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cmvig_site.settings")
    import django

    django.setup()
    from django.db import transaction
    from django.utils import timezone

    now = timezone.now().replace(second=0, microsecond=0)
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        centre, people = _team(nurses, password, now)
        first = _first_course(people, now)
        facts = _copies(first, doses)
    accounts = [
        {"username": member.user.username, "password": password, "membership": member.pk} for member in people["nurses"]
    ]
    expires_on = (now + LOT_EXPIRES_AFTER).date().isoformat()
    print(
        json.dumps(
            {"centre": centre.pk, "now": now.isoformat(), "expires_on": expires_on, "accounts": accounts, "doses": facts}
        )
    )
    return 0


def _team(nurses: int, password: str, now: datetime) -> tuple[Centre, dict[str, Any]]:
    from patients import actions
    from patients.roles import Role

    centre = actions.create_centre(
        by=None, at=now, name="Drill", time_zone=ZONE, phone="+1 555 0100", is_demonstration=True, second_factor_required=False
    )

    def member(role: str, username: str) -> Membership:
        user = actions.create_account(
            by=None, at=now, username=username, given=username.title(), family="Drill", password=password
        )
        return actions.add_membership(by=None, at=now, user=user, centre=centre, role=role)

    people = {
        "builder": member(Role.PHARMACIST, "builder"),
        "verifier": member(Role.PHARMACIST, "verifier"),
        "prescriber": member(Role.PRESCRIBER, "prescriber"),
        "nurses": [member(Role.NURSE, f"nurse{number}") for number in range(1, nurses + 1)],
    }
    return centre, people


def _first_course(people: dict[str, Any], now: datetime) -> Course:
    """Transplanted a day ago, built and verified within the hour: the first dose is open."""
    from patients import actions
    from patients.models import PrecautionKind
    from regimens.actions import courses, orders, planning, verification

    at, builder = now - TRANSPLANTED_BEFORE, people["builder"]
    patient = actions.register_patient(
        by=builder, at=at, mrn="00000001", family_name="Drill", birth_on=FIRST_BIRTH_ON, sex="female"
    )
    weight = actions.record_weight(
        by=builder, at=at, patient=patient, weight_kg=Decimal(70), measured_at=at - timedelta(hours=1), method="bed_scale"
    )
    actions.answer_precautions(
        by=builder, at=at, patient=patient, answers={kind.value: ("absent", "") for kind in PrecautionKind}
    )
    transplant = actions.record_transplant(
        by=builder,
        at=at,
        patient=patient,
        organs=["kidney"],
        reperfusion_at=at,
        donor_cmv_igg="positive",
        recipient_cmv_igg="negative",
    )
    order = orders.OrderFacts(prescriber=people["prescriber"], ordered_at=at, mode="written", indication="Prophylaxis")
    course = courses.build_course(
        transplant=transplant,
        choices=planning.Choices(protocol_code="kidney"),
        weight=weight,
        choice_reason="Kidney alone",
        beside=courses.Beside(prior_ig="no"),
        order=order,
        by=builder,
        at=at,
    )
    planned = list(verification.open_unsigned(course))
    for dose in planned:
        dose.course = course
    return verification.verify_course(
        course=course,
        shown_hash=verification.plan_hash(planned),
        mrn_tail=patient.mrn[-4:],
        birth_year=str(patient.birth_on.year),
        own_dose_mg=planned[0].dose_mg,
        by=people["verifier"],
        at=at + timedelta(minutes=30),
    )


def _copies(first: Course, count: int) -> list[dict[str, str]]:
    """As many patients in all as doses are to be given; the facts of each one's first dose."""
    from patients.models import Patient, Precaution, Transplant, WeightMeasurement
    from regimens.actions import planning
    from regimens.models import Course, Order, PlannedDose

    origin = Course.objects.select_related("patient", "transplant", "monograph", "protocol").get(pk=first.pk)
    answers = list(Precaution.objects.filter(patient=origin.patient))
    [weight] = WeightMeasurement.objects.filter(patient=origin.patient)
    [order] = Order.objects.filter(course=origin)
    doses = list(PlannedDose.objects.filter(course=origin).order_by("number"))
    made: dict[type[Model], list[Any]] = {
        model: [] for model in (Patient, WeightMeasurement, Precaution, Transplant, Course, Order, PlannedDose)
    }
    facts = [_facts(origin.patient, doses[0], planning.sheet_code(doses[0]))]
    for number in range(2, count + 1):
        mrn, born_on = f"{number:08d}", FIRST_BIRTH_ON + timedelta(days=number)
        name = f"{secrets.token_hex(4)}".translate(str.maketrans("0123456789", "ghijklmnop")).title()
        patient = _copy(origin.patient, mrn=mrn, family_name=name, name_key=name.casefold(), birth_on=born_on)
        new_weight, graft = _copy(weight, patient=patient), _copy(origin.transplant, patient=patient)
        course = _copy(origin, patient=patient, transplant=graft)
        new_doses = [_copy(dose, course=course, weight=new_weight) for dose in doses]
        for dose in new_doses:
            dose.content_hash = planning.content_hash(dose)
        made[Patient].append(patient)
        made[WeightMeasurement].append(new_weight)
        made[Precaution] += [_copy(answer, patient=patient) for answer in answers]
        made[Transplant].append(graft)
        made[Course].append(course)
        made[Order].append(_copy(order, course=course))
        made[PlannedDose] += new_doses
        facts.append(_facts(patient, new_doses[0], planning.sheet_code(new_doses[0])))
    for model, rows in made.items():
        model._default_manager.bulk_create(rows, batch_size=500)
    return facts


def _copy(row: Any, **changes: Any) -> Any:
    """The same row under a number of its own."""
    new = copy.copy(row)
    new._state = copy.copy(row._state)
    new._state.fields_cache = dict(row._state.fields_cache)
    new._state.adding = True
    new.pk = uuid.uuid4() if isinstance(row.pk, uuid.UUID) else None
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _facts(patient: Patient, dose: Any, code: str) -> dict[str, str]:
    return {
        "dose": str(dose.pk),
        "mrn_tail": patient.mrn[-4:],
        "birth_year": str(patient.birth_on.year),
        "volume_ml": str(dose.draw_ml),
        "sheet_code": code,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
