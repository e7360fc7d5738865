"""Who is treated, by whom and where: people, centres, patients, weights, precautions, transplants.

Facts only. Nothing here says due or missed, and nothing is deleted: rows are corrected, superseded or marked entered in error.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Index, Q, UniqueConstraint

from patients.roles import Role
from patients.trail import Event as Event
from patients.trail import ExactJSON as ExactJSON
from patients.trail import RowChange as RowChange
from patients.tries import Tries as Tries


class User(AbstractUser):
    """A person with an account. What they may do belongs to their memberships."""

    email = models.EmailField(blank=True)

    acting: Membership | None = None  # whom a signed-in person acts as, set when a request loads them (patients/backends.py)

    class Meta(AbstractUser.Meta):
        db_table = "patients_user"

    @property
    def printed_name(self) -> str:
        """The name that stands beside a signature; never blank."""
        return self.get_full_name() or self.username


def saturday_and_sunday() -> list[int]:
    """The days on which most centers plan no infusion."""
    return [5, 6]


class Centre(models.Model):
    """A hospital: its clock, its telephone and its policy."""

    name = models.CharField(max_length=120, unique=True)
    time_zone = models.CharField(max_length=64, help_text="An IANA zone such as America/New_York")
    phone = models.CharField(max_length=40, help_text="Printed on every sheet that a ward or patient keeps")
    pump_increment_ml_per_h = models.DecimalField(
        "pump increment, mL per h",
        max_digits=4,
        decimal_places=2,
        default=Decimal("0.1"),
        help_text="The smallest step of the pumps here, above 0 and at most 99.99. Rates are rounded down to it",
    )
    vial_rounding_percent = models.DecimalField(
        "vial rounding, percent",
        max_digits=4,
        decimal_places=1,
        default=Decimal(0),
        help_text="How far an adult's dose may be rounded to whole vials where the order allows it: 0 (off) to 10",
    )
    # Monday is 0, Sunday is 6.
    closed_weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=saturday_and_sunday,
        blank=True,
        help_text="Moves no dose: a target on such a day is shown with the open days of its window",
    )
    consent_required = models.BooleanField(default=False, help_text="No dose is released without a consent on record")
    shift_allowed = models.BooleanField(
        default=False, help_text="Later doses may be moved with a late one, within the limits of the monograph"
    )
    # While it stands here a pharmacist decides some missed doses: see BY_PROTOCOL in patients/roles.py.
    collaborative_protocol = models.CharField(
        max_length=120, blank=True, help_text="Name and date of the signed document. Left empty, a prescriber alone decides"
    )
    slow_with_new_lot = models.BooleanField(
        "start slowly with a new lot",
        default=False,
        help_text="A lot that the patient's last infusion did not come from takes the initial rate table",
    )
    second_factor_required = models.BooleanField(default=True, help_text="Everybody here signs in with an authenticator app")
    is_demonstration = models.BooleanField(default=False)

    class Meta:
        verbose_name = "center"
        constraints = [
            CheckConstraint(condition=Q(pump_increment_ml_per_h__gt=0), name="centre_pump_increment_is_above_zero"),
            CheckConstraint(
                condition=Q(vial_rounding_percent__gte=0, vial_rounding_percent__lte=10),
                name="centre_vial_rounding_is_at_most_10_percent",
            ),
            CheckConstraint(condition=Q(closed_weekdays__contained_by=list(range(7))), name="closed_weekdays_are_from_0_to_6"),
        ]

    def __str__(self) -> str:
        return self.name


class ClosedDay(models.Model):
    """A day on which a center gives no planned infusions, such as a holiday. It moves no dose; it is shown beside one.

    One that was listed in error, or is worked after all, is removed from the list and kept.
    """

    centre = models.ForeignKey(Centre, PROTECT, related_name="closed_days")
    on = models.DateField("day")
    title = models.CharField(max_length=80)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["on"]
        constraints = [
            UniqueConstraint(fields=["centre", "on"], condition=Q(removed_at=None), name="closed_day_is_listed_once")
        ]

    def __str__(self) -> str:
        return self.title


class Membership(models.Model):
    """One person's role in one centre: the actor of every action."""

    emergencies_unseen: int = 0  # accesses to the own centre's charts that wait for an auditor, set with User.acting

    user = models.ForeignKey(User, PROTECT, related_name="memberships")
    centre = models.ForeignKey(Centre, PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["user", "centre"], condition=Q(ended_at=None), name="one_role_per_person_and_centre"),
            CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user.printed_name}, {self.get_role_display()}"


class Sex(models.TextChoices):
    FEMALE = "female", "Female"
    MALE = "male", "Male"
    OTHER = "other", "Other"
    UNKNOWN = "unknown", "Not recorded"


class AllergyState(models.TextChoices):
    """Exactly four, so that silence is never read as "none"."""

    KNOWN = "known", "Known allergies"
    NONE_KNOWN = "none_known", "No known allergies"
    NOT_RECORDED = "not_recorded", "Allergies not recorded"
    UNAVAILABLE = "unavailable", "Allergies unavailable"


