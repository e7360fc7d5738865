"""The style guide: every component on a few pages, with an invented patient, rendered without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from django import forms
from django.http import HttpResponse
from django.template import Context, Engine
from django.urls import path

from regimens.templatetags import display

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
ENGINE = Engine(
    dirs=[HERE, ROOT / "templates"],
    libraries={"static": "django.templatetags.static", "django_htmx": "django_htmx.templatetags.django_htmx"},
    builtins=["regimens.templatetags.display", "django.templatetags.static"],
)
PATIENT = "0d9f2f6a-0c57-4d0e-9b6e-5f3a1c1e7a11"
ZONE = "America/New_York"
TODAY = date(2026, 11, 22)
PLACES = ("worklist", "verify-queue", "infusing", "missed", "patients", "monograph", "help")


def _nothing(request: object) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path(f"{name}/", _nothing, name=name) for name in (*PLACES, "account", "lock", "sign-in", "sign-out")]


class WeightForm(forms.Form):
    """A form with each kind of field, and something wrong in it."""

    organ = forms.ChoiceField(choices=[("", "Choose"), ("kidney", "Kidney"), ("liver", "Liver")])
    weight_kg = forms.CharField(
        label="Weight", help_text="Measured, in kilograms, one decimal at most. 70.5, not 70,5.", max_length=6
    )
    measured = forms.CharField(label="Measured on", help_text="For example 22-Nov-2026")
    method = forms.ChoiceField(
        label="How",
        choices=[("bed", "Bed scale"), ("standing", "Standing scale"), ("stated", "Stated")],
        widget=forms.RadioSelect(attrs={"class": "choices-row"}),
    )
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    confirmed = forms.BooleanField(label="I have read the cautions above", help_text="They are shown once for each course.")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["weight_kg"].unit = "kg"
        self.fields["weight_kg"].widget.attrs["class"] = "narrow"
        self.fields["measured"].widget.attrs["class"] = "medium"

    def clean_weight_kg(self) -> str:
        raise forms.ValidationError("70,5 is not a weight. Write 70.5 with a dot.")

    def clean(self) -> None:
        self.add_error(None, "The weight differs from the last one by 120 %: it looks like pounds.")


class VitalsForm(forms.Form):
    """Two boxes for a thumb."""

    systolic = forms.CharField(label="Systolic pressure")
    pulse = forms.CharField(label="Pulse", required=False)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["systolic"].unit = "mmHg"
        self.fields["pulse"].unit = "per minute"


def _worklist() -> list[dict]:
    names = [
        ("Halloran", "Pat"),
        ("Nguyễn", "Thị Lan"),
        ("Okonkwo", "Adaeze"),
        ("Brandt", "Otto"),
        ("Silva", "Ana"),
        ("O’Brien", "Siobhán"),
        ("عبد الله", "سارة"),
        ("李", "小龙"),
        ("Featherstonehaugh-Cholmondeley", "Maximilian"),
        ("Ågård", "Bo"),
        ("Иванова", "Ольга"),
        ("Kim", "Ha-eun"),
    ]

    def rows(count: int, start: int, *steps: tuple[str, str, str, str]) -> list[dict]:
        made = []
        for index in range(start, start + count):
            family, given = names[index % len(names)]
            status, word, when, act = steps[index % len(steps)]
            made.append(
                {
                    "status": display.format_status(status, word),
                    "name": display.format_name(family, given),
                    "alert": index % 5 == 2,
                    "born": display.format_day(date(1950 + index * 2, 1 + index % 12, 1 + index)),
                    "mrn": display.format_mrn(f"00{427719 + index * 731}"),
                    "ward": ("7 West", "ICU 2", "Clinic")[index % 3],
                    "number": f"Dose {1 + index % 7} of 7",
                    "dose": display.format_unit(Decimal(3500 + 875 * (index % 9)), "mg"),
                    "when": when,
                    "act": act,
                }
            )
        return made

    return [
        {
            "title": "Overdue or waiting for a decision, always shown",
            "rows": rows(
                4,
                0,
                ("missed", "", "due 17-Nov-2026", "Decide"),
                ("within_72_h", "9 h 14 min left", "by 23-Nov-2026 18:10", "Build"),
                ("overdue", "", "target 20-Nov-2026", "Open"),
            ),
        },
        {
            "title": "Today",
            "rows": rows(
                8,
                4,
                ("verify", "", "by 13:00", "Verify"),
                ("due", "", "at 10:30", "Start"),
                ("in_progress", "", "42 mL per h, step 2", "Open"),
                ("given", "", "08:15 to 11:38", "Open"),
            ),
        },
        {
            "title": "Next 7 days",
            "rows": rows(12, 12, ("upcoming", "", "Tue 24-Nov-2026", "Open"), ("held", "", "review 25-Nov-2026", "Open")),
        },
    ]


def _doses() -> list[SimpleNamespace]:
    table = [
        (20, 11, "in_progress", 150),
        (4, 12, "upcoming", 100),
        (18, 12, "upcoming", 100),
        (1, 1, "upcoming", 100),
        (15, 1, "upcoming", 100),
        (12, 2, "upcoming", 50),
        (12, 3, "upcoming", 50),
    ]
    return [
        SimpleNamespace(
            on=date(2026 if month > 6 else 2027, month, day),
            status=status,
            window="± 3 days" if index else "72 h from reperfusion",
            now=not index,
            mg_per_kg=Decimal(rate),
            mg=Decimal(rate * 70),
            ml=Decimal(rate * 70) / 50,
            vials=(5, 3, 3, 3, 3, 2, 2)[index],
        )
        for index, (day, month, status, rate) in enumerate(table)
    ]


def patient(**changed: object) -> SimpleNamespace:
    """Someone with known allergies. The methods are those Django gives a model's choices."""
    facts = {
        "pk": PATIENT,
        "family_name": "Okonkwo",
        "given_name": "Adaeze",
        "title": "Ms",
        "birth_on": date(1979, 7, 14),
        "mrn": "00427719",
        "ward": "7 West",
        "allergy_state": "known",
        "allergies": "immune globulin: rigors 2019",
        "closed_at": None,
        "closed_reason": "",
        "get_sex_display": lambda: "Female",
        "get_allergy_state_display": lambda: "Known allergies",
        "get_closed_reason_display": lambda: "",
    }
    return SimpleNamespace(**facts | changed)


