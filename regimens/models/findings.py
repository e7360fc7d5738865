"""What is known about a patient beside the plan: doses given elsewhere, antibody removal, results, risks, notes and hand-overs."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import PROTECT, CheckConstraint, Index, Q, UniqueConstraint

from patients.models import Membership, Patient
from regimens.models.course import Course, PlannedDose

ERROR_IS_WHOLE = Q(error_at__isnull=True, error_by__isnull=True, error_reason="") | (
    Q(error_at__isnull=False, error_by__isnull=False) & ~Q(error_reason="")
)
DECISION_IS_WHOLE = Q(decision="", decided_by__isnull=True, decided_at__isnull=True, decision_reason="") | (
    ~Q(decision="") & Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(decision_reason="")
)


class EnteredInError(models.Model):
    """A finding is never changed: it is struck out with a reason and entered again."""

    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    error_at = models.DateTimeField(null=True, blank=True)
    error_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    error_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True


class Decided(models.Model):
    """A finding that may ask a prescriber a question; the answer is signed once."""

    decision = models.CharField(max_length=24, blank=True)
    decided_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True


class OutsideDose(EnteredInError, Decided):
    """Immune globulin given outside this record: at another hospital, or before the patient came here.

    CMV immune globulin from 7 days before reperfusion on asks the prescriber whether it counts as the initial dose.
    """

    class Product(models.TextChoices):
        CMV_IG = "cmv_ig", "CMV immune globulin"
        OTHER_IG = "other_ig", "Another immune globulin"

    DECISIONS = {"counts_as_initial": "Counts as the initial dose", "give_initial": "Give the initial dose as well"}

    patient = models.ForeignKey(Patient, PROTECT, related_name="outside_doses")
    product = models.CharField(max_length=10, choices=Product.choices)
    given_at = models.DateTimeField()
    is_time_known = models.BooleanField(default=True, help_text="False: only the day is known, kept as its first instant")
    given_mg = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True, help_text="Empty: not known")
    said_by = models.CharField("source", max_length=200, help_text="Who said so, or which document")
    # The visit of the course that this dose stands for, where it stands for one.
    dose = models.ForeignKey(PlannedDose, PROTECT, null=True, blank=True, related_name="given_elsewhere")

    class Meta:
        ordering = ["given_at", "id"]
        constraints = [
            CheckConstraint(condition=ERROR_IS_WHOLE, name="outside_dose_error_has_who_when_why"),
            CheckConstraint(condition=DECISION_IS_WHOLE, name="outside_dose_decision_has_who_when_why"),
            CheckConstraint(condition=Q(product__in=["cmv_ig", "other_ig"]), name="outside_product_is_known"),
            CheckConstraint(condition=Q(given_mg=None) | Q(given_mg__gt=0), name="outside_dose_is_above_zero"),
            CheckConstraint(condition=~Q(said_by=""), name="outside_dose_has_a_source"),
            CheckConstraint(
                condition=Q(decision__in=["", "counts_as_initial", "give_initial"]), name="outside_dose_decision_is_known"
            ),
        ]
        indexes = [Index(fields=["patient", "given_at"], name="outside_dose_by_patient")]

    @property
    def interval_from(self) -> datetime | None:
        """From when the minimum interval to the next dose counts; None where it counts none.

        Of a dose whose hour nobody knows, the end of its day counts. Another product keeps no interval, nor does one that a
        prescriber put beside the initial dose ("give the initial dose as well").
        """
        if self.product != self.Product.CMV_IG or self.decision == "give_initial":
            return None
        return self.given_at if self.is_time_known else self.given_at + timedelta(days=1)


class AntibodyRemoval(EnteredInError, Decided):
    """A plasma exchange or immunoadsorption, done or planned: it takes away what was infused. The app never adds a dose."""

    class Kind(models.TextChoices):
        PLASMA_EXCHANGE = "plasma_exchange", "Plasma exchange"
        IMMUNOADSORPTION = "immunoadsorption", "Immunoadsorption"

    DECISIONS = {
        "repeat": "Repeat the dose: to be ordered anew",
        "no_repeat": "Do not repeat the dose",
        "give_before": "Give the dose before it all the same",
    }

    patient = models.ForeignKey(Patient, PROTECT, related_name="antibody_removals")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField("when")

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            CheckConstraint(condition=ERROR_IS_WHOLE, name="removal_error_has_who_when_why"),
            CheckConstraint(condition=DECISION_IS_WHOLE, name="removal_decision_has_who_when_why"),
            CheckConstraint(condition=Q(kind__in=["plasma_exchange", "immunoadsorption"]), name="removal_kind_is_known"),
            CheckConstraint(
                condition=Q(decision__in=["", "repeat", "no_repeat", "give_before"]), name="removal_decision_is_known"
            ),
        ]
        indexes = [Index(fields=["patient", "at"], name="removal_by_patient")]


class ResultKind(models.TextChoices):
    """The results a dose is decided by. Each has one unit, so that none is ever converted."""

    CMV_IGG = "cmv_igg", "CMV IgG"
    CMV_PCR = "cmv_pcr", "CMV PCR, IU per mL"
    CREATININE = "creatinine", "Creatinine, mg per dL"
    BUN = "bun", "BUN, mg per dL"
    URINE_OUTPUT = "urine_output", "Urine output, mL per kg per h"
    IGA = "iga", "IgA, mg per dL"


class LabResult(EnteredInError, Decided):
    """One result with its sample time, typed by a nurse or pharmacist. Either a number in the kind's unit, or a word."""

    WORDS = {
        "": "",
        "positive": "Positive",
        "negative": "Negative",
        "indeterminate": "Indeterminate",
        "not_detected": "Not detected",
    }
    DECISIONS = {
        "go": "Go on as planned",
        "slower": "Give slower",
        "hold": "Hold",
        "stop": "Stop",
        "continue": "Continue the course",
        "treat": "Treat, and continue the course",
    }

    patient = models.ForeignKey(Patient, PROTECT, related_name="results")
    kind = models.CharField(max_length=12, choices=ResultKind.choices)
    value = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    word = models.CharField(max_length=14, blank=True, choices=[(k, v) for k, v in WORDS.items() if k])
    sampled_at = models.DateTimeField()

    class Meta:
        ordering = ["-sampled_at", "-id"]
        constraints = [
            CheckConstraint(condition=ERROR_IS_WHOLE, name="result_error_has_who_when_why"),
            CheckConstraint(condition=DECISION_IS_WHOLE, name="result_decision_has_who_when_why"),
            CheckConstraint(condition=Q(kind__in=ResultKind.values), name="result_kind_is_known"),
            CheckConstraint(
                condition=Q(value__gte=0, word="")
                | Q(value=None, word__in=["positive", "negative", "indeterminate", "not_detected"]),
                name="result_is_a_number_or_a_word",
            ),
            CheckConstraint(condition=~Q(kind="cmv_igg") | Q(value=None), name="cmv_igg_is_a_word"),
            CheckConstraint(condition=Q(kind__in=["cmv_igg", "cmv_pcr"]) | Q(word=""), name="other_results_are_numbers"),
            CheckConstraint(
                condition=Q(decision__in=["", "go", "slower", "hold", "stop", "continue", "treat"]),
                name="result_decision_is_known",
            ),
        ]
        indexes = [Index(fields=["patient", "kind", "-sampled_at"], condition=Q(error_at=None), name="result_latest_valid")]


