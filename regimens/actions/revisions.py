"""A planned dose is never overwritten: a new, unsigned row takes its place. Here such rows are made and saved, whatever the cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from patients.models import Membership
from regimens.domain.dosing import DoseAmount
from regimens.domain.schedule import Window
from regimens.models import Course, PlannedDose

# What a new row does not take over from the one it replaces.
FRESH = ("id", "replaces", "verified_by", "verified_at", "content_hash", "settled_at", "settled_as")


def successor(old: PlannedDose, course: Course) -> PlannedDose:
    """An unsaved, unsigned row of the course's next revision in a dose's place, equal to it in everything else."""
    kept = {f.attname: getattr(old, f.attname) for f in PlannedDose._meta.concrete_fields if f.name not in FRESH}
    new = PlannedDose(**kept)
    new.course, new.replaces, new.revision, new.protocol_dose = course, old, course.revision + 1, old.protocol_dose
    return new


def set_window(new: PlannedDose, window: Window) -> None:
    """The row at the instants of a window."""
    new.opens_at, new.target_on = window.opens_at, window.target_on
    new.overdue_at, new.closes_at = window.overdue_at, window.closes_at


def set_amount(new: PlannedDose, amount: DoseAmount) -> None:
    """The row at a computed amount: mg, mL and vials together, never one without the others."""
    new.dose_mg, new.volume_ml, new.draw_ml = amount.dose_mg, amount.volume_ml, amount.draw_ml
    new.vials, new.waste_ml = amount.vials, amount.waste_ml
    new.rounded_from_mg = amount.calculated_mg if amount.is_rounded_to_vials else None


def drop_booking(new: PlannedDose) -> None:
    """Forget when and where the dose was booked."""
    new.booked_for, new.booked_place = None, ""


def save_revision(course: Course, rows: Sequence[PlannedDose], *, by: Membership, at: datetime) -> None:
    """Supersede and write the rows of one new revision of a locked course; without rows the revision's number stays."""
    course.version += 1
    if rows:
        course.revision += 1
    course.save(update_fields=["revision", "version", "anchor_at", "anchor_on", "anchor_zone_name", "monograph", "protocol"])
    for new in rows:
        new.built_by, new.built_at = by, at
    old = [new.replaces_id for new in rows if new.replaces_id]
    PlannedDose.objects.filter(pk__in=old).update(settled_at=at, settled_as="superseded")
    PlannedDose.objects.bulk_create(rows)
