"""One infusion's record: what was planned beside what happened, and small forms for what happens next.

Every form works by itself: without JavaScript it posts and the page comes back; with it only the record is swapped.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils import timezone

from patients.refusal import Refusal
from patients.roles import may
from regimens.access import administration_for
from regimens.actions import bedside, disputes
from regimens.domain.reasons import Refused
from regimens.forms.bedside import (
    CompleteForm,
    ErrorForm,
    PauseForm,
    RateForm,
    ReactionForm,
    SettleForm,
    VialForm,
    VitalsForm,
)
from regimens.models import Administration, Moment
from regimens.views.frame import add_refusal, patient_frame
from regimens.views.infusion_rows import Parts, corrections, parts_of, record_page

FORMS: dict[str, type[forms.Form]] = {
    "rate": RateForm,
    "pause": PauseForm,
    "vitals": VitalsForm,
    "reaction": ReactionForm,
    "vial": VialForm,
    "complete": CompleteForm,
    "error": ErrorForm,
    "settle": SettleForm,
}
DONE = {
    "rate": "Rate recorded.",
    "pause": "Pause recorded.",
    "vitals": "Vital signs recorded.",
    "reaction": "Reaction recorded.",
    "serious": "Serious reaction recorded: no further dose starts until a prescriber resumes the course.",
    "vial": "Lot recorded.",
    "complete": "End recorded.",
    "error": "Marked as entered in error. The dose is disputed until another person settles it.",
    "settle": "Dispute settled.",
}


def infusion(request: HttpRequest, administration_id: uuid.UUID) -> HttpResponse:
    """Show a record; a POST names in ``act`` which of its small forms was sent."""
    record = administration_for(request.membership, administration_id)
    now = timezone.now()
    if request.method != "POST":
        return _answer(request, record, now, {}, None, 200)
    act = request.POST.get("act", "")
    if act not in FORMS:
        return HttpResponseBadRequest("Unknown act")
    form = _form(act, request.POST, record, now)
    refusal = None
    if form.is_valid():
        try:
            ACTS[act](record, form.cleaned_data, form, request.membership, now)
        except (Refusal, Refused) as refused:
            refusal = add_refusal(form, refused)
        else:
            done = DONE["serious" if act == "reaction" and form.reaction().is_serious else act]
            if not request.htmx:
                messages.success(request, done)
                return redirect("infusion", administration_id=record.pk)
            return _answer(request, administration_for(request.membership, record.pk), now, {}, None, 200, done=done)
    current = administration_for(request.membership, record.pk)
    if refusal is not None and refusal.code == "changed_meanwhile":
        # What was typed stays; the version moves on, so that pressing again is enough.
        again = request.POST.copy()
        again["version"] = str(current.version)
        form.data = again
    return _answer(request, current, now, {act: form}, refusal, 422)


def _form(act: str, data: Any, record: Administration, now: datetime, next_rate: Decimal | None = None) -> forms.Form:
    kind = FORMS[act]
    given: dict[str, Any] = {"auto_id": f"id_{act}_%s"}
    if act not in ("error", "settle"):
        given |= {"now": now, "zone_name": record.centre.time_zone}
    if act == "reaction":
        given["terms"] = bedside.value_for(record).reactions
    if data is not None:
        return kind(data, **given)
    return kind(initial=_initial(act, record, next_rate), **given)


def _initial(act: str, record: Administration, next_rate: Decimal | None) -> dict[str, Any]:
    initial: dict[str, Any] = {"version": record.version}
    if act == "rate":
        initial["rate_ml_per_h"] = next_rate
    if act == "vitals":
        initial["moment"] = Moment.AFTER if record.ended_at else Moment.BEFORE_RISE
    return initial


# Acts --------------------------------------------------------------------------------------------------------------------


def _rate(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    bedside.change_rate(
        record=record,
        rate_ml_per_h=data["rate_ml_per_h"],
        set_at=data["set_at"],
        reason=data["reason"],
        vitals_not_taken_reason=data["vitals_not_taken_reason"],
        version=data["version"],
        by=by,
        at=now,
    )


def _pause(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    bedside.change_rate(
        record=record,
        rate_ml_per_h=bedside.PAUSED,
        set_at=data["set_at"],
        reason=data["reason"],
        version=data["version"],
        by=by,
        at=now,
    )


def _vitals(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    facts = form.vitals(data["taken_at"] or now, data["moment"])
    bedside.record_vitals(record=record, facts=facts, version=data["version"], by=by, at=now)


def _reaction(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    bedside.record_reaction(record=record, facts=form.reaction(), version=data["version"], by=by, at=now)


def _vial(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    bedside.use_vial(record=record, facts=form.vial(), reason=data["reason"], version=data["version"], by=by, at=now)


def _complete(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    bedside.complete_infusion(
        record=record,
        ended_at=data["ended_at"] or now,
        volume_ml=data["volume_ml"],
        stopped_early_reason=data["stopped_early_reason"],
        reason=data["reason"],
        version=data["version"],
        by=by,
        at=now,
    )


def _error(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    disputes.enter_in_error(record=record, reason=data["reason"], version=data["version"], by=by, at=now)


def _settle(record: Administration, data: dict[str, Any], form: Any, by: Any, now: datetime) -> None:
    if record.dose is None:
        raise Refusal("not_disputed", "No planned dose hangs on this record.")
    disputes.settle_dispute(dose=record.dose, outcome=data["outcome"], reason=data["reason"], by=by, at=now)


ACTS: dict[str, Callable[[Administration, dict[str, Any], Any, Any, datetime], None]] = {
    "rate": _rate,
    "pause": _pause,
    "vitals": _vitals,
    "reaction": _reaction,
    "vial": _vial,
    "complete": _complete,
    "error": _error,
    "settle": _settle,
}


# Page --------------------------------------------------------------------------------------------------------------------


def _answer(
    request: HttpRequest,
    record: Administration,
    now: datetime,
    bound: dict[str, forms.Form],
    refusal: Refusal | Refused | None,
    status: int,
    done: str = "",
) -> HttpResponse:
    parts = parts_of(record)
    zone = record.centre.time_zone
    same_dose = Administration.objects.filter(dose=record.dose_id).select_related("recorded_by__user") if record.dose_id else []
    context = record_page(record, parts, now, zone) | {
        "refusal": refusal,
        "open_act": next(iter(bound), ""),
        "done": done,
        "corrections": corrections(record, list(same_dose), zone),
        "zone": zone,
        "patient": record.patient,
        "may_log": may(request.membership, "log_infusion"),
    }
    context["forms"] = _offered(request, record, now, bound, parts, context["next_rate"])
    if request.htmx:
        return render(request, "regimens/_infusion_record.html", context, status=status)
    return render(request, "regimens/infusion.html", context | patient_frame(record.patient, now), status=status)


def _offered(
    request: HttpRequest,
    record: Administration,
    now: datetime,
    bound: dict[str, forms.Form],
    parts: Parts,
    next_rate: Decimal | None,
) -> dict[str, forms.Form]:
    """The forms that make sense now and that this person may send."""
    by = request.membership
    offered = []
    if record.error_at:
        if record.dose_id and not record.dispute_settled_at and may(by, "settle_dispute"):
            offered = ["settle"]
    else:
        if not record.ended_at:
            is_running = bool(parts.rates and parts.rates[-1].rate_ml_per_h)
            offered += ["rate"] if may(by, "log_infusion") else []
            offered += ["pause"] if is_running and may(by, "stop_infusion") else []
            offered += ["complete"] if may(by, "stop_infusion") else []
        offered += ["vitals", "vial"] if may(by, "log_infusion") else []
        offered += ["reaction"] if may(by, "record_reaction") else []
        offered += ["error"] if may(by, "log_infusion") else []
    return {act: bound.get(act) or _form(act, None, record, now, next_rate) for act in {*offered, *bound}}
