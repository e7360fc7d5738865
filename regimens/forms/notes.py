"""What is typed into a chart's notes, and the question that goes back with a plan."""

from __future__ import annotations

from typing import Any

from django import forms

from patients.fields import DayField, invalid
from patients.models import Centre, Membership
from patients.names import clean_text
from patients.refusal import Refusal
from patients.roles import MAY
from regimens.actions.notes import LONGEST


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


def owners_of(centre: Centre) -> list[tuple[int | str, str]]:
    """Who may own a query of this centre, by name; one statement."""
    people = Membership.objects.filter(centre=centre, ended_at=None, role__in=MAY["write_note"]).select_related("user")
    named = sorted((f"{person.user.printed_name}, {person.get_role_display()}", person.pk) for person in people)
    return [("", "Choose…"), *((pk, name) for name, pk in named)]


class OwnerField(forms.TypedChoiceField):
    """A person of the centre, by the number of their membership."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce=int, empty_value=None, required=False, **kwargs)


class NoteForm(forms.Form):
    """A note, or a query with its owner and the day its answer is wanted."""

    KINDS = (("note", "Note"), ("query", "Query: somebody is to answer it"))

    kind = forms.ChoiceField(
        label="This is a", choices=KINDS, initial="note", widget=forms.RadioSelect(attrs={"class": "choices-row"})
    )
    text = WordsField(what="note", label="Text")
    about = forms.ChoiceField(label="About", required=False)
    owner = OwnerField(label="Who is to answer")
    due_on = DayField(label="Answer wanted by", required=False)

    def __init__(self, *args: Any, owners: list[tuple[int | str, str]], courses: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = owners
        self.fields["about"].choices = [("", "The patient"), *courses]
        if not courses:
            del self.fields["about"]


class AnswerForm(forms.Form):
    """The answer to a query."""

    answer = WordsField(what="answer", label="Answer")


class ReturnForm(forms.Form):
    """The question a plan is sent back with; the builder is asked unless another is named."""

    text = WordsField(what="query", label="What is to be settled before it can be signed")
    owner = OwnerField(label="Who is to answer")
    due_on = DayField(label="Answer wanted by")

    def __init__(self, *args: Any, owners: list[tuple[int | str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = owners