class ClosedReason(models.TextChoices):
    """Why nothing is due any more for a patient."""

    DIED = "died", "Died"
    TRANSFERRED = "transferred", "Transferred elsewhere"


class Patient(models.Model):
    """One recipient in one centre."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    centre = models.ForeignKey(Centre, PROTECT, related_name="patients")
    mrn = models.CharField("record number", max_length=30)
    family_name = models.CharField(max_length=100)
    given_name = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=20, blank=True)
    name_key = models.CharField(max_length=210, editable=False)
    birth_on = models.DateField()
    sex = models.CharField(max_length=10, choices=Sex.choices)
    ward = models.CharField(max_length=60, blank=True)
    allergy_state = models.CharField(max_length=12, choices=AllergyState.choices, default=AllergyState.NOT_RECORDED)
    allergies = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_reason = models.CharField(max_length=12, choices=ClosedReason.choices, blank=True)
    registered_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    registered_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["centre", "mrn"], name="record_number_is_unique_in_its_centre"),
            CheckConstraint(condition=Q(sex__in=Sex.values), name="sex_is_known_word"),
            CheckConstraint(condition=Q(allergy_state__in=AllergyState.values), name="allergy_state_is_one_of_four"),
            CheckConstraint(
                condition=~Q(allergy_state=AllergyState.KNOWN) | ~Q(allergies=""), name="known_allergies_are_named"
            ),
            CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_reason="") | Q(closed_at__isnull=False) & ~Q(closed_reason=""),
                name="closing_has_time_and_reason",
            ),
        ]
        indexes = [
            Index(fields=["centre", "name_key"], name="patient_by_name"),
            Index(fields=["centre", "birth_on"], name="patient_by_birth"),
        ]

    def __str__(self) -> str:
        return f"patient {self.pk}"  # never a name: this string reaches logs


class WeightMethod(models.TextChoices):
    """How a weight came about. Only the first three are measurements."""

    STANDING = "standing_scale", "Standing scale"
    BED = "bed_scale", "Bed scale"
    CHAIR = "chair_scale", "Chair or hoist scale"
    STATED = "stated", "Stated, not measured"


class WeightMeasurement(models.Model):
    """One weight in kilograms, when and how it was measured. Never changed; entered in error with a reason."""

    patient = models.ForeignKey(Patient, PROTECT, related_name="weights")
    weight_kg = models.DecimalField(max_digits=5, decimal_places=2)
    measured_at = models.DateTimeField()
    method = models.CharField(max_length=16, choices=WeightMethod.choices)
    confirms = models.ForeignKey(
        "self", PROTECT, null=True, blank=True, related_name="confirmed_by", help_text="The implausible weight this one repeats"
    )
    reason = models.CharField(max_length=300, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    error_at = models.DateTimeField(null=True, blank=True)
    error_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    error_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(weight_kg__gte=2, weight_kg__lte=300), name="weight_is_from_2_to_300_kg"),
            CheckConstraint(condition=Q(method__in=WeightMethod.values), name="weight_method_is_known"),
            CheckConstraint(condition=~Q(method=WeightMethod.STATED) | ~Q(reason=""), name="stated_weight_has_a_reason"),
            CheckConstraint(condition=Q(measured_at__lte=F("recorded_at")), name="weight_is_not_measured_in_the_future"),
            CheckConstraint(
                condition=Q(error_at__isnull=True, error_by__isnull=True, error_reason="")
                | Q(error_at__isnull=False, error_by__isnull=False) & ~Q(error_reason=""),
                name="weight_error_has_who_when_why",
            ),
        ]
        indexes = [Index(fields=["patient", "-measured_at"], condition=Q(error_at=None), name="weight_latest_valid")]


class PrecautionKind(models.TextChoices):
    """What must be asked before a course is planned. The first four stop planning when present."""

    CMVIG_HYPERSENSITIVITY = "cmvig_hypersensitivity", "Hypersensitivity to CMV immune globulin"
    IG_HYPERSENSITIVITY = "ig_hypersensitivity", "Hypersensitivity to any other human immune globulin"
    COMPONENT_HYPERSENSITIVITY = "component_hypersensitivity", "Hypersensitivity to a component (sucrose, albumin)"
    IGA_DEFICIENCY = "iga_deficiency", "Selective IgA deficiency"
    RENAL_IMPAIRMENT = "renal_impairment", "Renal impairment"
    PREGNANCY = "pregnancy", "Pregnancy"
    LACTATION = "lactation", "Lactation"


class Answer(models.TextChoices):
    PRESENT = "present", "Yes"
    ABSENT = "absent", "No"
    UNKNOWN = "unknown", "Unable to find out"


class Precaution(models.Model):
    """One answer to one question about risk; a newer row supersedes an older one of the same kind."""

    patient = models.ForeignKey(Patient, PROTECT, related_name="precautions")
    kind = models.CharField(max_length=30, choices=PrecautionKind.choices)
    answer = models.CharField(max_length=8, choices=Answer.choices)
    detail = models.CharField(max_length=300, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)
    release_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["patient", "kind"], condition=Q(superseded_at=None), name="one_live_answer_per_precaution"
            ),
            CheckConstraint(condition=Q(kind__in=PrecautionKind.values), name="precaution_kind_is_known"),
            CheckConstraint(condition=Q(answer__in=Answer.values), name="precaution_answer_is_known"),
            CheckConstraint(
                condition=Q(released_at__isnull=True, released_by__isnull=True, release_reason="")
                | Q(released_at__isnull=False, released_by__isnull=False) & ~Q(release_reason=""),
                name="release_has_who_when_why",
            ),
        ]


class Organ(models.TextChoices):
    KIDNEY = "kidney", "Kidney"
    LIVER = "liver", "Liver"
    LUNG = "lung", "Lung"
    PANCREAS = "pancreas", "Pancreas"
    HEART = "heart", "Heart"
    INTESTINE = "intestine", "Intestine"
    HSCT = "hsct", "Hematopoietic stem cells"


class Serostatus(models.TextChoices):
    """CMV IgG before the transplant; "unknown" is a state people see, never read as negative."""

    POSITIVE = "positive", "Positive"
    NEGATIVE = "negative", "Negative"
    INDETERMINATE = "indeterminate", "Indeterminate"
    UNKNOWN = "unknown", "Unknown"
    NOT_DONE = "not_done", "Not done"


class Antiviral(models.TextChoices):
    """Concomitant antiviral; "not recorded" is asked about where the label pairs the drug with one."""

    NOT_RECORDED = "not_recorded", "Not recorded"
    NONE = "none", "None"
    GANCICLOVIR = "ganciclovir", "Ganciclovir"
    VALGANCICLOVIR = "valganciclovir", "Valganciclovir"
    LETERMOVIR = "letermovir", "Letermovir"
    OTHER = "other", "Other"


class Transplant(models.Model):
    """One graft operation: organs, the instant of reperfusion (stem cells: infusion), donor and recipient CMV IgG."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, PROTECT, related_name="transplants")
    number = models.PositiveSmallIntegerField()
    organs = ArrayField(models.CharField(max_length=12, choices=Organ.choices))
    reperfusion_at = models.DateTimeField()
    zone_name = models.CharField(max_length=64, help_text="Zone of the operation; the anchor date stays in it")
    is_time_known = models.BooleanField(default=True, help_text="False: only the date is known, counted from 00:00")
    donor_cmv_igg = models.CharField(max_length=14, choices=Serostatus.choices)
    recipient_cmv_igg = models.CharField(max_length=14, choices=Serostatus.choices)
    antiviral = models.CharField(max_length=16, choices=Antiviral.choices, default=Antiviral.NOT_RECORDED)
    antiviral_started_on = models.DateField(null=True, blank=True)
    recorded_by = models.ForeignKey(Membership, PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["patient", "number"], name="transplant_number_is_unique_per_patient"),
            CheckConstraint(
                condition=Q(organs__contained_by=Organ.values, organs__len__gt=0), name="transplant_organs_are_known"
            ),
            CheckConstraint(condition=Q(donor_cmv_igg__in=Serostatus.values), name="donor_serostatus_is_known_word"),
            CheckConstraint(condition=Q(recipient_cmv_igg__in=Serostatus.values), name="recipient_serostatus_is_known_word"),
            CheckConstraint(condition=Q(antiviral__in=Antiviral.values), name="antiviral_is_known_word"),
        ]

    def __str__(self) -> str:
        return f"transplant {self.pk}"

    @property
    def organ_names(self) -> str:
        """The organs in words: "Kidney and pancreas"."""
        names = [Organ(organ).label for organ in self.organs]
        return " and ".join(names[:1] + [name.lower() for name in names[1:]])


