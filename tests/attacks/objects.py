"""One centre with one patient of whom there is a row of everything, and every text of it chosen by the test.

Rows are written past the actions where that is shorter: an attack begins with what is stored, however it came there. A new table
of a patient, or a new name in an address, fails the tests until it has its place here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import CharField, Model
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from patients.models import (
    BreakGlass,
    Centre,
    Event,
    Membership,
    Patient,
    Precaution,
    Transplant,
    WeightMeasurement,
)
from patients.roles import Role
from regimens import models as m
from regimens.actions import library
from tests import factories
from tests.regimens import ward as wards

Text = Callable[[int, str], str]


def own_words(limit: int, words: str) -> str:
    """What people write."""
    return words[:limit]


@dataclass
class Cast:
    """A centre, its people by role, its patient, and the rows that addresses name."""

    centre: Centre
    people: dict[str, Membership]
    patient: Patient
    rows: dict[str, Any] = field(default_factory=dict)

    def address(self, route: Route) -> str:
        """The route's address for this cast's rows; KeyError names a part of an address that has no place here yet."""
        return route.fill({part: self.rows[ROWS_OF_ROUTES.get((route.name, part), part)] for part in route.parts})


# --- The addresses ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Route:
    """One address of the site. ``parts`` are the variable parts with their converter: {"patient_id": "uuid"}."""

    name: str
    pattern: str
    parts: dict[str, str] = field(compare=False)

    def fill(self, values: dict[str, Any]) -> str:
        """The address with these values."""
        path = f"/{self.pattern}"
        for name, kind in self.parts.items():
            path = path.replace(f"<{kind}:{name}>" if kind else f"<{name}>", str(values[name]))
        return path

    @property
    def is_admin(self) -> bool:
        return self.name.startswith("admin:") or self.pattern.startswith("admin/")


def routes() -> list[Route]:
    """Every address that the URL resolver knows, named or not."""
    return list(_routes(get_resolver()))


def _routes(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Iterator[Route]:
    for entry in resolver.url_patterns:
        text = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _routes(entry, text, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
            continue
        assert isinstance(entry, URLPattern)
        kinds = {name: kind for kind, name in re.findall(r"<(?:([a-z]+):)?([a-z0-9_]+)>", text)}
        yield Route(namespace + (entry.name or text), text, kinds)


# Where a route shows something only for a row in a certain state: (route, part) → the row of `rows`.
ROWS_OF_ROUTES: dict[tuple[str, str], str] = {
    ("decide", "dose_id"): "missed_dose_id",
    ("result-decide", "result_id"): "asked_result_id",
    ("verify", "course_id"): "unsigned_course_id",
    ("order-new", "transplant_id"): "new_transplant_id",
    ("course-build", "transplant_id"): "new_transplant_id",
}


# --- The rows -----------------------------------------------------------------------------------------------------------------


def make_cast(say: Text = own_words, *, mrn: str = "", family_name: str = "Okonkwo", given_name: str = "Adaeze") -> Cast:
    """Everything there can be about one patient, with ``say(limit, words)`` for every text."""
    now = timezone.now()
    operated = now - timedelta(days=26)
    ward = wards.make_ward()
    centre = ward.centre
    people = {
        Role.PHARMACIST: ward.pharmacist,
        Role.NURSE: ward.nurse,
        Role.PRESCRIBER: ward.prescriber,
    } | {
        role: factories.make_member(role, centre=centre)
        for role in (Role.TECHNICIAN, Role.COORDINATOR, Role.MONOGRAPH_EDITOR, Role.AUDITOR, Role.ADMINISTRATOR)
    }
    patient = factories.make_patient(by=ward.pharmacist, at=operated, **({"mrn": mrn} if mrn else {}))
    course = wards.make_course(ward, patient=patient, at=operated)
    Patient.objects.filter(pk=patient.pk).update(
        family_name=say(100, family_name),
        given_name=say(100, given_name),
        title=say(20, "Ms"),
        ward=say(60, "7 North"),
        allergy_state="known",
        allergies=say(300, "Penicillin – rash"),
    )
    cast = Cast(centre, {str(role): member for role, member in people.items()}, Patient.objects.get(pk=patient.pk))
    _around_the_patient(cast, ward, say, now)
    _around_the_course(cast, course, ward, say, now)
    _infusions(cast, course, ward, say, now)
    _addresses(cast, course, ward, say, now)
    return cast


def _around_the_patient(cast: Cast, ward: wards.Ward, say: Text, now: datetime) -> None:
    patient, by, seen = cast.patient, ward.nurse, now - timedelta(days=1)
    wrote = {"recorded_by": by, "recorded_at": now}
    cast.rows["weight_id"] = WeightMeasurement.objects.create(
        patient=patient, weight_kg=Decimal("71"), measured_at=seen, method="stated", reason=say(300, "Cannot stand"), **wrote
    ).pk
    WeightMeasurement.objects.create(
        patient=patient, weight_kg=Decimal("90"), measured_at=seen, method="bed_scale", **wrote,
        error_at=now, error_by=by, error_reason=say(300, "Another bed"),
    )  # fmt: skip
    Precaution.objects.filter(patient=patient, kind="iga_deficiency").update(superseded_at=seen)
    Precaution.objects.create(
        patient=patient, kind="iga_deficiency", answer="present", detail=say(300, "IgA under 5 mg per dL"), **wrote,
        released_by=ward.prescriber, released_at=now, release_reason=say(300, "Given before without harm"),
    )  # fmt: skip
    Precaution.objects.filter(patient=patient, kind="renal_impairment").update(superseded_at=seen)
    Precaution.objects.create(patient=patient, kind="renal_impairment", answer="present", detail=say(300, "Stage 2"), **wrote)
    Precaution.objects.filter(patient=patient, kind="ig_hypersensitivity").update(superseded_at=seen)
    Precaution.objects.create(patient=patient, kind="ig_hypersensitivity", answer="present", detail=say(300, "Rigors"), **wrote)
    decided = {"decided_by": ward.prescriber, "decided_at": now, "decision_reason": say(300, "As discussed")}
    struck = {"error_at": now, "error_by": by, "error_reason": say(300, "Another patient")}
    outside = {"patient": patient, "product": "cmv_ig", "given_mg": Decimal("7000"), "said_by": say(200, "Discharge letter")}
    graft_at = Transplant.objects.filter(patient=patient).latest("number").reperfusion_at
    cast.rows["outside_id"] = m.OutsideDose.objects.create(given_at=graft_at - timedelta(hours=30), **outside, **wrote).pk
    m.OutsideDose.objects.create(given_at=seen, **outside, **wrote, decision="give_initial", **decided)
    m.OutsideDose.objects.create(given_at=seen, **outside, **wrote, **struck)
    removal = {"patient": patient, "kind": "plasma_exchange"}
    cast.rows["removal_id"] = m.AntibodyRemoval.objects.create(at=now - timedelta(hours=3), **removal, **wrote).pk
    m.AntibodyRemoval.objects.create(at=seen, **removal, **wrote, decision="no_repeat", **decided)
    m.AntibodyRemoval.objects.create(at=seen, **removal, **wrote, **struck)
    result = {"patient": patient, "kind": "creatinine"}
    cast.rows["result_id"] = m.LabResult.objects.create(
        value=Decimal("1.10"), sampled_at=now - timedelta(days=3), **result, **wrote
    ).pk
    m.LabResult.objects.create(
        value=Decimal("1.40"), sampled_at=now - timedelta(days=2), **result, **wrote, decision="go", **decided
    )
    m.LabResult.objects.create(value=Decimal("9"), sampled_at=seen, **result, **wrote, **struck)
    cast.rows["asked_result_id"] = m.LabResult.objects.create(
        patient=patient, kind="cmv_pcr", word="positive", sampled_at=seen, **wrote
    ).pk
    m.RiskReview.objects.create(
        patient=patient, factors=["sepsis"], pregnancy="negative", pregnancy_on=date(2026, 1, 1),
        prescriber_statement=say(300, "Clearly needed"), **wrote,
    )  # fmt: skip


def _around_the_course(cast: Cast, course: m.Course, ward: wards.Ward, say: Text, now: datetime) -> None:
    by, signed = ward.pharmacist, now - timedelta(hours=2)
    m.Course.objects.filter(pk=course.pk).update(
        choice_reason=say(300, "Kidney alone"), prior_ig="yes", prior_ig_asked=say(200, "The patient's sister"),
        referred_at=course.built_at, referred_from=say(200, "County hospital"),
    )  # fmt: skip
    factories.order_anew(
        m.Order.objects.get(course=course),
        at=now,
        order_number=say(40, "ORD-1"),
        indication=say(300, "Prophylaxis of CMV disease"),
        instructions=say(500, "Acetaminophen before"),
        reaction_orders=say(500, "Stop, epinephrine at hand"),
        off_label_reason=say(300, "No protocol fits"),
    )
    m.Hold.objects.create(
        course=course, reason_code="other", reason=say(300, "Asked for by the family"), ordered_by=ward.prescriber, held_by=by,
        held_at=now - timedelta(days=3), review_on=now.date(), resumed_by=by, resumed_at=now - timedelta(days=2),
        resume_ordered_by=ward.prescriber, resume_reason=say(300, "Over"), reason_words=say(200, "Another reason"),
    )  # fmt: skip
    m.Authorization.objects.create(course=course, state="pending", vials="not_asked", recorded_by=by, recorded_at=now)
    consent = {"course": course, "given_by": say(120, "The patient"), "obtained_by": by, "obtained_on": now.date()}
    consent |= {"form_version": say(40, "2026-1"), "recorded_by": by, "recorded_at": now}
    m.Consent.objects.create(**consent)
    m.Consent.objects.create(**consent, withdrawn_at=now, withdrawn_by=by, withdrawn_reason=say(300, "Changed her mind"))
    weight = WeightMeasurement.objects.get(pk=cast.rows["weight_id"])
    m.WeightKept.objects.create(
        course=course, weight=weight, reason=say(300, "The difference is fluid"), kept_by=by, kept_at=signed
    )
    note = {"patient": cast.patient, "written_by": ward.nurse, "written_at": signed, "text": say(1000, "Prefers mornings")}
    m.Note.objects.create(**note)
    cast.rows["note_id"] = m.Note.objects.create(**note, is_query=True, owner=ward.pharmacist, course=course).pk
    m.Note.objects.create(**note, is_query=True, owner=by, answer=say(1000, "Yes, at 09:00"), answered_by=by, answered_at=now)
    dose = wards.dose(course, 3)
    handover = {
        "patient": cast.patient,
        "to_person": say(120, "Dr Lee"),
        "to_place": say(120, "County clinic"),
        "next_dose": dose,
    }
    handover |= {"phone": say(40, "+1 212 555 0101"), "handed_by": by, "handed_at": signed}
    m.Handover.objects.create(**handover)
    m.Handover.objects.create(
        **handover, acknowledged_at=now, acknowledged_how=say(200, "By telephone"), acknowledged_recorded_by=by
    )
    m.PlannedDose.objects.filter(pk=dose.pk).update(booked_for=dose.opens_at, booked_place=say(80, "Infusion clinic"))
    release = {"dose": dose, "weight": weight, "creatinine_missing_reason": say(200, "Laboratory closed")}
    release |= {"released_by": by, "released_at": signed}
    m.Release.objects.create(**release)
    m.Release.objects.create(**release, withdrawn_at=now, withdrawn_by=by, withdrawn_reason=say(300, "Fever"))
    m.IntervalRelease.objects.create(
        dose=dose, reason=say(300, "Exchange is due afterwards"), released_by=ward.prescriber, released_at=signed
    )
    m.NotGivenToday.objects.create(
        dose=dose, reason_code="other", reason=say(300, "Ambulance late"), was_prepared=False, recorded_by=ward.nurse,
        recorded_at=signed, reason_words=say(200, "Another reason"),
    )  # fmt: skip
    m.SheetCopy.objects.create(
        dose=dose, code="7F3A-91C2", copy_number=1, size="a4", is_draft=False, printed_by=by, printed_at=signed
    )
    cast.rows["check_id"] = m.SingleCheck.objects.create(
        course=course, revision=course.revision, why="other", words=say(300, "Alone on a Sunday"), checked_by=ward.second_pharmacist,
        checked_at=signed,
    ).pk  # fmt: skip
    m.SingleCheck.objects.create(
        course=course, revision=course.revision, why="other", words=say(300, "Alone at night"), checked_by=ward.second_pharmacist,
        checked_at=now, reviewed_by=ward.pharmacist, reviewed_at=now, review=say(300, "Counted again, agrees"),
    )  # fmt: skip
    m.Notice.objects.create(kind="missed", dose=wards.dose(course, 2), recipient=ward.prescriber, claimed_at=signed)
    m.MissedDoseDecision.objects.create(
        dose=wards.dose(course, 7), decision="give_late", give_on=now.date(), reason_code="other", reason=say(300, "Agreed"),
        reached_by=say(60, "By telephone"), effects=[], decided_by=ward.prescriber, decided_at=now,
    )  # fmt: skip
    stranger = factories.make_member(Role.NURSE)
    cast.rows["access_id"] = BreakGlass.objects.create(
        membership=stranger, patient=cast.patient, reason=say(300, "Unconscious in our emergency room").ljust(10, "."),
        opened_at=now - timedelta(minutes=50), expires_at=now - timedelta(minutes=20),
    ).pk  # fmt: skip


def _infusions(cast: Cast, course: m.Course, ward: wards.Ward, say: Text, now: datetime) -> None:
    by = ward.nurse
    dose = wards.dose(course, 1)
    started = Transplant.objects.get(pk=course.transplant_id).reperfusion_at + timedelta(hours=5)
    record = {"patient": cast.patient, "centre": cast.centre, "given_by": by, "recorded_by": by, "rate_table": "initial"}
    given = m.Administration.objects.create(
        **record, dose=dose, token=uuid.uuid4(), started_at=started, ended_at=started + timedelta(hours=4), recorded_at=now,
        volume_ml=dose.draw_ml, completed_by=by, completed_at=now, reason=say(300, "Charted late"),
        stopped_early_reason=say(300, "Chills"),
    )  # fmt: skip
    m.PlannedDose.objects.filter(pk=dose.pk).update(settled_at=now, settled_as="recorded")
    running = m.Administration.objects.create(
        **record, token=uuid.uuid4(), started_at=now - timedelta(hours=1), recorded_at=now,
        reason=say(300, "Ordered at the bedside").ljust(10, "."),
    )  # fmt: skip
    m.Administration.objects.create(
        **record, token=uuid.uuid4(), started_at=started, ended_at=started + timedelta(hours=1), volume_ml=Decimal("10"),
        recorded_at=now, reason=say(300, "Entered twice by mistake").ljust(10, "."), error_at=now, error_by=by,
        error_reason=say(300, "Entered twice"), dispute_settled_at=now, dispute_settled_by=ward.pharmacist,
        dispute_outcome="not_given", dispute_reason=say(300, "Pump log empty"),
    )  # fmt: skip
    lot = m.Lot.objects.create(
        centre=cast.centre, product_code="cytogam", number=say(20, "A21K77"), expires_on=now.date() + timedelta(days=300)
    )
    wrote = {"recorded_by": by, "recorded_at": now}
    for one in (given, running):
        m.RateChange.objects.create(
            administration=one, at=one.started_at, rate_ml_per_h=Decimal("21"), reason=say(200, "As planned"), **wrote
        )
        m.VitalSigns.objects.create(
            administration=one, at=one.started_at, moment="before", not_taken_reason=say(200, "Cuff broken"), **wrote
        )
        m.Reaction.objects.create(
            administration=one, onset_at=one.started_at, term=say(80, "Chills"), is_serious=False,
            action_taken=say(300, "Slowed"), outcome=say(300, "Gone after 10 min"), **wrote,
            error_at=now, error_by=by, error_reason=say(300, "Was the blanket"),
        )  # fmt: skip
        m.Reaction.objects.create(
            administration=one, onset_at=one.started_at, term=say(80, "Rash"), is_serious=False,
            action_taken=say(300, "Slowed"), outcome=say(300, "Gone"), **wrote,
        )  # fmt: skip
        m.VialUse.objects.create(administration=one, lot=lot, given_ml=Decimal("50"), **wrote)
    cast.rows |= {"administration_id": running.pk, "given_id": given.pk}


def _addresses(cast: Cast, course: m.Course, ward: wards.Ward, say: Text, now: datetime) -> None:
    """The rest of what addresses name, and rows in the states that some pages ask for."""
    unsigned = wards.make_course(ward, verified=False, at=now - timedelta(hours=3))
    stopped = wards.make_course(ward, verified=False, at=now - timedelta(hours=3))
    m.Course.objects.filter(pk=stopped.pk).update(
        stopped_at=now, stopped_by=ward.prescriber, stop_reason_code="graft_lost", stop_reason=say(300, "Nephrectomy")
    )
    newcomer = factories.make_patient(by=ward.pharmacist, at=now)
    factories.make_weight(newcomer, at=now)
    factories.make_answers(newcomer, at=now)
    arrived = factories.make_transplant(newcomer, at=now, reperfusion_at=now - timedelta(hours=2))
    order = m.Order.objects.get(course=course, superseded_at=None)
    waiting = m.Order.objects.create(
        transplant=arrived, protocol_code="kidney", ordered_rows=order.ordered_rows, prescriber=ward.prescriber,
        ordered_at=now - timedelta(minutes=5), mode="written", indication="Prophylaxis of CMV disease",
        entered_by=ward.pharmacist, entered_at=now,
    )  # fmt: skip
    later = factories.make_transplant(
        factories.make_patient(by=ward.pharmacist, at=now), at=now, reperfusion_at=now - timedelta(hours=1)
    )
    cast.rows |= {
        "patient_id": cast.patient.pk,
        "stopped_patient_id": stopped.patient_id,
        "transplant_id": course.transplant_id,
        "new_transplant_id": later.pk,
        "course_id": course.pk,
        "unsigned_course_id": unsigned.pk,
        "dose_id": wards.dose(course, 3).pk,
        "missed_dose_id": wards.dose(course, 2).pk,
        "order_id": waiting.pk,
        "kind": "ig_hypersensitivity",
        "uidb64": "MQ",
        "token": "set-password",
        "event_id": Event.objects.filter(patient_id=cast.patient.pk).latest("pk").pk,
        "version": m.Monograph.objects.get(state="published").version,
        "pk": _submitted_monograph(cast, say, now).pk,
    }


def _submitted_monograph(cast: Cast, say: Text, now: datetime) -> m.Monograph:
    """A draft that waits for its publication; one for all casts."""
    waiting = m.Monograph.objects.filter(state="submitted").first()
    if waiting is None:
        editor = cast.people[Role.MONOGRAPH_EDITOR]
        draft = library.draft_from_published(by=editor, at=now)
        m.Monograph.objects.filter(pk=draft.pk).update(title=say(100, "CMV immune globulin"), what_changed=say(300, "Title"))
        for section in m.Section.objects.filter(monograph=draft):
            m.Section.objects.filter(pk=section.pk).update(text=f"{section.text} {say(300, 'Reworded')}")
        waiting = library.submit(monograph=m.Monograph.objects.get(pk=draft.pk), by=editor, at=now)
    return waiting


# --- What to look at afterwards -----------------------------------------------------------------------------------------------


def texts_of(model: type[Model]) -> list[CharField]:
    """The free texts of a table: no closed list, and long enough for a sentence or a name."""
    return [
        one
        for one in model._meta.concrete_fields
        if isinstance(one, CharField)
        and not one.choices
        and not one.name.endswith(("_code", "_name", "_hash", "_key", "_table"))
    ]