def _context() -> dict:
    by = SimpleNamespace(
        centre=SimpleNamespace(name="Riverside Transplant Center", time_zone=ZONE),
        user=SimpleNamespace(printed_name="K. Adeyemi"),
        get_role_display=lambda: "Pharmacist",
    )
    labels = {"Worklist": 4, "Verify": 3, "Infusing": 2, "Missed": 2, "Patients": 0, "Monograph": 0, "Help": 0}
    died = {
        "closed_at": datetime(2026, 11, 21, 12, tzinfo=UTC),
        "closed_reason": "died",
        "get_closed_reason_display": lambda: "Died",
    }
    return {
        "csrf_token": "x" * 64,
        "request": SimpleNamespace(membership=by),
        "nav": [
            {"label": label, "url": f"/{label.lower()}", "current": label == "Worklist", "count": count}
            for label, count in labels.items()
        ],
        "monograph_version": 3,
        "groups": _worklist(),
        "patient": patient(),
        "died": patient(**died, allergy_state="not_recorded", get_allergy_state_display=lambda: "Allergies not recorded"),
        "today": TODAY,
        "zone": ZONE,
        "weight": SimpleNamespace(weight_kg=Decimal("70.00"), measured_at=datetime(2026, 11, 21, 11, 20, tzinfo=UTC)),
        "precautions": ["Renal impairment"],
        "dose": display.format_unit(Decimal("10500.00"), "mg"),
        "doses": _doses(),
        "statuses": list(display.STATUS),
        "tabs": [
            {"label": label, "url": f"/{label.lower()}", "current": label == "Doses", "count": 1 if label == "Notes" else 0}
            for label in ("Timeline", "Doses", "Weights", "Infusions", "Notes", "History")
        ],
        "why": [
            {
                "rule": "DOSE-1",
                "sentence": "Protocol kidney, dose 1: 150 mg per kg",
                "source": "Label, Dosage and administration",
            },
            {"rule": "DOSE-2", "sentence": "150 mg per kg × 70 kg (bed scale, 21-Nov-2026) = 10,500 mg", "source": ""},
            {
                "rule": "DOSE-3",
                "sentence": "10,500 mg ÷ 50 mg per mL = 210 mL, from 5 vials of 50 mL",
                "source": "Label, How supplied",
            },
        ],
        "rows": [
            {"label": "Protocol", "value": "Kidney", "change_url": "/protocol"},
            {"label": "Weight", "value": "70 kg, bed scale, 21-Nov-2026 06:20", "change_url": "/weight"},
            {"label": "Antiviral", "value": "", "change_url": ""},
        ],
        "steps": ["Transplant", "Course", "Check answers"],
        "form": WeightForm({"weight_kg": "70,5", "measured": "22-Nov-2026", "method": "bed"}),
        "vitals": VitalsForm({"pulse": "82"}),
        "refusal": SimpleNamespace(
            code="iga_deficiency",
            sentence="Selective IgA deficiency is recorded. Only a prescriber can release this, signed.",
            source="Label, Contraindications",
        ),
    }


class SignInForm(forms.Form):
    """As Django's, without a database."""

    username = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def clean(self) -> None:
        raise forms.ValidationError("This name and password do not belong together.")


def render(name: str) -> str:
    """One page of the guide, or any template of the product that needs no more than this context."""
    context = _context()
    if name == "registration/login.html":
        context["form"] = SignInForm({"username": "adeyemi", "password": "guess"})
    return ENGINE.get_template(name).render(Context(context))
