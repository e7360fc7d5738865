"""The monograph, one table per kind of row. A published version is never changed again: the database refuses it.

Field names are those of ``regimens.domain.monograph``; :meth:`Monograph.to_domain` builds the value the rules compute from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import PROTECT, CheckConstraint, F, Q, UniqueConstraint

from patients.models import Membership
from regimens.domain import monograph as domain
from regimens.models.together import read_together


class SourceKind(models.TextChoices):
    """Who says so; "site policy" and "design choice" are shown as such, never as the label's word."""

    MONOGRAPH = domain.SourceKind.MONOGRAPH.value, "Source monograph"
    LABEL = domain.SourceKind.LABEL.value, "US label"
    EU_LABEL = domain.SourceKind.EU_LABEL.value, "EU product information"
    GUIDELINE = domain.SourceKind.GUIDELINE.value, "Guideline"
    LITERATURE = domain.SourceKind.LITERATURE.value, "Literature"
    SITE_POLICY = domain.SourceKind.SITE_POLICY.value, "Site policy"
    DESIGN = domain.SourceKind.DESIGN.value, "Design choice"


class Monograph(models.Model):
    """One version of the drug's reference text, protocols, rate tables and limits."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Submitted for publication"
        PUBLISHED = "published", "Published"
        RETIRED = "retired", "Retired"
        DISCARDED = "discarded", "Discarded"

    version = models.PositiveIntegerField(null=True, blank=True, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, editable=False)
    title = models.CharField(max_length=200)
    what_changed = models.TextField(blank=True, help_text="For clinicians: what is different from the version before, and why")
    based_on = models.ForeignKey("self", PROTECT, null=True, blank=True, editable=False, related_name="+")
    checksum = models.CharField(max_length=64, blank=True, editable=False)
    shipped_with = models.CharField(max_length=20, blank=True, editable=False)
    drafted_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, editable=False, related_name="+")
    drafted_at = models.DateTimeField(editable=False)
    submitted_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, editable=False, related_name="+")
    submitted_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.ForeignKey(Membership, PROTECT, null=True, blank=True, editable=False, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["state"], condition=Q(state="published"), name="one_published_monograph"),
            CheckConstraint(
                condition=Q(state__in=["published", "retired"], version__isnull=False, published_at__isnull=False)
                | Q(state__in=["draft", "submitted", "discarded"], version__isnull=True),
                name="published_monograph_has_version_and_time",
            ),
            # The shipped file is published by the installation itself; every other version by a second person.
            CheckConstraint(
                condition=~Q(state__in=["published", "retired"])
                | ~Q(shipped_with="")
                | Q(published_by__isnull=False) & (Q(drafted_by__isnull=True) | ~Q(published_by=F("drafted_by"))),
                name="publisher_is_not_the_editor",
            ),
        ]

    def __str__(self) -> str:
        return f"Monograph v{self.version}" if self.version else f"Monograph {self.get_state_display().lower()} {self.pk}"

    def to_domain(self) -> domain.Monograph:
        """This version as the plain value the rules compute from. Published versions are built once per process."""
        if self.state in (self.State.PUBLISHED, self.State.RETIRED):
            key = (self.pk, self.checksum)
            if key not in _published:
                _published[key] = _build_value(self)
            return _published[key]
        return _build_value(self)


class Sourced(models.Model):
    """A row that says where it was read."""

    source_kind = models.CharField("source", max_length=16, choices=SourceKind.choices)
    source_ref = models.CharField("section", max_length=200)

    class Meta:
        abstract = True

    @property
    def source(self) -> domain.Source:
        return domain.Source(domain.SourceKind(self.source_kind), self.source_ref)


class Product(Sourced):
    monograph = models.OneToOneField(Monograph, PROTECT, related_name="product")
    code = models.SlugField(max_length=40)
    generic_name = models.CharField(max_length=120)
    brand_name = models.CharField(max_length=60)
    manufacturer = models.CharField(max_length=80)
    concentration_mg_per_ml = models.DecimalField("concentration, mg per mL", max_digits=7, decimal_places=2)
    excipients = ArrayField(models.CharField(max_length=80), help_text="Separated by commas")
    storage = models.TextField()
    filter = models.TextField()
    appearance = models.TextField()
    doses_in = models.CharField(
        "doses are given in", max_length=2, choices=[("mg", "mg per kg"), ("mL", "mL per kg")], default="mg"
    )
    activity_per_ml = models.DecimalField("activity per mL", max_digits=8, decimal_places=2, null=True, blank=True)
    activity_unit = models.CharField("unit of activity", max_length=80, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(concentration_mg_per_ml__gt=0), name="concentration_is_above_zero"),
            CheckConstraint(condition=Q(doses_in__in=["mg", "mL"]), name="doses_are_in_mg_or_ml"),
        ]

    def __str__(self) -> str:
        return self.generic_name


class VialSize(models.Model):
    product = models.ForeignKey(Product, PROTECT, related_name="vials")
    position = models.PositiveSmallIntegerField(default=1)
    volume_ml = models.DecimalField("volume, mL", max_digits=6, decimal_places=1)
    content_mg = models.DecimalField("content, mg", max_digits=8, decimal_places=1)
    ndc = models.CharField("NDC", max_length=20, blank=True)
    gtin = models.CharField("GTIN", max_length=14, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [CheckConstraint(condition=Q(volume_ml__gt=0, content_mg__gt=0), name="vial_is_not_empty")]

    def __str__(self) -> str:
        return f"vial {self.position}"


class Protocol(Sourced):
    """An indication's dose table, who it is for, and its cap per infusion."""

    monograph = models.ForeignKey(Monograph, PROTECT, related_name="protocols")
    position = models.PositiveSmallIntegerField(default=1)
    code = models.SlugField(max_length=40)
    title = models.CharField(max_length=120)
    indication = models.CharField(max_length=300)
    anchor = models.CharField(max_length=12, choices=[(a.value, a.value.replace("_", " ")) for a in domain.Anchor])
    intent = models.CharField(max_length=12, choices=[(i.value, i.value) for i in domain.Intent])
    off_label = models.BooleanField(default=False)
    organs = ArrayField(models.CharField(max_length=12), help_text="Separated by commas")
    population = models.CharField(max_length=20, default="any")
    cap_mg_per_kg = models.DecimalField("cap, mg per kg per infusion", max_digits=6, decimal_places=2)
    cap_ml_per_kg = models.DecimalField("cap, mL per kg", max_digits=6, decimal_places=3, null=True, blank=True)
    cap_source_kind = models.CharField("source of the cap", max_length=16, choices=SourceKind.choices)
    cap_source_ref = models.CharField("section of the cap", max_length=200)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            UniqueConstraint(fields=["monograph", "code"], name="protocol_code_is_unique_in_its_monograph"),
            CheckConstraint(condition=Q(cap_mg_per_kg__gte=1, cap_mg_per_kg__lte=500), name="protocol_cap_is_from_1_to_500"),
        ]

    def __str__(self) -> str:
        return self.title


