"""What is on record about one patient, read for pages and for the actions: weights, answers about risk, look-alikes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Func, Q, QuerySet, Value
from django.db.models.functions import Length, StrIndex, Substr

from patients import names, rules
from patients.models import Answer, Patient, Precaution, PrecautionKind, WeightMeasurement, WeightMethod
from patients.rules import WeightLimits

# A weight that looks like a slip is kept as not valid from its first moment, so that nothing can compute a dose from it.
HELD = "Waits for a second measurement by another person"
STOPPING = (
    PrecautionKind.CMVIG_HYPERSENSITIVITY,
    PrecautionKind.IG_HYPERSENSITIVITY,
    PrecautionKind.COMPONENT_HYPERSENSITIVITY,
    PrecautionKind.IGA_DEFICIENCY,
)


# --- Weights -----------------------------------------------------------------------------------------------------------------


def valid_weights(patient: Patient) -> QuerySet[WeightMeasurement]:
    """Every weight that may be used, newest first."""
    return WeightMeasurement.objects.filter(patient=patient, error_at=None).order_by("-measured_at", "-pk")


def current_weight(patient: Patient) -> WeightMeasurement | None:
    """The newest valid weight, or None."""
    return valid_weights(patient).first()


def neighbour_weight(patient: Patient, measured_at: datetime) -> WeightMeasurement | None:
    """The valid weight that a new one is compared with: the last one before it, else the first one after it."""
    weights = valid_weights(patient)
    return weights.filter(measured_at__lte=measured_at).first() or weights.last()


def held_weights(patient: Patient, *, measured_at: datetime, limits: WeightLimits) -> QuerySet[WeightMeasurement]:
    """First measurements that still wait for a second one, measured within the limit of hours of this instant."""
    hours = timedelta(hours=limits.confirm_within_hours)
    return WeightMeasurement.objects.filter(
        patient=patient,
        error_reason=HELD,
        confirmed_by=None,
        measured_at__gte=measured_at - hours,
        measured_at__lte=measured_at + hours,
    ).order_by("-measured_at")


def is_held(weight: WeightMeasurement) -> bool:
    """Whether this row is the first half of a doubtful measurement."""
    return weight.error_reason == HELD


def is_measured(method: str) -> bool:
    """Whether a method is a measurement, and not somebody's word."""
    return method != WeightMethod.STATED


# --- Answers about risk ------------------------------------------------------------------------------------------------------


def questions_for(patient: Patient, on: date) -> list[PrecautionKind]:
    """The questions this patient is asked, in their order."""
    about_pregnancy = rules.asks_about_pregnancy(patient.sex, rules.age_years(patient.birth_on, on))
    never = () if about_pregnancy else (PrecautionKind.PREGNANCY, PrecautionKind.LACTATION)
    return [kind for kind in PrecautionKind if kind not in never]


def live_answers(patient: Patient) -> dict[str, Precaution]:
    """The answer that holds, by kind."""
    rows = Precaution.objects.filter(patient=patient, superseded_at=None).select_related(
        "recorded_by__user", "released_by__user"
    )
    return {row.kind: row for row in rows}


def alerts_of(answers: Iterable[Precaution]) -> list[str]:
    """What the banner says of the answers: every "yes", and whether a prescriber released it."""
    order = list(PrecautionKind)
    present = sorted(
        (row for row in answers if row.answer == Answer.PRESENT), key=lambda row: order.index(PrecautionKind(row.kind))
    )
    return [row.get_kind_display() + (" (released)" if row.released_at else "") for row in present]


# --- Look-alikes (H01, H27) --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Another patient of the same centre who can be taken for this one, and why."""

    patient_id: UUID
    family_name: str
    given_name: str
    birth_on: date
    mrn: str
    same_family: bool  # same sound, or few edits apart
    same_birth: bool
    near_mrn: bool

    @property
    def may_be_the_same_person(self) -> bool:
        return self.same_family and self.same_birth

    @property
    def name(self) -> str:
        """As the banner writes a name."""
        return ", ".join(filter(None, (self.family_name.upper(), self.given_name)))


def _pieces(family: str, edits: int) -> list[tuple[int, str]]:
    """So many pieces, each with its place, that one of them survives the edits unchanged and at most so many places away."""
    size, rest = divmod(len(family), edits + 1)
    pieces, start = [], 0
    for number in range(edits + 1):
        end = start + size + (number < rest)
        pieces.append((start, family[start:end]))
        start = end
    return pieces