EMERGENCY_LASTS = timedelta(minutes=30)


class BreakGlass(models.Model):
    """Emergency access: a clinician of another centre may read one chart for half an hour. The auditor is told; nothing is writable."""

    membership = models.ForeignKey(Membership, PROTECT, related_name="emergency_accesses")
    patient = models.ForeignKey(Patient, PROTECT, related_name="emergency_accesses")
    reason = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    acknowledged_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "emergency access"
        ordering = ["-opened_at", "-id"]
        constraints = [
            CheckConstraint(condition=Q(reason__regex=r"^.{10,}$"), name="emergency_access_has_a_reason"),
            CheckConstraint(
                condition=Q(expires_at__gt=F("opened_at"), expires_at__lte=F("opened_at") + EMERGENCY_LASTS),
                name="emergency_access_lasts_at_most_30_minutes",
            ),
            CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True)
                | Q(acknowledged_at__gte=F("opened_at"), acknowledged_by__isnull=False),
                name="acknowledged_emergency_has_who_and_when",
            ),
        ]
        indexes = [
            Index(fields=["membership", "expires_at"], name="emergency_access_open"),
            Index(fields=["opened_at"], condition=Q(acknowledged_at=None), name="emergency_access_to_see"),
        ]

    def __str__(self) -> str:
        return f"emergency access {self.pk}"