class RiskReview(models.Model):
    """The answered checklist of risks for kidney and clots, and the pregnancy status; a newer one replaces an older."""

    FACTORS = {
        "diabetes": "Diabetes mellitus",
        "volume_depletion": "Volume depletion",
        "sepsis": "Sepsis",
        "paraproteinemia": "Paraproteinemia",
        "nephrotoxic_drugs": "Nephrotoxic drugs",
        "thrombosis_history": "Thrombosis before",
        "immobilization": "Prolonged immobilization",
        "central_catheter": "Indwelling central catheter",
        "hyperviscosity": "Known or suspected hyperviscosity",
        "estrogens": "Estrogens",
    }
    PREGNANCY = {
        "not_applicable": "Not applicable",
        "negative": "Test negative",
        "pregnant": "Pregnant",
        "declined": "Declined to answer",
        "not_recorded": "Not recorded",
    }

    patient = models.ForeignKey(Patient, PROTECT, related_name="risk_reviews")
    factors = ArrayField(models.CharField(max_length=20), blank=True, default=list)
    pregnancy = models.CharField(max_length=14, choices=list(PREGNANCY.items()))
    pregnancy_on = models.DateField("date of the pregnancy test", null=True, blank=True)
    # "Only if clearly needed" (pregnancy, lactation) is the prescriber's own statement.
    prescriber_statement = models.CharField(max_length=300, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["patient"], condition=Q(superseded_at=None), name="one_live_risk_review_per_patient"),
            CheckConstraint(
                condition=Q(
                    factors__contained_by=[
                        "diabetes",
                        "volume_depletion",
                        "sepsis",
                        "paraproteinemia",
                        "nephrotoxic_drugs",
                        "thrombosis_history",
                        "immobilization",
                        "central_catheter",
                        "hyperviscosity",
                        "estrogens",
                    ]
                ),
                name="risk_factors_are_known",
            ),
            CheckConstraint(
                condition=Q(pregnancy__in=["not_applicable", "negative", "pregnant", "declined", "not_recorded"]),
                name="pregnancy_status_is_known",
            ),
            CheckConstraint(
                condition=~Q(pregnancy="negative") | Q(pregnancy_on__isnull=False), name="pregnancy_test_has_its_date"
            ),
        ]


