"""What a bedside record is made of: the chart locked for writing, and the rows of vials, vital signs, reactions and rates.

Checks the facts themselves (in the future, impossible); what departs from the plan is judged in ``departures``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet

from patients.identity import identity_matches
from patients.models import Centre, Membership, Patient
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions.previous import OF_DOSE, Previous, last_start
from regimens.domain.units import day_text, with_unit
from regimens.models import (
    Administration,
    Course,
    Hold,
    OutsideDose,
    PlannedDose,
    Reaction,
    Release,
    VialUse,
)

TIME_RULES = "Time rules"
IDENTITY = "Site policy: identity re-entered at the bedside"
VITALS_RULE = "Label, Administration: vital signs before, before each rate increase, midway and after"
GIVERS = frozenset({Role.NURSE, Role.PHARMACIST, Role.PRESCRIBER})
ZERO = Decimal(0)


@dataclass
class Chart:
    """One patient's chart while an action holds it: nobody else records or decides for this patient meanwhile."""

    patient: Patient
    course: Course | None = None
    dose: PlannedDose | None = None
    doses: list[PlannedDose] = field(default_factory=list)
    records: list[Administration] = field(default_factory=list)

    @property
    def centre(self) -> Centre:
        return self.patient.centre

    @cached_property
    def elsewhere(self) -> list[OutsideDose]:
        """CMV-IGIV given elsewhere, oldest first; read when it is first asked for."""
        return list(given_elsewhere(self.patient))

    @cached_property
    def other_ig(self) -> list[OutsideDose]:
        """Other immune globulins given elsewhere; read when they are first asked for."""
        other = OutsideDose.Product.OTHER_IG
        return list(OutsideDose.objects.filter(patient=self.patient, error_at=None, product=other))

    def lots_of(self, record: Administration) -> set[str]:
        """The numbers of the lots that an infusion came from, as far as they are charted."""
        return set(VialUse.objects.filter(administration=record).values_list("lot__number", flat=True))

    def live_record(self, dose: PlannedDose) -> Administration | None:
        """The record of a dose that is not entered in error."""
        return next((r for r in self.records if r.dose_id == dose.pk and not r.error_at), None)

    def counted(self) -> list[Administration]:
        """Records that count as given until two people have said otherwise: live ones, and disputed ones (W1.5)."""
        return [r for r in self.records if r.is_counted]

    def previous(self) -> Previous | None:
        """The last CMV-IGIV on record, from which the minimum interval of the next one counts."""
        return last_start(self.records, self.elsewhere)

    def was_held(self, on: datetime) -> bool:
        """Whether the course was on hold at an instant."""
        spans = zip(self.course.held, self.course.resumed, strict=True) if self.course else ()  # type: ignore[attr-defined]
        return any(held_at <= on and (resumed_at is None or on < resumed_at) for held_at, resumed_at in spans)

    def running(self) -> Administration | None:
        """An infusion of this patient that has not ended."""
        return next((r for r in self.records if not r.error_at and not r.ended_at), None)


def lock_dose(dose: PlannedDose) -> Chart:
    """The chart of a dose, locked. A superseded row gives its live revision, which is the one the record belongs to.

    Each row comes with ``released`` and ``withdrawn``, the course with ``held`` and ``resumed``: instants, in order of recording.

    The course and the patient are locked first, so that two doses of one patient cannot both be started (hazard H12).
    """
    courses = Course.objects.select_for_update(of=("self", "patient"), no_key=True)
    doses = PlannedDose.objects.select_for_update(of=("self",), no_key=True)
    return _chart_of(dose, courses, doses)


def read_dose(dose: PlannedDose) -> Chart:
    """The same chart for reading; nothing is locked."""
    return _chart_of(dose, Course.objects.all(), PlannedDose.objects.all())


def _chart_of(dose: PlannedDose, courses: QuerySet[Course], doses: QuerySet[PlannedDose]) -> Chart:
    holds = Hold.objects.filter(course=OuterRef("pk")).order_by("pk")
    releases = Release.objects.filter(dose=OuterRef("pk")).order_by("pk")
    course = (
        courses.select_related("patient__centre", "protocol", "monograph", "transplant")
        .annotate(held=ArraySubquery(holds.values("held_at")), resumed=ArraySubquery(holds.values("resumed_at")))
        .get(pk=dose.course_id)
    )
    rows: list[PlannedDose] = list(
        doses.select_related("protocol_dose", "weight")
        .annotate(
            released=ArraySubquery(releases.values("released_at")), withdrawn=ArraySubquery(releases.values("withdrawn_at"))
        )
        .filter(course=course)
        .order_by("number", "revision", "pk")
    )
    for row in rows:
        row.course = course
    asked = next(row for row in rows if row.pk == dose.pk)
    live = next((row for row in rows if row.number == asked.number and row.settled_as != "superseded"), asked)
    return Chart(course.patient, course, live, rows, _records(course.patient))


def read_patient(patient: Patient) -> Chart:
    """The records of a patient, of whatever course, for reading."""
    return Chart(patient, records=_records(patient))