def _net(family: str, birth_on: date, mrn: str, label: str = "") -> tuple[dict[str, Func], Q]:
    """A wider net than the rules, for the database to cast: whoever is alike is in it, and few others. ``label`` keeps the names of
    several nets apart.

    The comparison itself stays in Python, where it is tested; casting the net keeps it off the thousands who are unlike.
    """
    # The shorter of two names decides how many edits count, so never more than this one allows.
    edits = names.edits_allowed(family)
    near: dict[str, Func] = {}
    by_edits = Q()
    for number, (start, piece) in enumerate(_pieces(family, edits)):
        first, last = max(start - edits, 0), start + len(piece) + edits
        near[f"near{label}_{number}"] = Substr("name_key", first + 1, last - first)
        by_edits |= Q(**{f"near{label}_{number}__contains": piece})
    length = len(family) + 1  # where the separator stands
    by_edits &= Q(family_ends__gte=length - edits, family_ends__lte=length + edits)
    near["family_ends"] = StrIndex("name_key", Value(names.SEPARATOR))
    near["mrn_length"] = Length("mrn")
    slips = [re.escape(mrn[:i]) + "." + re.escape(mrn[i + 1 :]) for i in range(len(mrn))]
    swaps = [mrn[:i] + mrn[i + 1] + mrn[i] + mrn[i + 2 :] for i in range(len(mrn) - 1)]
    net = Q(birth_on=birth_on) | by_edits | Q(name_key__startswith=f"{family}{names.SEPARATOR}")
    net |= Q(mrn__in=swaps) | Q(mrn_length=len(mrn), mrn__regex=f"^({'|'.join(slips)})$")
    if pattern := names.sound_pattern(family):
        net |= Q(name_key__startswith=family[0], name_key__regex=pattern)
    return near, net


def look_alikes(
    *, centre_id: int, name_key: str, birth_on: date, mrn: str, besides: UUID | None = None, limit: int = 20
) -> list[LookAlike]:
    """Open patients of the centre who look alike, the closest first. One query."""
    family = names.family_of(name_key)
    near, net = _net(family, birth_on, mrn)
    rows = (
        Patient.objects.alias(**near)
        .filter(net, centre_id=centre_id, closed_at=None)
        .values_list("pk", "name_key", "family_name", "given_name", "birth_on", "mrn")
    )
    if besides is not None:
        rows = rows.exclude(pk=besides)
    known: dict[str, bool] = {}
    found = []
    for pk, key, family_name, given_name, born, number in rows:
        other = names.family_of(key)
        if other not in known:
            known[other] = names.families_alike(family, other)
        alike = LookAlike(
            pk, family_name, given_name, born, number, known[other], born == birth_on, names.mrns_alike(mrn, number)
        )
        if alike.same_family or alike.same_birth or alike.near_mrn:
            found.append((alike, other != family))
    found.sort(key=lambda item: (-(item[0].same_family + item[0].same_birth + item[0].near_mrn), item[1], item[0].name))
    return [alike for alike, _ in found[:limit]]


def look_alikes_of(patient: Patient, limit: int = 20) -> list[LookAlike]:
    """The look-alikes of a registered patient."""
    return look_alikes(
        centre_id=patient.centre_id,
        name_key=patient.name_key,
        birth_on=patient.birth_on,
        mrn=patient.mrn,
        besides=patient.pk,
        limit=limit,
    )


def mistakable_among(centre_id: int, people: Collection[names.Known]) -> frozenset[str]:
    """The record numbers of those few people whom some open patient of the centre, or one of themselves, can be taken for. One query.

    For a short list: every person in it casts a net of their own.
    """
    near: dict[str, Func] = {}
    nets = Q()
    for number, person in enumerate(people):
        aliases, net = _net(names.family_of(person.name_key), person.birth_on, person.mrn, f"_{number}")
        near |= aliases
        nets |= net
    if not nets:
        return frozenset()
    rows = Patient.objects.alias(**near).filter(nets, centre_id=centre_id, closed_at=None)
    caught = {names.Known(*row) for row in rows.values_list("name_key", "birth_on", "mrn")} | set(people)
    return frozenset(person.mrn for person in people if any(names.alike(person, other) for other in caught))
