"""What each stage of the demonstration means, told through the actions a user's clicks go through."""

from __future__ import annotations

import math
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from patients import actions as patients
from patients.models import Membership, Patient, PrecautionKind, Transplant
from regimens.actions import courses, infusions, notes, orders, planning, verification
from regimens.actions.parts import ReactionFacts, VialFacts, VitalsFacts
from regimens.demo import elsewhere, released
from regimens.demo.cast import Person
from regimens.models import Course, PlannedDose

LOT_EXPIRES_AFTER = timedelta(days=400)
OFF_LABEL_REASON = {
    True: "Severe CMV pneumonitis, ganciclovir alone has failed",
    False: "Infant after heart transplant, 8-week course of the center",
}
# When those who came within the last days were operated on.
HOURS_AGO = {"arrived": 9, "ordered": 11, "outside": 13, "contraindicated": 12}
HOURS_AGO |= {"built": 15, "returned": 15, "initial_due": 30, "initial_late": 61, "infusing": 22}
NOTHING_BEFORE = courses.Beside(prior_ig="no")
PROTOCOL = {"kidney": "kidney", "hsct": "hsct_pneumonitis"}


class Story:
    """One telling: who acts, and the instant it is told for. The same instant tells the same story."""

    def __init__(self, staff: dict[str, Membership], now: datetime) -> None:
        self.staff = staff
        self.now = now.replace(second=0, microsecond=0)
        self.zone = ZoneInfo(next(iter(staff.values())).centre.time_zone)
        self.told = 0

    def tell(self, person: Person) -> Patient:
        """Register one person and bring their course to its stage."""
        self.told += 1
        stage, _, days = person.stage.partition(":")
        operated_at = self._operated_at(stage, int(days or 0))
        patient = self._register(person, operated_at)
        transplant = patients.record_transplant(
            patient=patient,
            organs=list(person.organs),
            reperfusion_at=operated_at,
            donor_cmv_igg=person.donor,
            recipient_cmv_igg=person.recipient,
            antiviral="valganciclovir" if self.told % 3 else "ganciclovir",
            antiviral_started_on=None,
            by=self.staff["pharmacist1"],
            at=max(operated_at + timedelta(hours=1), min(operated_at + timedelta(hours=2), self.now)),
        )
        getattr(self, f"_{stage}")(person, patient, transplant)
        return patient

    # --- Stages -------------------------------------------------------------------------------------------------------------

    def _arrived(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """Transplanted some hours ago; nothing is built."""

    def _ordered(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """A combined graft: the prescriber chose the protocol and signed; a pharmacist builds it."""
        elsewhere.order_for_combined_graft(self.staff["prescriber1"], transplant, self.now - timedelta(hours=1))

    def _outside(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """A dose given at the referring hospital the evening before: does it count as the initial one?"""
        evening_before = transplant.reperfusion_at - timedelta(hours=14)
        elsewhere.given(self.staff["nurse1"], patient, evening_before, person.weight_kg * 150)
        self._build(person, patient, transplant, beside=courses.Beside(prior_ig="yes"))

    def _late_start(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """Two visits were given elsewhere, the third passed before the referral; the fourth is ours."""
        first_at = transplant.reperfusion_at + timedelta(hours=12)
        given = [
            (elsewhere.given(self.staff["nurse1"], patient, first_at + timedelta(days=days), person.weight_kg * per_kg), visit)
            for days, per_kg, visit in ((0, 150, "W0"), (14, 100, "W2"))
        ]
        beside = courses.Beside(
            prior_ig="yes", referred_from="Lakeside Hospital", visits={dose.pk: visit for dose, visit in given}
        )
        self._verify(self._build(person, patient, transplant, beside=beside, referred_at=self.now - timedelta(hours=6)))

    def _contraindicated(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """IgA deficiency is recorded: planning stops until a prescriber releases it."""
        patients.answer_precautions(
            patient=patient,
            answers={"iga_deficiency": ("present", "IgA below detection")},
            by=self.staff["pharmacist1"],
            at=self.now,
        )

    def _built(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        self._build(person, patient, transplant)

    def _returned(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """Built, and sent back by the second pharmacist with a question to the builder."""
        course = self._build(person, patient, transplant)
        notes.return_with_query(
            course=course,
            text="Kidney and pancreas: did the prescriber choose the other organs' table?",
            due_on=self.now.astimezone(self.zone).date() + timedelta(days=1),
            by=self.staff["pharmacist2"],
            at=course.built_at + timedelta(hours=2),
        )

    def _pneumonitis_built(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        self._build(person, patient, transplant)

    def _initial_due(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        self._verified(person, patient, transplant)

    _initial_late = _initial_due

    def _infusing(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        course = self._verified(person, patient, transplant)
        dose = self._doses(course)[0]
        released.release(self.staff, dose, self.now - timedelta(hours=1))
        infusions.start_infusion(
            dose=dose,
            token=uuid.uuid4(),
            mrn_tail=patient.mrn[-4:],
            birth_year=str(patient.birth_on.year),
            sheet_code=planning.sheet_code(dose),
            vial_entered_at=self.now - timedelta(minutes=30),
            vials=[self._vial(dose, dose.draw_ml)],
            vitals=self._vitals(self.now - timedelta(minutes=25)),
            by=self.staff["nurse1"],
            at=self.now - timedelta(minutes=20),
        )

    def _on_course(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """Every dose whose target day is past was given on its day."""
        course = self._verified(person, patient, transplant)
        for dose in self._past(course):
            self._give(dose)

    _completed = _on_course

    def _overdue(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """All past doses given but the last, whose window is still open."""
        course = self._verified(person, patient, transplant)
        for dose in self._past(course)[:-1]:
            self._give(dose)

    _missed = _overdue

    def _reaction(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        course = self._verified(person, patient, transplant)
        *earlier, last = self._past(course)
        for dose in earlier:
            self._give(dose)
        self._give(last, reaction="Flushing")
        released.kidney_at_risk(self.staff, patient, self.now)

    def _partial(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        course = self._verified(person, patient, transplant)
        *earlier, last = self._past(course)
        for dose in earlier:
            self._give(dose)
        self._give(last, part=Decimal("0.6"))
        released.exchange_tomorrow(self.staff, patient, self.now)

    def _weight(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        """A new weight, 14 percent up, since the plan was signed."""
        self._on_course(person, patient, transplant)
        patients.record_weight(
            patient=patient,
            weight_kg=Decimal(80),
            measured_at=self.now - timedelta(hours=5),
            method="standing_scale",
            reason="Fluid gained since discharge, measured twice",
            by=self.staff["nurse2"],
            at=self.now - timedelta(hours=5),
        )

    def _child(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        course = self._build(person, patient, transplant, protocol_code="heart_paediatric_8_week")
        self._verify(course)
        for dose in self._past(course):
            self._give(dose)

    def _pneumonitis(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        self._on_course(person, patient, transplant)

    def _stopped(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        self._on_course(person, patient, transplant)
        course = transplant.courses.get(stopped_at=None)
        reason = course.monograph.reasons.filter(kind="stopped").earliest("position")
        courses.stop_course(
            course=course,
            reason_code=reason.code,
            reason="Decided by the transplant team",
            by=self.staff["prescriber1"],
            at=self.now - timedelta(days=2),
        )

    def _died(self, person: Person, patient: Patient, transplant: Transplant) -> None:
        self._on_course(person, patient, transplant)
        patients.close_patient(
            patient=patient, closed_reason="died", by=self.staff["prescriber1"], at=self.now - timedelta(days=1)
        )

    # --- Parts --------------------------------------------------------------------------------------------------------------

    def _operated_at(self, stage: str, days: int) -> datetime:
        """When the graft was reperfused. Stages counted in days were operated at 09:40 local time so many days ago."""
        if stage in HOURS_AGO:
            return self.now - timedelta(hours=HOURS_AGO[stage] + self.told % 5)
        if stage.startswith("pneumonitis"):
            days = 40
        local = self.now.astimezone(self.zone).date() - timedelta(days=days)
        return datetime.combine(local, time(9, 40), self.zone)

    def _register(self, person: Person, operated_at: datetime) -> Patient:
        by, at = self.staff["pharmacist1"], operated_at + timedelta(minutes=20)
        patient = patients.register_patient(
            mrn=f"{100 + self.told:04d}{4300 + 37 * self.told:04d}",
            family_name=person.family,
            given_name=person.given,
            birth_on=date(*person.born),
            sex=person.sex,
            ward=person.ward,
            allergy_state="known" if self.told % 9 == 0 else "none_known",
            allergies="penicillin: rash" if self.told % 9 == 0 else "",
            is_another_person=True,
            by=by,
            at=at,
        )
        patients.record_weight(
            patient=patient,
            weight_kg=person.weight_kg,
            measured_at=operated_at - timedelta(hours=3),
            method="bed_scale" if "ICU" in person.ward else "standing_scale",
            by=self.staff["nurse1"],
            at=at,
        )
        patients.answer_precautions(patient=patient, answers=dict.fromkeys(PrecautionKind.values, ("absent", "")), by=by, at=at)
        return patient

    def _build(
        self,
        person: Person,
        patient: Patient,
        transplant: Transplant,
        protocol_code: str = "",
        *,
        beside: courses.Beside = NOTHING_BEFORE,
        referred_at: datetime | None = None,
    ) -> Course:
        """A course with its order: 3 h after the operation, or now where the patient came later and was weighed again."""
        code = protocol_code or (PROTOCOL.get(person.organs[0], "other_organ") if len(person.organs) == 1 else "other_organ")
        off_label = planning.published().to_domain().protocol(code).off_label
        pneumonitis = code == "hsct_pneumonitis"
        at = transplant.reperfusion_at + timedelta(hours=3)
        if pneumonitis or referred_at:
            at = self.now - timedelta(days=8 if person.stage == "pneumonitis" else 0, hours=2)
            patients.record_weight(
                patient=patient,
                weight_kg=person.weight_kg,
                measured_at=at - timedelta(hours=2),
                method="bed_scale",
                by=self.staff["nurse1"],
                at=at - timedelta(hours=1),
            )
        prescriber = self.staff["prescriber1"]
        course = courses.build_course(
            transplant=transplant,
            choices=planning.Choices(
                protocol_code=code,
                first_dose_on=at.astimezone(self.zone).date() if pneumonitis else None,
                referred_at=referred_at,
            ),
            weight=patient.weights.filter(error_at=None).latest("measured_at"),
            choice_reason="Chosen in the order",
            beside=beside,
            order=orders.OrderFacts(
                prescriber=prescriber,
                ordered_at=at - timedelta(minutes=30),
                mode="written",
                indication="CMV pneumonitis" if pneumonitis else "Prophylaxis of CMV disease",
                order_number=f"ORD-{7000 + self.told}",
                off_label_reason=OFF_LABEL_REASON[pneumonitis] if off_label else "",
            ),
            by=self.staff["pharmacist1"],
            at=at,
        )
        if off_label and person.stage != "pneumonitis_built":
            orders.cosign_order(order=course.orders.get(), by=prescriber, at=at + timedelta(minutes=5))
        return course

    def _verified(self, person: Person, patient: Patient, transplant: Transplant) -> Course:
        course = self._build(person, patient, transplant)
        self._verify(course)
        return course

    def _verify(self, course: Course) -> None:
        doses = self._doses(course)
        patient = course.patient
        verification.verify_course(
            course=course,
            shown_hash=verification.plan_hash(doses),
            mrn_tail=patient.mrn[-4:],
            birth_year=str(patient.birth_on.year),
            own_dose_mg=doses[0].dose_mg,
            by=self.staff["pharmacist2"],
            at=course.built_at + timedelta(hours=1),
        )

    def _doses(self, course: Course) -> list[PlannedDose]:
        doses = list(
            course.doses.filter(settled_at=None)
            .select_related("course__patient", "course__monograph", "course__protocol")
            .order_by("number")
        )
        for dose in doses:
            dose.course = course
        return doses

    def _past(self, course: Course) -> list[PlannedDose]:
        """The doses whose target day lies before today; the initial one once its time to be given has come."""
        today = self.now.astimezone(self.zone).date()
        return [dose for dose in self._doses(course) if dose.target_on < today]

    def _give(self, dose: PlannedDose, *, part: Decimal = Decimal(1), reaction: str = "") -> None:
        """An infusion on the dose's target day, at 13:00 for the first day and 10:00 later, charted when it ended."""
        hour = time(13, 5) if dose.number == 1 else time(10, 5)
        started_at = datetime.combine(dose.target_on, hour, self.zone)
        released.release(self.staff, dose, started_at - timedelta(hours=1))
        plan = planning.infusion_plan_of(dose)
        ended_at = started_at + timedelta(minutes=int(plan.pump_total_minutes_rounded_up * part))
        volume_ml = (dose.draw_ml * part).quantize(Decimal("0.1"))
        infusions.log_given(
            dose=dose,
            token=uuid.uuid4(),
            mrn_tail=dose.course.patient.mrn[-4:],
            birth_year=str(dose.course.patient.birth_on.year),
            started_at=started_at,
            ended_at=ended_at,
            volume_ml=volume_ml,
            vial_entered_at=started_at - timedelta(minutes=15),
            sheet_code=planning.sheet_code(dose),
            vials=[self._vial(dose, volume_ml)],
            vitals=[self._vitals(started_at - timedelta(minutes=5))],
            reactions=[
                ReactionFacts(
                    started_at + timedelta(minutes=40), reaction, False, "Slowed to the previous rate", "Resolved in 20 min"
                )
            ]
            if reaction
            else [],
            stopped_early_reason="" if part == 1 else "Line occluded, no other access",
            reason="Charted from the ward's paper record of the day",
            by=self.staff["nurse1" if dose.number % 2 else "nurse2"],
            at=ended_at + timedelta(minutes=10),
        )

    def _vial(self, dose: PlannedDose, given_ml: Decimal) -> VialFacts:
        """One lot for the whole dose, its rest thrown away."""
        vial_ml = planning.amount_of(dose).vial_ml
        expires_on = self.now.astimezone(self.zone).date() + LOT_EXPIRES_AFTER
        return VialFacts(
            f"A21K{70 + dose.number}", expires_on.replace(day=1), given_ml, math.ceil(given_ml / vial_ml) * vial_ml - given_ml
        )

    def _vitals(self, at: datetime) -> VitalsFacts:
        return VitalsFacts(at, "before", 118, 70, 82, Decimal("36.8"), 98)