class Note(models.Model):
    """A note in the chart. A query has an owner and stays open until it is answered; one of a course stops its verification."""

    patient = models.ForeignKey(Patient, PROTECT, related_name="notes")
    course = models.ForeignKey(Course, PROTECT, null=True, blank=True, related_name="notes")
    text = models.CharField(max_length=1000)
    is_query = models.BooleanField(default=False)
    owner = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    returned_revision = models.PositiveIntegerField(null=True, blank=True, help_text="The plan's revision sent back with it")
    written_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    written_at = models.DateTimeField()
    answer = models.CharField(max_length=1000, blank=True)
    answered_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-written_at", "-id"]
        constraints = [
            CheckConstraint(condition=~Q(text=""), name="note_says_something"),
            CheckConstraint(condition=Q(is_query=False) | Q(owner__isnull=False), name="query_has_an_owner"),
            CheckConstraint(
                condition=Q(answer="", answered_by__isnull=True, answered_at__isnull=True)
                | ~Q(answer="") & Q(answered_by__isnull=False, answered_at__isnull=False, is_query=True),
                name="answer_has_who_when_what",
            ),
        ]
        indexes = [Index(fields=["course"], condition=Q(is_query=True, answered_at=None), name="open_queries_of_a_course")]


class Handover(models.Model):
    """The care of a patient goes to somebody elsewhere. Every dose stays ours until they have acknowledged it."""

    patient = models.ForeignKey(Patient, PROTECT, related_name="handovers")
    to_person = models.CharField("accepting person", max_length=120)
    to_place = models.CharField("accepting place", max_length=120)
    phone = models.CharField(max_length=40, blank=True)
    next_dose = models.ForeignKey(PlannedDose, PROTECT, null=True, blank=True, related_name="+")
    handed_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    handed_at = models.DateTimeField()
    acknowledged_how = models.CharField(max_length=200, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_recorded_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-handed_at"]
        constraints = [
            UniqueConstraint(
                fields=["patient"], condition=Q(acknowledged_at=None, cancelled_at=None), name="one_open_handover_per_patient"
            ),
            CheckConstraint(condition=~Q(to_person="") & ~Q(to_place=""), name="handover_names_person_and_place"),
            CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_recorded_by__isnull=True, acknowledged_how="")
                | Q(acknowledged_at__isnull=False, acknowledged_recorded_by__isnull=False) & ~Q(acknowledged_how=""),
                name="acknowledged_handover_says_who_and_how",
            ),
        ]
