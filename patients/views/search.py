"""Finding a patient: one box for record number, name or birth date. Names travel in the body, never in an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from patients import audit, facts, names, rules, when
from patients.access import own_patients
from patients.models import Membership, Patient
from patients.refusal import Refusal
from patients.roles import may, require
from patients.views.common import member

SHOWN = 8
FIELDS = ("pk", "family_name", "given_name", "title", "name_key", "birth_on", "mrn", "sex", "ward", "closed_reason")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. ``opens`` is the one patient whose whole record number was typed."""

    rows: list[dict]
    more: bool
    opens: Patient | None
    asked: str  # "number", "day" or "name"


def find(by: Membership, typed: str) -> Found:
    """By whole record number first, then by birth date, then by "family, given" prefixes. At most 8 rows."""
    patients = own_patients(by)
    try:
        number = names.clean_mrn(typed)
    except Refusal:
        number = ""
    if number and (patient := patients.filter(mrn=number).first()):
        return Found(_rows(patients.filter(pk=patient.pk)), False, patient, "number")
    try:
        return _found(patients.filter(birth_on=when.parse_day(typed)), "day")
    except Refusal:
        family, given = names.search_parts(typed)
    if not family and not given:
        return Found([], False, None, "name")
    by_name = patients.filter(name_key__startswith=family)
    if given:
        by_name = by_name.filter(name_key__contains=f"{names.SEPARATOR}{given}")
    return _found(by_name, "name")


def _found(patients, asked: str) -> Found:
    rows = _rows(patients.order_by("name_key", "birth_on", "pk")[: SHOWN + 1])
    return Found(rows[:SHOWN], len(rows) > SHOWN, None, asked)


def _rows(patients) -> list[dict]:
    return list(patients.values(*FIELDS))


def _for_people(rows: list[dict], by: Membership, today: date) -> list[dict]:
    """Rows as the page shows them; ``alike`` marks those that can be taken for another open patient of the centre (H01)."""
    people = [names.Known(row["name_key"], row["birth_on"], row["mrn"]) for row in rows]
    alike = facts.mistakable_among(by.centre_id, people)
    for row in rows:
        row["age"] = rules.age_text(row["birth_on"], today)
        row["sex"] = str(dict(Patient._meta.get_field("sex").flatchoices)[row["sex"]])
        row["closed"] = str(dict(Patient._meta.get_field("closed_reason").flatchoices).get(row["closed_reason"], ""))
        row["alike"] = row["mrn"] in alike
    return rows


def search(request: HttpRequest) -> HttpResponse:
    """The search page. While somebody types (htmx) it only lists; sent on purpose, a whole record number opens its chart."""
    by = member(request)
    require(by, "read_charts")
    context: dict = {"may_register": may(by, "edit_patient"), "may_break_glass": may(by, "break_glass"), "typed": ""}
    if request.method == "POST":
        typed = request.POST.get("q", "").strip()[:120]
        found = find(by, typed) if typed else None
        if found is not None:
            # What was typed may be a name: the history says that somebody searched and how much they saw, not for what.
            audit.event("read_search", by=by, asked=found.asked, found=len(found.rows))
            if found.opens and not request.htmx:
                return redirect("chart", patient_id=found.opens.pk)
            today = when.local_day(timezone.now(), by.centre.time_zone)
            context |= {"typed": typed, "rows": _for_people(found.rows, by, today), "more": found.more, "asked": found.asked}
        if request.htmx:
            return render(request, "patients/_found.html", context)
    return render(request, "patients/search.html", context)
