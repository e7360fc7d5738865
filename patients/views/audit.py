"""The auditor's pages: what people did in this centre, failed sign-ins, emergency accesses. What is searched is in no address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from patients import actions, audit, when
from patients.access import one, own_patients
from patients.audit_forms import AuditForm, ExportForm
from patients.export import csv_answer
from patients.fields import invalid
from patients.history import lines_of
from patients.models import BreakGlass, Event, Membership, Patient, RowChange, User
from patients.refusal import Refusal
from patients.roles import require
from patients.views.common import member
from patients.views.history import rows_of

SHOWN = 50
EXPORTED = 10_000
CHANGES = 200
SIGN_IN = "sign_in"
FAILED = ("sign_in_failed", "sign_in_locked", "code_refused", "code_locked")
COLUMNS = ("Number", "Time (UTC)", "Event", "Person", "Role", "Patient number", "Reason", "Request number")


def events_of(by: Membership) -> QuerySet[Event]:
    """What the auditor of a centre may see: acts of its people, acts on its charts, and tries to sign in to its accounts or to
    none at all.
    """
    charts = Patient.objects.filter(centre_id=by.centre_id).values("pk")
    people = list(Membership.objects.filter(centre_id=by.centre_id).values_list("user_id", flat=True))
    of_nobody = Q(actor_id=None, name__startswith=SIGN_IN) & (Q(facts__account__in=people) | Q(facts__account=None))
    outside = Q(centre_id=None, patient_id=None) & (Q(actor_id__in=people) | of_nobody)
    return Event.objects.filter(Q(centre_id=by.centre_id) | Q(patient_id__in=charts) | outside)


def audit_page(request: HttpRequest) -> HttpResponse:
    """The page as it opens (GET), and a search (POST). ``before`` is the number of the last event of the part before."""
    by = member(request)
    require(by, "search_audit")
    if request.method != "POST":
        return render(request, "patients/audit.html", _overview(by) | {"form": AuditForm(by=by)})
    form = AuditForm(request.POST, by=by)
    found = _search(by, form)
    if found is None:
        return render(request, "patients/audit.html", _overview(by) | {"form": form}, status=422)
    events, asked, patient = found
    before = request.POST.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        events = events.filter(pk__lt=int(before))
    audit.event("read_audit", by=by, patient=patient, asked=asked)
    rows = list(events.order_by("-pk")[: SHOWN + 1])
    more, rows = len(rows) > SHOWN, rows[:SHOWN]
    context = {
        "form": form,
        "rows": _for_people(rows, by),
        "older": rows[-1].pk if more else None,
        "typed": [(name, value) for name, value in form.data.items() if name in form.fields and value],
        "zone": by.centre.time_zone,
        "searched": True,
        "export": ExportForm(by=by)["export_reason"],
    }
    return render(request, "patients/audit.html", context)


@require_POST
def audit_export(request: HttpRequest) -> HttpResponse:
    """The same search as a file, at most 10,000 events, with the reason."""
    by = member(request)
    require(by, "search_audit")
    form = ExportForm(request.POST, by=by)
    found = _search(by, form)
    if found is None:
        return render(request, "patients/audit_export.html", {"form": form}, status=422)
    events, asked, patient = found
    rows = list(events.order_by("-pk")[:EXPORTED])
    reason = form.cleaned_data["export_reason"]
    audit.event("export_audit", by=by, patient=patient, reason=reason, asked=asked, rows=len(rows))
    numbers = _record_numbers(rows, by)
    return csv_answer(
        "audit.csv",
        COLUMNS,
        (
            (
                row.pk,
                row.at.isoformat(),
                row.name,
                row.actor_name,
                row.role,
                numbers.get(row.patient_id, ""),
                row.reason,
                row.request_id,
            )
            for row in rows
        ),
    )


def audit_event(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event with the rows it changed, before and after."""
    by = member(request)
    require(by, "search_audit")
    event = one(events_of(by), pk=event_id)
    audit.event("read_audit_event", by=by, patient=event.patient_id, event=event.pk)
    changes = RowChange.objects.filter(event=event, patient_id=event.patient_id).select_related("event").order_by("pk")
    lines = lines_of(changes[:CHANGES], by.centre.time_zone)
    context = {
        "event": _for_people([event], by)[0],
        "facts": sorted((name.replace("_", " "), value) for name, value in event.facts.items()),
        "rows": rows_of(lines, by.centre.time_zone),
        "zone": by.centre.time_zone,
    }
    return render(request, "patients/audit_event.html", context)