class ProtocolDose(Sourced):
    """One row of a dose table."""

    protocol = models.ForeignKey(Protocol, PROTECT, related_name="doses")
    position = models.PositiveSmallIntegerField(default=1)
    code = models.CharField(max_length=12)
    title = models.CharField(max_length=80)
    offset_days = models.PositiveSmallIntegerField("days after the anchor")
    mg_per_kg = models.DecimalField("mg per kg", max_digits=6, decimal_places=2)
    ml_per_kg = models.DecimalField("mL per kg", max_digits=6, decimal_places=3, null=True, blank=True)
    opens_days_before = models.PositiveSmallIntegerField("opens, days before")
    closes_days_after = models.PositiveSmallIntegerField("closes, days after")
    closes_after_hours = models.PositiveSmallIntegerField("closes, hours after the anchor", null=True, blank=True)
    min_interval_hours = models.PositiveSmallIntegerField("at least hours after the previous given dose", default=168)
    latest_late_day = models.PositiveSmallIntegerField("latest day to give it late", null=True, blank=True)
    optional = models.BooleanField(default=False)
    alternative_of = models.CharField(max_length=12, blank=True)
    repeats = models.BooleanField("dates are chosen, with a review date", default=False)
    window_source_kind = models.CharField("source of the window", max_length=16, choices=SourceKind.choices)
    window_source_ref = models.CharField("section of the window", max_length=200)

    class Meta:
        ordering = ["position"]
        constraints = [
            UniqueConstraint(fields=["protocol", "code"], name="dose_code_is_unique_in_its_protocol"),
            CheckConstraint(condition=Q(mg_per_kg__gte=1, mg_per_kg__lte=500), name="dose_is_from_1_to_500_mg_per_kg"),
            CheckConstraint(
                condition=Q(opens_days_before__lte=14, closes_days_after__lte=14), name="window_is_at_most_14_days"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class RateTable(Sourced):
    monograph = models.ForeignKey(Monograph, PROTECT, related_name="rate_tables")
    position = models.PositiveSmallIntegerField(default=1)
    code = models.SlugField(max_length=20)
    title = models.CharField(max_length=80)

    class Meta:
        ordering = ["position"]
        constraints = [UniqueConstraint(fields=["monograph", "code"], name="rate_table_code_is_unique_in_its_monograph")]

    def __str__(self) -> str:
        return self.title


class RateStep(models.Model):
    table = models.ForeignKey(RateTable, PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField(default=1)
    mg_per_kg_per_h = models.DecimalField("mg per kg per hour", max_digits=6, decimal_places=2)
    ml_per_kg_per_h = models.DecimalField("mL per kg per hour", max_digits=6, decimal_places=3, null=True, blank=True)
    minutes = models.DecimalField(max_digits=6, decimal_places=1, null=True, blank=True, help_text="Empty: to the end")

    class Meta:
        ordering = ["position"]
        constraints = [CheckConstraint(condition=Q(mg_per_kg_per_h__gt=0), name="rate_is_above_zero")]

    def __str__(self) -> str:
        return f"step {self.position}"


class Limit(Sourced):
    """One named number, with its unit."""

    monograph = models.ForeignKey(Monograph, PROTECT, related_name="limits")
    position = models.PositiveSmallIntegerField(default=1)
    code = models.SlugField(max_length=40)
    title = models.CharField(max_length=160)
    value = models.DecimalField(max_digits=9, decimal_places=3)
    unit = models.CharField(max_length=20)

    class Meta:
        ordering = ["position"]
        constraints = [UniqueConstraint(fields=["monograph", "code"], name="limit_code_is_unique_in_its_monograph")]

    def __str__(self) -> str:
        return self.title


def _build_value(monograph: Monograph) -> domain.Monograph:
    """Every row of a version, in one statement."""
    rows = read_together(
        {
            "product": Product.objects.filter(monograph=monograph),
            "vials": VialSize.objects.filter(product__monograph=monograph).order_by("position"),
            "protocols": monograph.protocols.order_by("position"),
            "doses": ProtocolDose.objects.filter(protocol__monograph=monograph).order_by("position"),
            "rate_tables": monograph.rate_tables.order_by("position"),
            "steps": RateStep.objects.filter(table__monograph=monograph).order_by("position"),
            "limits": monograph.limits.order_by("position"),
            "sections": monograph.sections.order_by("position"),
            "questions": monograph.questions.order_by("position"),
            "reactions": monograph.reactions.order_by("position"),
            "statements": monograph.statements.order_by("position"),
            "reasons": monograph.reasons.order_by("position"),
        }
    )
    (product,) = rows["product"]
    return domain.Monograph(
        title=monograph.title,
        what_changed=monograph.what_changed,
        product=product_value(product, rows["vials"]),
        protocols=tuple(protocol_value(p, [d for d in rows["doses"] if d.protocol_id == p.pk]) for p in rows["protocols"]),
        rate_tables=tuple(table_value(t, [s for s in rows["steps"] if s.table_id == t.pk]) for t in rows["rate_tables"]),
        limits=tuple(_value(domain.Limit, row) for row in rows["limits"]),
        sections=tuple(_value(domain.Section, row) for row in rows["sections"]),
        questions=tuple(_value(domain.Question, row) for row in rows["questions"]),
        reactions=tuple(_value(domain.ReactionTerm, row) for row in rows["reactions"]),
        statements=tuple(_value(domain.Statement, row) for row in rows["statements"]),
        reasons=tuple(_value(domain.ReasonCode, row) for row in rows["reasons"]),
    )


def product_value(product: Product, vials: Iterable[VialSize]) -> domain.Product:
    """The product with these vial sizes, in this order."""
    sizes = tuple(_value(domain.VialSize, vial) for vial in vials)
    return _value(domain.Product, product, doses_in=domain.DoseUnit(product.doses_in), vials=sizes)


def protocol_value(protocol: Protocol, doses: Iterable[ProtocolDose]) -> domain.Protocol:
    """The protocol with these doses, in this order."""
    return _value(
        domain.Protocol,
        protocol,
        anchor=domain.Anchor(protocol.anchor),
        intent=domain.Intent(protocol.intent),
        cap_source=domain.Source(domain.SourceKind(protocol.cap_source_kind), protocol.cap_source_ref),
        doses=tuple(
            _value(
                domain.ProtocolDose,
                dose,
                window_source=domain.Source(domain.SourceKind(dose.window_source_kind), dose.window_source_ref),
            )
            for dose in doses
        ),
    )


def table_value(table: RateTable, steps: Iterable[RateStep]) -> domain.RateTable:
    """The rate table with these steps, in this order."""
    return _value(domain.RateTable, table, steps=tuple(_value(domain.RateStep, step) for step in steps))


def _value(cls: Any, row: models.Model, **given: Any) -> Any:
    """The dataclass ``cls`` from the row's attributes of the same names; arrays become tuples."""
    values = dict(given)
    for name in cls.__dataclass_fields__:
        if name not in values:
            value = getattr(row, name)
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


# By the checksum as well: another database of this process may hold other words under the same number.
_published: dict[tuple[int, str], domain.Monograph] = {}
