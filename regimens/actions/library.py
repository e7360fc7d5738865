"""Loading, drafting, submitting and publishing the monograph: the only code that writes it.

A version is drafted, submitted, and published by another person; publishing retires the version before it, in one transaction.
Only the shipped file on an empty library is published by the installation itself. Nothing published is ever changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max

from patients import audit
from patients.models import Membership
from patients.refusal import Refusal
from patients.roles import Role, require
from patients.rules import SHIPPED, WeightLimits
from regimens.domain import library_file
from regimens.domain import monograph as domain
from regimens.domain.library_checks import problems
from regimens.models import library, library_texts
from regimens.models.library import Monograph

RULE = "Monograph publication: two people, one of them a pharmacist where a number changes"
LOCK = 0x434D5647  # "CMVG": one load or publication at a time, also on an empty table
OPEN_STATES = (Monograph.State.DRAFT, Monograph.State.SUBMITTED)


def checksum(value: domain.Monograph) -> str:
    """SHA-256 of the canonical file, in hex: two monographs with the same one say the same."""
    return hashlib.sha256(library_file.dump(value).encode()).hexdigest()


def published() -> Monograph | None:
    """The version in force, or None before the first publication."""
    return Monograph.objects.filter(state=Monograph.State.PUBLISHED).first()


def weight_limits() -> WeightLimits:
    """The limits for weights that the published monograph gives; the shipped ones before there is any."""
    current = published()
    if current is None:
        return SHIPPED
    value = current.to_domain()
    return replace(
        SHIPPED,
        min_kg=value.limit("weight_min_kg").value,
        max_kg=value.limit("weight_max_kg").value,
        two_decimals_below_kg=value.limit("weight_two_decimals_below_kg").value,
        change_percent=value.limit("weight_change_percent").value,
        stale_days_first=int(value.limit("weight_stale_days_first").value),
        stale_days_later=int(value.limit("weight_stale_days_later").value),
    )


@transaction.atomic
def publish_shipped(*, value: domain.Monograph, expected_checksum: str, release: str, at: datetime) -> Monograph | None:
    """Publish the shipped file as version 1, by the installation itself; None where the library holds anything already.

    Refused ("shipped_file_changed") when the file is not the one this release was made with.
    """
    _one_at_a_time()
    if Monograph.objects.exists():
        return None
    found = check_is_of_this_release(value, expected_checksum)
    audit.event("publish_monograph", by=None, version=1, checksum=found, shipped_with=release)
    monograph = Monograph.objects.create(
        title=value.title, what_changed=value.what_changed, checksum=found, shipped_with=release, drafted_at=at
    )
    _save_rows(monograph, value)
    monograph.version, monograph.state, monograph.published_at = 1, Monograph.State.PUBLISHED, at
    monograph.save()
    return monograph


def check_is_of_this_release(value: domain.Monograph, expected_checksum: str) -> str:
    """The checksum of the shipped monograph; refused ("shipped_file_changed") where somebody edited the file."""
    found = checksum(value)
    if found != expected_checksum:
        sentence = "The shipped monograph is not the file of this release, so it is not published unread. Load it as a draft."
        raise Refusal("shipped_file_changed", sentence, source=RULE)
    return found


@transaction.atomic
def load_draft(*, value: domain.Monograph, by: Membership | None, at: datetime) -> tuple[Monograph, bool]:
    """The draft of a file's monograph, and whether it was made now.

    A file that says what the published version or an open draft says changes nothing. ``by`` is None at the command line of the
    installation. Refused: another role; a monograph that nobody may plan from.
    """
    if by is not None:
        require(by, "edit_monograph")
    _check(value, in_use=False)
    _one_at_a_time()
    found = checksum(value)
    current = published()
    if current and current.checksum == found:
        return current, False
    for draft in Monograph.objects.filter(state__in=OPEN_STATES).order_by("pk"):
        if checksum(draft.to_domain()) == found:
            return draft, False
    audit.event("draft_monograph", by=by, checksum=found, based_on=current.version if current else None, origin="file")
    return _new_draft(value, current, by=by, at=at), True


@transaction.atomic
def draft_from_published(*, by: Membership, at: datetime) -> Monograph:
    """A new draft that says what the published version says. Refused: another role; nothing published."""
    require(by, "edit_monograph")
    _one_at_a_time()
    current = published()
    if current is None:
        raise Refusal("no_monograph", "No monograph is published yet.", source=RULE)
    audit.event("draft_monograph", by=by, based_on=current.version, origin="published")
    return _new_draft(replace(current.to_domain(), what_changed=""), current, by=by, at=at)


@transaction.atomic
def submit(*, monograph: Monograph, by: Membership, at: datetime) -> Monograph:
    """Hand a draft to the second person. From here on it is not edited.

    Refused: another role; not a draft; nothing changed or not said what; anything unfit to plan from, by its key path.
    """
    require(by, "edit_monograph")
    monograph = _locked(monograph, Monograph.State.DRAFT, "Only a draft is submitted.")
    value = monograph.to_domain()
    if not value.what_changed.strip():
        raise Refusal("what_changed_missing", "Say for the clinicians what changed.", source=RULE, field="what_changed")
    if monograph.based_on and replace(monograph.based_on.to_domain(), what_changed=value.what_changed) == value:
        raise Refusal("nothing_changed", "This draft says what the published version says.", source=RULE)
    _check(value, in_use=True)
    audit.event("submit_monograph", by=by, draft=monograph.pk)
    monograph.state, monograph.submitted_by, monograph.submitted_at = Monograph.State.SUBMITTED, by, at
    monograph.checksum = checksum(value)
    monograph.save()
    return monograph


@transaction.atomic
def publish(*, monograph: Monograph, by: Membership, at: datetime) -> Monograph:
    """Put a submitted draft in force as the next version and retire the one before it, all or nothing.

    Refused: another role; the person who drafted or submitted it; a changed number without a pharmacist among the people; a
    draft of a version that is no longer the published one; anything unfit to plan from.
    """
    require(by, "publish_monograph")
    _one_at_a_time()
    monograph = _locked(monograph, Monograph.State.SUBMITTED, "Only a submitted draft is published.")
    editors = [editor for editor in (monograph.drafted_by, monograph.submitted_by) if editor]
    if by.user_id in {editor.user_id for editor in editors}:
        raise Refusal("publisher_is_not_the_editor", "Another person than the editor publishes.", source=RULE)
    current = published()
    if monograph.based_on_id != (current.pk if current else None):
        sentence = (
            "Another version was published since this draft was begun. Discard it and draft again from the published one."
        )
        raise Refusal("outdated_draft", sentence, source=RULE)
    value = monograph.to_domain()
    _check(value, in_use=True)
    if numbers_changed(current.to_domain() if current else None, value) and not any(
        person.role == Role.PHARMACIST for person in (by, *editors)
    ):
        sentence = "A dose, rate, cap, limit, window or product changed: one of editor and publisher is a pharmacist."
        raise Refusal("pharmacist_needed", sentence, source=RULE)
    version = (Monograph.objects.aggregate(last=Max("version"))["last"] or 0) + 1
    audit.event("publish_monograph", by=by, version=version, checksum=checksum(value), draft=monograph.pk)
    if current:
        current.state, current.retired_at = Monograph.State.RETIRED, at
        current.save()
    monograph.version, monograph.state, monograph.checksum = version, Monograph.State.PUBLISHED, checksum(value)
    monograph.published_by, monograph.published_at = by, at
    monograph.save()
    return monograph


@transaction.atomic
def send_back(*, monograph: Monograph, by: Membership, at: datetime, reason: str) -> Monograph:
    """Return a submitted draft to its editor, with the reason. Refused: another role; not submitted; no reason."""
    require(by, "publish_monograph")
    _reason(reason)
    monograph = _locked(monograph, Monograph.State.SUBMITTED, "Only a submitted draft is sent back.")
    audit.event("send_back_monograph", by=by, reason=reason, draft=monograph.pk, at=at)
    monograph.state, monograph.submitted_by, monograph.submitted_at = Monograph.State.DRAFT, None, None
    monograph.save()
    return monograph


@transaction.atomic
def discard(*, monograph: Monograph, by: Membership, at: datetime, reason: str) -> Monograph:
    """Put a draft aside for good; it stays readable. Refused: another role; not a draft; no reason."""
    require(by, "edit_monograph")
    _reason(reason)
    monograph = _locked(monograph, Monograph.State.DRAFT, "Only a draft is discarded.")
    audit.event("discard_monograph", by=by, reason=reason, draft=monograph.pk, at=at)
    monograph.state = Monograph.State.DISCARDED
    monograph.save()
    return monograph


@transaction.atomic
def add_protocol(*, monograph: Monograph, like: library.Protocol, code: str, title: str, by: Membership) -> library.Protocol:
    """A center's own protocol in a draft: a copy of ``like`` under another code, switched off, its source the center's.

    Refused: another role; not a draft; a protocol of another version; a code that is taken.
    """
    require(by, "edit_monograph")
    monograph = _locked(monograph, Monograph.State.DRAFT, "Only a draft is edited.")
    if like.monograph_id != monograph.pk:
        raise Refusal("other_version", "Choose a protocol of this draft.", source=RULE, field="like")
    if monograph.protocols.filter(code=code).exists():
        raise Refusal("code_taken", f"This draft has a protocol {code} already.", source=RULE, field="code")
    audit.event("add_protocol", by=by, draft=monograph.pk, code=code, like=like.code)
    doses = list(like.doses.order_by("position"))
    own = {"source_kind": library.SourceKind.SITE_POLICY, "source_ref": f"Protocol of the center: {title}"[:200]}
    last = monograph.protocols.aggregate(last=Max("position"))["last"]
    kept = {f.attname: getattr(like, f.attname) for f in library.Protocol._meta.concrete_fields if not f.primary_key}
    protocol = library.Protocol.objects.create(
        **(kept | own | {"code": code, "title": title, "position": last + 1, "enabled": False})
    )
    for dose in doses:
        dose.pk, dose.protocol, dose.source_kind, dose.source_ref = None, protocol, own["source_kind"], own["source_ref"]
    library.ProtocolDose.objects.bulk_create(doses)
    return protocol


@transaction.atomic
def derive_mg(*, monograph: Monograph, by: Membership) -> None:
    """The mg of every amount that a draft holds in mL, by the concentration as it is now. Refused: another role; not a draft."""
    require(by, "edit_monograph")
    monograph = _locked(monograph, Monograph.State.DRAFT, "Only a draft is edited.")
    per_ml = monograph.product.concentration_mg_per_ml
    for rows, mg, ml in (
        (monograph.protocols.all(), "cap_mg_per_kg", "cap_ml_per_kg"),
        (library.ProtocolDose.objects.filter(protocol__monograph=monograph), "mg_per_kg", "ml_per_kg"),
        (library.RateStep.objects.filter(table__monograph=monograph), "mg_per_kg_per_h", "ml_per_kg_per_h"),
    ):
        rows.exclude(**{ml: None}).update(**{mg: F(ml) * per_ml})


def numbers_changed(before: domain.Monograph | None, after: domain.Monograph) -> bool:
    """Whether anything that a dose, a rate, a window or the product depends on differs: then a pharmacist takes part."""
    parts = ("product", "protocols", "rate_tables", "limits")
    return before is None or any(getattr(before, part) != getattr(after, part) for part in parts)


def _check(value: domain.Monograph, *, in_use: bool) -> None:
    for problem in problems(value, in_use=in_use):
        raise Refusal(problem.code, f"{problem.field}: {problem.sentence}", source=problem.source, field=problem.field)


def _reason(reason: str) -> None:
    if not reason.strip():
        raise Refusal("reason_missing", "Give the reason.", source=RULE, field="reason")


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])


def _locked(monograph: Monograph, state: str, sentence: str) -> Monograph:
    """The row as it stands now, held until the transaction ends."""
    locked = Monograph.objects.select_for_update().get(pk=monograph.pk)
    if locked.state != state:
        raise Refusal("wrong_state", f"{sentence} This one is {locked.get_state_display().lower()}.", source=RULE)
    return locked


def _new_draft(value: domain.Monograph, based_on: Monograph | None, *, by: Membership | None, at: datetime) -> Monograph:
    monograph = Monograph.objects.create(
        title=value.title,
        what_changed=value.what_changed,
        based_on=based_on,
        checksum=checksum(value),
        drafted_by=by,
        drafted_at=at,
    )
    _save_rows(monograph, value)
    return monograph


def _save_rows(monograph: Monograph, value: domain.Monograph) -> None:
    """Every row of the value, in its order, under the draft."""
    product = library.Product.objects.create(monograph=monograph, **_columns(value.product, "vials"))
    _bulk(library.VialSize, value.product.vials, product=product)
    protocols = _bulk(library.Protocol, value.protocols, "doses", monograph=monograph)
    tables = _bulk(library.RateTable, value.rate_tables, "steps", monograph=monograph)
    for protocol, row in zip(protocols, value.protocols, strict=True):
        _bulk(library.ProtocolDose, row.doses, protocol=protocol)
    for table, rates in zip(tables, value.rate_tables, strict=True):
        _bulk(library.RateStep, rates.steps, table=table)
    _bulk(library.Limit, value.limits, monograph=monograph)
    _bulk(library_texts.Section, value.sections, monograph=monograph)
    _bulk(library_texts.Question, value.questions, monograph=monograph)
    _bulk(library_texts.ReactionTerm, value.reactions, monograph=monograph)
    _bulk(library_texts.Statement, value.statements, monograph=monograph)
    _bulk(library_texts.ReasonCode, value.reasons, monograph=monograph)


def _bulk(model: Any, rows: tuple[Any, ...], *left_out: str, **parent: Any) -> list[Any]:
    return model.objects.bulk_create(
        model(position=position, **parent, **_columns(row, *left_out)) for position, row in enumerate(rows, start=1)
    )


def _columns(row: Any, *left_out: str) -> dict[str, Any]:
    """The columns of a value's row: a source becomes its kind and section, a tuple a list."""
    columns: dict[str, Any] = {}
    for name in row.__dataclass_fields__:
        content = getattr(row, name)
        if name in left_out:
            continue
        if isinstance(content, domain.Source):
            columns |= {f"{name}_kind": content.kind.value, f"{name}_ref": content.ref}
        else:
            columns[name] = list(content) if isinstance(content, tuple) else content
    return columns
