"""The texts and lists of the monograph: passages, questions, reactions, statements, reasons."""

from __future__ import annotations

from django.db import models
from django.db.models import PROTECT, UniqueConstraint

from regimens.models.library import Monograph, Sourced


class Section(Sourced):
    """A titled passage in light mark-up: paragraphs and "- " lists."""

    monograph = models.ForeignKey(Monograph, PROTECT, related_name="sections")
    position = models.PositiveSmallIntegerField(default=1)
    code = models.SlugField(max_length=40)
    title = models.CharField(max_length=120)
    text = models.TextField()

    class Meta:
        ordering = ["position"]
        constraints = [UniqueConstraint(fields=["monograph", "code"], name="section_code_is_unique_in_its_monograph")]

    def __str__(self) -> str:
        return self.title


class Question(Sourced):
    monograph = models.ForeignKey(Monograph, PROTECT, related_name="questions")
    position = models.PositiveSmallIntegerField(default=1)
    question = models.CharField(max_length=200)
    answer = models.TextField()

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return self.question


class ReactionTerm(Sourced):
    monograph = models.ForeignKey(Monograph, PROTECT, related_name="reactions")
    position = models.PositiveSmallIntegerField(default=1)
    term = models.CharField(max_length=80)
    explanation = models.CharField(max_length=160, blank=True)
    seriousness = models.CharField(max_length=8, choices=[("common", "Common"), ("serious", "Serious")])
    frequency = models.CharField(max_length=120)

    class Meta:
        ordering = ["position"]
        constraints = [UniqueConstraint(fields=["monograph", "term"], name="reaction_term_is_unique_in_its_monograph")]

    def __str__(self) -> str:
        return self.term


class Statement(Sourced):
    """A contraindication, increased risk, caution or interaction that rules refer to by its code."""

    monograph = models.ForeignKey(Monograph, PROTECT, related_name="statements")
    position = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(
        max_length=20,
        choices=[
            (k, k.replace("_", " ").capitalize()) for k in ("contraindication", "increased_risk", "caution", "interaction")
        ],
    )
    code = models.SlugField(max_length=40)
    sentence = models.TextField()

    class Meta:
        ordering = ["position"]
        constraints = [UniqueConstraint(fields=["monograph", "kind", "code"], name="statement_code_is_unique_in_its_monograph")]

    def __str__(self) -> str:
        return self.code


class ReasonCode(models.Model):
    """A reason people choose from a list."""

    monograph = models.ForeignKey(Monograph, PROTECT, related_name="reasons")
    position = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=12)
    code = models.SlugField(max_length=40)
    sentence = models.CharField(max_length=160)
    needs_text = models.BooleanField(default=False)

    class Meta:
        ordering = ["position"]
        constraints = [UniqueConstraint(fields=["monograph", "kind", "code"], name="reason_code_is_unique_in_its_monograph")]

    def __str__(self) -> str:
        return self.sentence