@require_POST
def acknowledge(request: HttpRequest, access_id: int) -> HttpResponse:
    """The auditor has seen an emergency access."""
    by = member(request)
    require(by, "search_audit")
    actions.acknowledge_emergency_access(by=by, at=timezone.now(), access_id=access_id)
    messages.success(request, "Acknowledged.")
    return redirect("audit")


def _search(by: Membership, form: AuditForm) -> tuple[QuerySet[Event], list[str], Patient | None] | None:
    """The events that fit, the names of what was asked for, and the patient; None with the form's errors."""
    if not form.is_valid():
        return None
    typed = form.cleaned_data
    events, patient = events_of(by), None
    if typed["mrn"]:
        patient = own_patients(by).filter(mrn=typed["mrn"]).first()
        if patient is None:
            form.add_error("mrn", invalid(Refusal("no_patient", "No patient of this center has this record number.")))
            return None
        events = Event.objects.filter(patient_id=patient.pk)
    if typed["person"]:
        events = events.filter(actor_id=typed["person"])
    if typed["name"]:
        events = events.filter(name__startswith=typed["name"])
    if typed["request_id"]:
        events = events.filter(request_id=typed["request_id"])
    if since := form.since():
        events = events.filter(at__gte=since)
    if until := form.until():
        events = events.filter(at__lt=until)
    return events, [name for name in AuditForm.base_fields if typed[name]], patient


def _overview(by: Membership) -> dict[str, Any]:
    """What the page shows before anything is asked: emergencies that nobody has seen first, and a day's failed sign-ins."""
    since = timezone.now() - timedelta(days=1)
    ours = BreakGlass.objects.filter(Q(patient__centre_id=by.centre_id) | Q(membership__centre_id=by.centre_id))
    ours = ours.select_related("patient", "membership__user", "membership__centre", "acknowledged_by__user")
    rows = list(ours.order_by("acknowledged_at", "-opened_at", "-pk")[:SHOWN])
    rows.sort(key=lambda row: (row.acknowledged_at is not None, -row.opened_at.timestamp()))
    failed = events_of(by).filter(name__in=FAILED, at__gte=since)
    return {
        "emergencies": [_emergency(row, by) for row in rows],
        "unseen": by.emergencies_unseen,
        "failed": _for_people(list(failed.order_by("-pk")[:20]), by),
        "zone": by.centre.time_zone,
    }


def _emergency(access: BreakGlass, by: Membership) -> dict[str, Any]:
    ours = access.patient.centre_id == by.centre_id
    return {
        "pk": access.pk,
        "opened": _instant(access.opened_at, by),
        "who": access.membership.user.printed_name,
        "role": access.membership.get_role_display(),
        "centre": access.membership.centre.name,
        "patient": access.patient if ours else None,
        "reason": access.reason,
        "acknowledged_by": access.acknowledged_by.user.printed_name if access.acknowledged_by else "",
        "is_open": ours and access.acknowledged_at is None,
    }


def _for_people(rows: list[Event], by: Membership) -> list[dict[str, Any]]:
    numbers = _record_numbers(rows, by)
    tried = {row.facts["account"] for row in rows if row.actor_id is None and row.facts.get("account")}
    accounts = User.objects.filter(memberships__centre=by.centre_id).in_bulk(tried) if tried else {}
    return [
        {
            "pk": row.pk,
            "at": _instant(row.at, by),
            "name": row.name,
            "who": row.actor_name or _tried(row, accounts),
            "role": row.role.replace("_", " "),
            "patient_id": row.patient_id if row.patient_id in numbers else None,
            "mrn": numbers.get(row.patient_id, ""),
            "reason": row.reason,
            "request_id": row.request_id,
        }
        for row in rows
    ]


def _tried(row: Event, accounts: dict[int, User]) -> str:
    """Whose account somebody tried, and from where."""
    user = accounts.get(row.facts.get("account") or 0)
    where = row.facts.get("address")
    name = user.username if user else "an unknown account" if row.name.startswith(SIGN_IN) else "the installation"
    return f"{name}, from {where}" if where else name


def _record_numbers(rows: list[Event], by: Membership) -> dict[Any, str]:
    """Record numbers of the own centre's patients, by patient."""
    ids = {row.patient_id for row in rows if row.patient_id}
    return dict(own_patients(by).filter(pk__in=ids).values_list("pk", "mrn")) if ids else {}


def _instant(at: datetime, by: Membership) -> str:
    return when.instant_text(at, by.centre.time_zone)
