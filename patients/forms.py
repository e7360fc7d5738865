"""Forms about patients: what is typed, read strictly. Whether it may be saved is decided by the action."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django import forms

from patients import when
from patients.fields import DayField, LineField, LocalDateTimeField, MrnField, NameField, WeightField
from patients.models import (
    AllergyState,
    Answer,
    Antiviral,
    ClosedReason,
    Organ,
    Patient,
    PrecautionKind,
    Serostatus,
    Sex,
    Transplant,
    WeightMethod,
)

NOT_CHOSEN = [("", "Choose")]
IN_A_ROW = {"class": "choices-row"}


def read_in(form: forms.Form, name: str, zone_name: str) -> None:
    """Read and show this instant on the clock of the zone."""
    field = form.fields[name]
    assert isinstance(field, LocalDateTimeField)
    field.zone_name = zone_name


def reason_field(label: str, help_text: str = "", *, required: bool = True) -> LineField:
    return LineField(what="reason", label=label, help_text=help_text, max_length=300, required=required)


class PatientForm(forms.Form):
    """A new patient, or with ``patient`` a correction: then it asks for the reason and carries the version that was seen."""

    family_name = NameField(what="family name", label="Family name")
    given_name = NameField(what="given name", label="Given name", required=False)
    title = LineField(what="title", label="Title", help_text="Such as Ms or Dr", max_length=20, required=False)
    birth_on = DayField(label="Born", echo="birth")
    sex = forms.ChoiceField(label="Sex", choices=NOT_CHOSEN + Sex.choices)
    mrn = MrnField(label="Record number (MRN)", help_text="Spaces do not count", max_length=40)
    ward = LineField(what="ward", label="Ward or clinic", max_length=60, required=False)
    allergy_state = forms.ChoiceField(
        label="Allergies",
        choices=AllergyState.choices,
        widget=forms.RadioSelect(attrs=IN_A_ROW),
        initial=AllergyState.NOT_RECORDED,
    )
    allergies = LineField(
        what="list of allergies",
        label="Which allergies",
        help_text="With the reaction: immune globulin – rigors",
        max_length=300,
        required=False,
    )
    is_another_person = forms.BooleanField(label="I compared them: this is another person", required=False)
    reason = reason_field("Reason for the change", "Needed when name, birth date, sex or record number change", required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    VALUES = ("family_name", "given_name", "title", "birth_on", "sex", "mrn", "ward", "allergy_state", "allergies")

    def __init__(self, *args: Any, patient: Patient | None = None, **kwargs: Any) -> None:
        if patient is not None:
            kwargs["initial"] = {name: getattr(patient, name) for name in (*self.VALUES, "version")}
        super().__init__(*args, **kwargs)
        if patient is None:
            del self.fields["reason"], self.fields["version"]
        if patient is not None or "is_another_person" not in self.data:
            # Appears only once a likely duplicate was shown beside it: see ask_about_duplicate.
            self.another_person = self.fields.pop("is_another_person")

    def ask_about_duplicate(self) -> None:
        """Show the question whether this is another person, after the likely duplicates were found."""
        if "is_another_person" not in self.fields:
            self.fields["is_another_person"] = self.another_person

    def values(self) -> dict[str, Any]:
        """What was typed, as the action takes it."""
        return {name: self.cleaned_data[name] for name in self.VALUES}


class WeightForm(forms.Form):
    """One weight. The tick for a second measurement appears only after a weight was refused as a slip."""

    weight_kg = WeightField(label="Weight in kg", help_text="Read the scale in kg. One decimal; two below 10 kg")
    measured_at = LocalDateTimeField(label="Measured")
    method = forms.ChoiceField(label="How", choices=WeightMethod.choices, widget=forms.RadioSelect(attrs=IN_A_ROW))
    reason = reason_field("Reason", "Needed for a stated weight, and for a change of 10 percent or more", required=False)
    keep_for_second = forms.BooleanField(
        label="I weighed again and it reads the same",
        help_text="Kept, but not used, until another person has measured and entered it too",
        required=False,
    )

    def __init__(self, *args: Any, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        read_in(self, "measured_at", zone_name)
        if "keep_for_second" not in self.data:
            self.second = self.fields.pop("keep_for_second")

    def ask_for_second(self) -> None:
        """Show the tick that keeps this weight for a second measurement by another person."""
        if "keep_for_second" not in self.fields:
            self.fields["keep_for_second"] = self.second


class ReasonForm(forms.Form):
    """A reason and nothing else."""

    reason = reason_field("Reason")


class ReleaseForm(forms.Form):
    """A prescriber's signed release."""

    reason = reason_field("Reason for the release", "Printed beside your name wherever this contraindication is shown")
    password = forms.CharField(
        label="Your password",
        help_text="Typing it signs the release",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "medium"}),
    )