def lock_patient(patient: Patient) -> Chart:
    """The chart of a patient, locked, for what belongs to no planned dose."""
    locked = Patient.objects.select_for_update(of=("self",), no_key=True).select_related("centre").get(pk=patient.pk)
    return Chart(locked, records=_records(locked))


def _records(patient: Patient) -> list[Administration]:
    """Every record of the patient, by start, each with ``has_reaction`` and ``has_serious_reaction``."""
    reactions = Reaction.objects.filter(administration=OuterRef("pk"), error_at=None)
    return list(
        Administration.objects.filter(patient=patient)
        .select_related("recorded_by__user", "dose")
        .annotate(has_reaction=Exists(reactions), has_serious_reaction=Exists(reactions.filter(is_serious=True)), **OF_DOSE)
        .order_by("started_at", "pk")
    )


def given_elsewhere(patient: Patient) -> QuerySet[OutsideDose]:
    """The patient's CMV-IGIV given elsewhere, oldest first."""
    rows = OutsideDose.objects.filter(patient=patient, error_at=None, product=OutsideDose.Product.CMV_IG)
    return rows.order_by("given_at", "pk")


def same_form(chart: Chart, token: uuid.UUID, by: Membership) -> Administration | None:
    """The record this very form made before: a double click, a reload or a retry gets it again (hazard H11)."""
    record = next((r for r in chart.records if r.token == token), None)
    if record is not None and record.recorded_by_id != by.pk:
        raise Refusal("token_used", "This form was used by somebody else. Open the page again.")
    return record


# Time --------------------------------------------------------------------------------------------------------------------


def clock(at: datetime, zone_name: str, now: datetime) -> str:
    """ "14:05" in a zone, with the day where it is not today."""
    local, today = at.astimezone(ZoneInfo(zone_name)), now.astimezone(ZoneInfo(zone_name)).date()
    text = f"{local:%H:%M}"
    return text if local.date() == today else f"{text} on {day_text(local.date())}"


def not_in_future(instant: datetime | None, at: datetime, field: str, what: str) -> None:
    """Refuse an instant later than ``at`` (hazard H41)."""
    if instant is not None and instant > at:
        raise Refusal(
            "in_the_future", f"{what} cannot be in the future. Check the date and the time.", source=TIME_RULES, field=field
        )


def to_minute(at: datetime) -> datetime:
    """The minute an instant lies in: what people type and compare."""
    return at.replace(second=0, microsecond=0)


# Checks -----------------------------------------------------------------------------------------------------------------


def check_identity(patient: Patient, mrn_tail: str, birth_year: str) -> None:
    """Hazard H01: typed again at the bedside, never clicked."""
    if not identity_matches(patient.mrn, patient.birth_on, mrn_tail, birth_year):
        raise Refusal(
            "wrong_identity",
            "The record number's last 4 characters or the birth year do not belong to this patient.",
            source=IDENTITY,
            field="mrn_tail",
        )


def check_giver(given_by: Membership, by: Membership) -> None:
    """Whoever gave the infusion is a nurse, pharmacist or prescriber of this centre; never blank."""
    if given_by.centre_id != by.centre_id or given_by.role not in GIVERS:
        raise Refusal("giver", "Name who gave it: a nurse, pharmacist or prescriber of this centre.", field="given_by")


def check_partial(dose: PlannedDose | None, volume_ml: Decimal | None, stopped_early_reason: str) -> None:
    """Less than ordered is a partial dose, with no tolerance (hazard H42); it says why it was stopped."""
    if dose is not None and volume_ml is not None and volume_ml < dose.draw_ml and not stopped_early_reason.strip():
        given, ordered = with_unit(volume_ml, "mL"), with_unit(dose.draw_ml, "mL")
        raise Refusal("stopped_early", f"Partial: {given} of {ordered}. Say why it was stopped.", field="stopped_early_reason")


def check_lots(from_lots: Decimal, volume_ml: Decimal | None) -> None:
    """The lots cannot have held more than was given; mL without a lot are possible, and shown."""
    if volume_ml is not None and from_lots > volume_ml:
        raise Refusal(
            "lots_over_volume",
            f"The lots come to {with_unit(from_lots, 'mL')}, more than the {with_unit(volume_ml, 'mL')} given.",
            field="given_ml",
        )


def check_times(started_at: datetime, ended_at: datetime | None, volume_ml: Decimal | None, at: datetime) -> None:
    """Start and end in order and not in the future; an end comes with the volume given."""
    not_in_future(started_at, at, "started_at", "The start")
    not_in_future(ended_at, at, "ended_at", "The end")
    if ended_at is not None and ended_at < started_at:
        raise Refusal("end_before_start", "The end lies before the start.", field="ended_at")
    if (ended_at is None) != (volume_ml is None):
        raise Refusal(
            "end_and_volume",
            "Enter the end and the volume given, or neither while it runs.",
            field="volume_ml" if ended_at else "ended_at",
        )


def local_day(at: datetime, centre: Centre) -> date:
    """The calendar day of an instant where the patient is treated."""
    return at.astimezone(ZoneInfo(centre.time_zone)).date()


def elapsed_hours(hours: Decimal) -> timedelta:
    """Decimal hours as elapsed time."""
    return timedelta(minutes=int(hours * 60))
