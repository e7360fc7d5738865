"""What a draft of the monograph would change, for whoever decides about it. Reads and computes; writes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from patients.access import own_patients
from patients.models import Membership
from regimens.domain import library_impact
from regimens.domain import monograph as domain
from regimens.domain.case_file import read_cases
from regimens.domain.cases import Result, check
from regimens.domain.library_impact import Impact, OpenDose
from regimens.library import WORKED_CASES
from regimens.models import Course, Monograph, PlannedDose, ProtocolDose


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A worked case that comes out otherwise: by the version in force and by the draft, value by value."""

    case_id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CaseChanges:
    """All worked cases of this release: how many come out the same, and those that do not."""

    same: int
    changed: tuple[CaseChange, ...]


def running_impact(after: domain.Monograph, courses: Collection[uuid.UUID] | None = None) -> Impact:
    """What is left of every running course, of all centers or of ``courses`` alone, beside what ``after`` would make of it.

    Four statements, and one for each version that this process has not read yet.
    """
    rows = {
        row.pk: row
        for row in ProtocolDose.objects.filter(protocol__monograph__version__isnull=False).select_related("protocol")
    }
    versions = {row.pk: row for row in Monograph.objects.filter(version__isnull=False)}
    numbers = {pk: versions[row.protocol.monograph_id].version or 0 for pk, row in rows.items()}
    names = {pk: (numbers[pk], row.protocol.code, row.code) for pk, row in rows.items()}
    doses = [OpenDose(course, *names[row], *amounts) for course, row, *amounts in _open_doses(courses)]
    used = {dose.version for dose in doses}
    values = {row.version: row.to_domain() for row in versions.values() if row.version in used}
    return library_impact.impact(doses, values, after)


def _open_doses(courses: Collection[uuid.UUID] | None) -> Iterable[tuple[Any, ...]]:
    """What is left of the running courses: course, protocol row, and the amounts in the order of :class:`OpenDose`.

    Without joins: which courses run is read first, so that a badly estimated join cannot make the reading quadratic.
    """
    running = Course.objects.filter(stopped_at=None, patient__closed_at=None)
    if courses is not None:
        running = running.filter(pk__in=courses)
    wanted = set(running.values_list("pk", flat=True))
    rows = PlannedDose.objects.filter(settled_at=None)
    if courses is not None:
        rows = rows.filter(course__in=courses)
    found = rows.values_list(
        "course_id",
        "protocol_dose_id",
        "target_on",
        "weight_kg",
        "mg_per_kg",
        "dose_mg",
        "rounded_from_mg",
        "vials",
        "rate_table",
        "ceiling_mg_per_kg_per_h",
        "pump_increment_ml_per_h",
        "is_remainder",
    )
    return (row for row in found if row[0] in wanted)


def courses_of_centre(by: Membership, wanted: Iterable[Hashable]) -> list[Course]:
    """Those of the courses that are in the person's own center, by the patient's name."""
    rows = Course.objects.filter(pk__in=list(wanted), patient__in=own_patients(by)).select_related("patient", "protocol")
    return list(rows.order_by("patient__family_name", "patient__given_name", "pk"))


def courses_on_older_versions(by: Membership) -> list[Course]:
    """Running courses of the person's center with a dose left that another version than the published one made, oldest first."""
    older = PlannedDose.objects.filter(
        settled_at=None, course__stopped_at=None, course__patient__closed_at=None, is_remainder=False
    ).exclude(course__monograph__state=Monograph.State.PUBLISHED)
    rows = Course.objects.filter(pk__in=older.values("course"), patient__in=own_patients(by))
    return list(rows.select_related("patient", "protocol", "monograph").order_by(F("monograph__version"), "built_at", "pk"))


def case_changes(before: domain.Monograph, after: domain.Monograph) -> CaseChanges:
    """The worked cases of this release by both versions."""
    same, changed = 0, []
    for path in WORKED_CASES:
        file = read_cases(path.read_text("utf-8"), before)
        for old, new in zip(check(file, before), check(file, after), strict=True):
            if (old.comparisons, old.refusal) == (new.comparisons, new.refusal):
                same += 1
            else:
                changed.append(CaseChange(old.case.case_id, *_told(old, new)))
    return CaseChanges(same, tuple(changed))


def _told(old: Result, new: Result) -> tuple[str, str]:
    """The values that differ, in words, or the sentence by which a version refuses the case."""
    was, now = ({c.column: c.got for c in result.comparisons} for result in (old, new))
    columns = [name for name in {**was, **now} if was.get(name) != now.get(name)]

    def words(result: Result, values: dict[str, str]) -> str:
        told = [f"{name} {values[name]}" for name in columns if name in values]
        return ", ".join([*told, result.refusal] if result.refusal else told)

    return words(old, was), words(new, now)