class PrecautionsForm(forms.Form):
    """Every question about risk with its three answers; one that is left open stays unanswered."""

    def __init__(self, *args: Any, kinds: list[PrecautionKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kinds = kinds
        for kind in kinds:
            self.fields[kind.value] = forms.ChoiceField(
                label=kind.label,
                choices=Answer.choices,
                widget=forms.RadioSelect(attrs=IN_A_ROW),
                required=False,
            )
            self.fields[f"{kind.value}_detail"] = LineField(
                what="detail",
                label=f"Detail: {kind.label}",
                help_text="What happened and when, or who was asked",
                max_length=300,
                required=False,
            )

    def questions(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Each question with its detail, for the page."""
        return [(self[kind.value], self[f"{kind.value}_detail"]) for kind in self.kinds]

    def answers(self) -> dict[str, tuple[str, str]]:
        """The questions that were answered."""
        given = self.cleaned_data
        return {kind.value: (given[kind.value], given[f"{kind.value}_detail"]) for kind in self.kinds if given.get(kind.value)}


ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "America/Toronto",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Sydney",
    "UTC",
)


class TransplantForm(forms.Form):
    """A transplant, or with ``transplant`` a correction: then it asks for the reason and carries the version that was seen."""

    organs = forms.MultipleChoiceField(
        label="Organs",
        help_text="All organs of one operation",
        choices=Organ.choices,
        widget=forms.CheckboxSelectMultiple(attrs=IN_A_ROW),
    )
    reperfusion_at = LocalDateTimeField(
        label="Reperfusion",
        help_text="The first one; stem cells: the infusion. Leave the time empty if unknown: it then counts from 00:00",
        time_required=False,
    )
    zone_name = forms.ChoiceField(
        label="Clock of the operation", help_text="The time zone in which the date and time were read"
    )
    donor_cmv_igg = forms.ChoiceField(label="Donor CMV IgG", choices=NOT_CHOSEN + Serostatus.choices)
    recipient_cmv_igg = forms.ChoiceField(
        label="Recipient CMV IgG", help_text="From a sample before any immune globulin", choices=NOT_CHOSEN + Serostatus.choices
    )
    antiviral = forms.ChoiceField(label="Antiviral at the same time", choices=Antiviral.choices)
    antiviral_started_on = DayField(label="Antiviral started on", required=False)
    reason = reason_field("Reason for the correction")
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, zone_name: str, transplant: Transplant | None = None, **kwargs: Any) -> None:
        kwargs["initial"] = (
            self.initial_of(transplant) | {"version": transplant.version} if transplant else {"zone_name": zone_name}
        )
        super().__init__(*args, **kwargs)
        names = list(dict.fromkeys((transplant.zone_name if transplant else zone_name, zone_name, *ZONES)))
        field = self.fields["zone_name"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name.replace("_", " ")) for name in names]
        chosen = self.data.get("zone_name") or names[0]
        read_in(self, "reperfusion_at", chosen if chosen in names else names[0])
        if transplant is None:
            del self.fields["reason"], self.fields["version"]

    @staticmethod
    def initial_of(transplant: Transplant) -> dict[str, Any]:
        """What is on record, as the form shows it."""
        plain = ("organs", "zone_name", "donor_cmv_igg", "recipient_cmv_igg", "antiviral", "antiviral_started_on")
        at: datetime | date = transplant.reperfusion_at
        if not transplant.is_time_known:
            at = when.local_day(transplant.reperfusion_at, transplant.zone_name)
        return {name: getattr(transplant, name) for name in plain} | {"reperfusion_at": at}

    def values(self) -> dict[str, Any]:
        """What was typed, as the action takes it: without a time, the first instant of the day."""
        typed = self.cleaned_data
        at, zone_name = typed["reperfusion_at"], typed["zone_name"]
        is_time_known = isinstance(at, datetime)
        return {
            "organs": typed["organs"],
            "reperfusion_at": at if is_time_known else when.day_begins(at, zone_name),
            "is_time_known": is_time_known,
            "zone_name": zone_name,
            "donor_cmv_igg": typed["donor_cmv_igg"],
            "recipient_cmv_igg": typed["recipient_cmv_igg"],
            "antiviral": typed["antiviral"],
            "antiviral_started_on": typed["antiviral_started_on"],
        }


class CloseForm(forms.Form):
    """Died or transferred, and when."""

    closed_reason = forms.ChoiceField(label="What happened", choices=ClosedReason.choices, widget=forms.RadioSelect)
    closed_at = LocalDateTimeField(
        label="When",
        help_text="Such as 22-Nov-2026, 14:05 (24-hour clock). Leave the time empty if unknown",
        time_required=False,
    )
    note = LineField(what="note", label="Note", help_text="Such as where the patient went", max_length=300, required=False)

    def __init__(self, *args: Any, zone_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone_name = zone_name
        read_in(self, "closed_at", zone_name)

    def instant(self, now: datetime) -> datetime:
        """When it happened. A day alone is its last second, or now if it is today: nothing done that day comes after."""
        at = self.cleaned_data["closed_at"]
        if isinstance(at, datetime):
            return at
        ends = when.day_begins(at + timedelta(days=1), self.zone_name) - timedelta(seconds=1)
        return now if when.local_day(now, self.zone_name) == at else ends
