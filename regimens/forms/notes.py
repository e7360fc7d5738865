"""What is typed into a chart's notes, and the question that goes back with a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from patients.fields import DayField, invalid
from patients.models import Centre, Membership
from patients.names import clean_text
from patients.refusal import Refusal
from patients.roles import MAY
from regimens.actions.notes import LONGEST
from regimens.forms.common import ChosenPerson


class WordsField(forms.CharField):
    """A few sentences. A line's end counts as a space; hidden characters are refused as everywhere."""

    def __init__(self, *, what: str, **kwargs: Any) -> None:
        self.what = what
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 3}))
        super().__init__(max_length=LONGEST, **kwargs)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return clean_text(" ".join(text.split()), field="", what=self.what)
        except Refusal as refusal:
            raise invalid(refusal) from None


def owners_of(centre: Centre) -> list[Membership]:
    """Who may own a query of this centre, by name; one statement."""
    people = Membership.objects.filter(centre=centre, ended_at=None, role__in=MAY["write_note"]).select_related("user")
    return sorted(people, key=lambda person: (person.user.printed_name, person.pk))


def owner_field(owners: Sequence[Membership]) -> ChosenPerson:
    """Whom a query is put to."""
    return ChosenPerson(owners, with_role=True, label="Who is to answer", required=False)


class NoteForm(forms.Form):
    """A note, or a query with its owner and the day its answer is wanted."""

    KINDS = (("note", "Note"), ("query", "Query: somebody is to answer it"))

    kind = forms.ChoiceField(
        label="This is a", choices=KINDS, initial="note", widget=forms.RadioSelect(attrs={"class": "choices-row"})
    )
    text = WordsField(what="note", label="Text")
    about = forms.ChoiceField(label="About", required=False)
    due_on = DayField(label="Answer wanted by", required=False)

    def __init__(self, *args: Any, owners: Sequence[Membership], courses: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"] = owner_field(owners)
        self.order_fields(["kind", "text", "about", "owner", "due_on"])
        self.fields["about"].choices = [("", "The patient"), *courses]
        if not courses:
            del self.fields["about"]


class QueryAnswerForm(forms.Form):
    """The answer to a query."""

    answer = WordsField(what="answer", label="Answer")


class ReturnForm(forms.Form):
    """The question a plan is sent back with; the builder is asked unless another is named."""

    text = WordsField(what="query", label="What is to be settled before it can be signed")
    due_on = DayField(label="Answer wanted by")

    def __init__(self, *args: Any, owners: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"] = owner_field(owners)
        self.order_fields(["text", "owner", "due_on"])
