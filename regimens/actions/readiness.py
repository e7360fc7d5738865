"""What has to be right before a dose is released, and again before it starts: its state, its signature, and what stands around it.

Stops planning's way only: none of this ever stands in the way of recording what was given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from patients.refusal import Refusal
from regimens.actions import findings, planning
from regimens.actions.around import Around
from regimens.actions.charting import Chart
from regimens.actions.previous import interval_of, signature_under
from regimens.domain import checks
from regimens.domain.reasons import source_text
from regimens.domain.status import STARTABLE, Status
from regimens.domain.units import instant_text, with_unit
from regimens.models import PlannedDose
from regimens.models.status import status_of


def refuse_status(
    chart: Chart, dose: PlannedDose, around: Around, at: datetime, *, done: str = "Not started", also: Collection[Status] = ()
) -> None:
    """Only a dose that is due or overdue starts; ``also`` names states in which something else than a start may be done.

    Refused: "on_hold", "window_not_open", "missed_undecided", "passed_on_hold", "disputed", or the state that settled the dose.
    """
    zone_name = chart.centre.time_zone
    status = status_of(dose, at, [r for r in chart.records if r.dose_id == dose.pk], around.holds)
    if status in STARTABLE or status in also:
        return
    sentence = {
        Status.DISPUTED: "The record of this dose is disputed: do not give. A pharmacist or prescriber settles it first.",
        Status.HELD: "The course is on hold: it is resumed first.",
        Status.MISSED: f"The window closed {instant_text(dose.closes_at, zone_name)}: a prescriber decides first.",
        Status.PASSED_ON_HOLD: "The window closed while the course was on hold: a prescriber decides first.",
        Status.UPCOMING: f"The window opens {instant_text(dose.opens_at, zone_name)}.",
        Status.OMITTED: "A prescriber omitted this dose.",
        Status.BEFORE_REFERRAL: "This dose counts as before referral.",
    }.get(status, "This dose is no longer waiting to be given.")
    codes = {Status.MISSED: "missed_undecided", Status.UPCOMING: "window_not_open", Status.HELD: "on_hold"}
    raise Refusal(
        codes.get(status, str(status)),
        f"{done}. {sentence}",
        source=source_text(dose.protocol_dose.source) if status == Status.UPCOMING else "Site policy",
    )


def refuse_signature(dose: PlannedDose, *, done: str = "Not started") -> None:
    """Refused: "unsigned"; "signature_broken" where the row is not what was signed."""
    if dose.verified_at is None:
        raise Refusal(
            "unsigned",
            f"{done}: this dose is not verified. Its sheet is a draft.",
            source="Site policy: verification before start",
        )
    if planning.content_hash(dose) != dose.content_hash:
        raise Refusal(
            "signature_broken",
            f"{done}: the dose is not what was signed. Call the pharmacist.",
            source="Site policy: verification before start",
        )


def refuse_circumstances(chart: Chart, dose: PlannedDose, around: Around, *, starts_at: datetime, at: datetime) -> None:
    """What stops a release and a start alike: a later dose, an answer about risk, the weight, a dose elsewhere, a result, antibody
    removal, consent.

    Refused: "overtaken", "contraindicated", "precaution_unanswered", "weight_changed", "outside_undecided", "result_undecided",
    "result_says_hold", "result_says_stop", "exchange_soon", "no_consent".
    """
    for refuse in circumstances(chart, dose, around, starts_at=starts_at, at=at).values():
        refuse()


def circumstances(
    chart: Chart, dose: PlannedDose, around: Around, *, starts_at: datetime, at: datetime
) -> dict[str, Callable[[], None]]:
    """The same, each by the name of what it looks at; a page asks them one by one."""
    value = dose.course.monograph.to_domain()
    zone_name = chart.centre.time_zone
    return {
        "overtaken": lambda: _refuse_overtaken(chart, dose),
        "precautions": lambda: around.check_answers(chart.patient),
        "weight": lambda: around.check_weight(dose, at),
        "outside": lambda: around.check_outside(dose.course),
        "results": lambda: findings.check_results(around.results, around.given_at(chart), around.holds),
        "removals": lambda: findings.check_removals(around.removals, starts_at, value, zone_name),
        "consent": lambda: _refuse_without_consent(chart, around),
    }


def _refuse_overtaken(chart: Chart, dose: PlannedDose) -> None:
    """A dose keeps its place: once a later one of its course was started, a prescriber decides what becomes of it."""
    later = [r.dose for r in chart.counted() if r.dose and r.dose.course_id == dose.course_id and r.dose.number > dose.number]
    if later:
        raise Refusal(
            "overtaken",
            f"Dose {later[0].number} was started before this dose: a prescriber decides about it once its window has closed.",
            source="Site policy: order of the doses",
        )


def _refuse_without_consent(chart: Chart, around: Around) -> None:
    if chart.centre.consent_required and not around.consents:
        raise Refusal(
            "no_consent",
            "No consent is on record, and this center asks for one before each dose.",
            source="Site policy: consent",
        )


def was_released(dose: PlannedDose, on: datetime) -> bool:
    """Whether a release covered an instant: not older than the monograph's limit, and not withdrawn before it."""
    within = dose.course.monograph.to_domain().limit("release_within_h")
    spans = zip(dose.released, dose.withdrawn, strict=True)  # type: ignore[attr-defined]  # annotated in charting
    return any(
        released_at <= on <= checks.release_lasts_until(released_at, within=within)
        and (withdrawn_at is None or on < withdrawn_at)
        for released_at, withdrawn_at in spans
    )


def refuse_unreleased(chart: Chart, dose: PlannedDose, at: datetime) -> None:
    """Refused: "not_released", "release_expired". Verification signs the plan, not a dose many weeks off (W2.1)."""
    if was_released(dose, at):
        return
    within = dose.course.monograph.to_domain().limit("release_within_h")
    live = [on for on, gone in zip(dose.released, dose.withdrawn, strict=True) if gone is None]  # type: ignore[attr-defined]
    if live:
        lasted = checks.release_lasts_until(live[-1], within=within)
        raise Refusal(
            "release_expired",
            f"Not started: its release was good until {instant_text(lasted, chart.centre.time_zone)}. "
            "A pharmacist releases it again.",
            source=source_text(within.source),
        )
    raise Refusal(
        "not_released",
        f"Not started: a pharmacist releases each dose, at most {with_unit(within.value, within.unit)} before it starts.",
        source=source_text(within.source),
    )


def refuse_interval(chart: Chart, dose: PlannedDose, around: Around, at: datetime) -> None:
    """Refused ("min_interval") unless the interval is kept, or a prescriber signed for less."""
    previous = chart.previous()
    if signature_under(around.intervals, previous) is not None:
        return
    kept = interval_of(dose, previous, at)
    if not kept.is_kept and kept.earliest_at is not None:
        raise Refusal(
            "min_interval",
            f"Not started: at least {with_unit(dose.min_interval_hours, 'h')} after the start of the last dose, "
            f"not before {instant_text(kept.earliest_at, chart.centre.time_zone)}. "
            "A prescriber may sign that it starts sooner.",
            source="Site policy: minimum interval",
        )
