"""The monograph in the admin panel: what each box may hold, the rule a value breaks, and the life of a draft."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from patients.models import Event, Membership
from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import library
from regimens.domain.library_file import parse
from regimens.library import FOLDER
from regimens.models import Limit, Monograph, Protocol, ProtocolDose, RateStep
from tests.factories import NOW, PASSWORD, make_member

pytestmark = pytest.mark.django_db
EXAMPLE = parse((FOLDER / "examples" / "ml_per_kg.toml").read_text("utf-8"))


@pytest.fixture
def editor() -> Membership:
    return make_member(Role.MONOGRAPH_EDITOR)


@pytest.fixture
def client(editor: Membership) -> Client:
    page = Client()
    page.force_login(editor.user)
    return page


@pytest.fixture
def draft(editor: Membership) -> Monograph:
    return library.draft_from_published(by=editor, at=NOW)


def values_of(answer) -> dict[str, Any]:
    """What a browser would send back from an admin page when nothing is typed."""
    fieldsets = answer.context["inline_admin_formsets"]
    bound = [*answer.context["adminform"].form]
    for fieldset in fieldsets:
        bound += [*fieldset.formset.management_form] + [field for form in fieldset.formset.initial_forms for field in form]
    sent = {}
    for field in bound:
        value = field.value()
        if value is True:
            sent[field.html_name] = "on"
        elif value is not None and value is not False:
            sent[field.html_name] = ", ".join(value) if isinstance(value, list) else str(value)
    return sent


def kidney(draft: Monograph) -> str:
    return reverse("admin:regimens_protocol_change", args=[draft.protocols.get(code="kidney").pk])


def save(client: Client, address: str, **typed: str):
    """Open a page, type, press Save."""
    return client.post(address, values_of(client.get(address)) | typed)


def test_every_box_says_what_it_may_hold(client: Client, draft: Monograph) -> None:
    shown = client.get(kidney(draft)).content.decode()
    for words in (
        "1 to 500, and not above the protocol's cap",
        "after the window before it has closed",
        "1 to 72 elapsed hours",
    ):
        assert words in shown
    limits = client.get(reverse("admin:regimens_monograph_change", args=[draft.pk]) + "?part=limits").content.decode()
    assert "1 to 75 mL per h" in limits and "0.3 to 20 kg" in limits


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"doses-6-mg_per_kg": "1500"}, "A dose is from 1 to 500 mg per kg."),
        ({"doses-6-mg_per_kg": "0"}, "A dose is from 1 to 500 mg per kg."),
        ({"doses-6-mg_per_kg": "151"}, "W16: 151 mg per kg is above this protocol"),
        ({"cap_mg_per_kg": "1500"}, "A cap is from 1 to 500 mg per kg per infusion."),
        ({"cap_mg_per_kg": "200"}, "200 mg per kg is above the label"),
        ({"doses-3-opens_days_before": "12"}, "W6 after W4: the window opens on day 30"),
        ({"doses-3-opens_days_before": "15"}, "A window opens at most 14 days before"),
        ({"doses-3-min_interval_hours": "400"}, "W6 after W4: 400 h at least, but the targets lie 336 h apart."),
        ({"doses-2-latest_late_day": "42"}, "W4: day 42 is not before the target of W6"),
        ({"doses-0-closes_after_hours": "73"}, "73 h is above 72 h."),
        ({"organs": "kidney, spleen"}, "is not an organ of the list."),
    ],
)
def test_a_dose_table_that_breaks_a_rule_is_not_saved_and_the_rule_is_named(
    client: Client, draft: Monograph, typed: dict[str, str], sentence: str
) -> None:
    before = list(ProtocolDose.objects.order_by("pk").values())
    answer = save(client, kidney(draft), **typed)
    assert answer.status_code == 200
    assert sentence in answer.content.decode().replace("\u00a0", " ").replace("&#x27;", "'")
    assert list(ProtocolDose.objects.order_by("pk").values()) == before


def test_1500_mg_per_kg_is_refused_by_the_form_the_action_and_the_database(
    client: Client, draft: Monograph, editor: Membership
) -> None:
    assert "A dose is from 1 to 500" in save(client, kidney(draft), **{"doses-6-mg_per_kg": "1500"}).content.decode()
    row = ProtocolDose.objects.filter(protocol__monograph=draft, protocol__code="kidney", code="W16")
    with pytest.raises(DatabaseError, match="dose_is_from_1_to_500_mg_per_kg"), transaction.atomic():
        row.update(mg_per_kg=1500)
    value = draft.to_domain()
    text = library.library_file.dump(value).replace("mg_per_kg = 50\n", "mg_per_kg = 1500\n", 1)
    with pytest.raises(Exception, match=r"1,500.mg per kg is above 500"):
        parse(text)
    row.update(mg_per_kg=500)  # the most that the database takes: the action still holds it to the cap
    Monograph.objects.filter(pk=draft.pk).update(what_changed="Week 16.")
    with pytest.raises(Refusal, match=r"^above_cap: "):
        library.submit(monograph=draft, by=editor, at=NOW)


def test_a_dose_within_the_rules_is_saved_with_its_event(client: Client, draft: Monograph) -> None:
    assert save(client, kidney(draft), **{"doses-6-mg_per_kg": "60"}).status_code == 302
    assert ProtocolDose.objects.get(protocol__monograph=draft, protocol__code="kidney", code="W16").mg_per_kg == 60
    assert Event.objects.get(name="edit_monograph_draft").facts["part"] == "protocol"


def test_a_rate_table_that_falls_is_not_saved(client: Client, draft: Monograph) -> None:
    table = draft.rate_tables.get(code="initial")
    answer = save(client, reverse("admin:regimens_ratetable_change", args=[table.pk]), **{"steps-1-mg_per_kg_per_h": "10"})
    assert "Step 2 falls from 15 to 10 mg per kg per h." in answer.content.decode().replace("\u00a0", " ")
    assert table.steps.get(position=2).mg_per_kg_per_h == 30


def test_a_limit_outside_its_range_is_not_saved(client: Client, draft: Monograph) -> None:
    address = reverse("admin:regimens_monograph_change", args=[draft.pk]) + "?part=limits"
    place = list(draft.limits.values_list("code", flat=True)).index("max_rate_ml_per_h")
    answer = save(client, address, **{f"limits-{place}-value": "76"})
    assert "76 mL per h is outside 1 to 75 mL per h." in answer.content.decode()
    assert save(client, address, **{f"limits-{place}-value": "60"}).status_code == 302
    assert Limit.objects.get(monograph=draft, code="max_rate_ml_per_h").value == 60


def test_a_vial_holds_its_volume_times_the_concentration(client: Client, draft: Monograph) -> None:
    answer = save(client, reverse("admin:regimens_product_change", args=[draft.product.pk]), **{"vials-0-content_mg": "2400"})
    assert "50 mL at this concentration hold 2,500 mg, not 2,400 mg." in answer.content.decode().replace("\u00a0", " ")


def test_a_center_adds_its_own_protocol_without_code(client: Client, draft: Monograph, editor: Membership) -> None:
    """Four doses over eight weeks: copied, edited on its page, switched on, published by somebody else."""
    like = draft.protocols.get(code="kidney")
    ask = reverse("admin:regimens_monograph_protocol", args=[draft.pk])
    client.post(ask, {"like": like.pk, "code": "kidney_short", "title": "Kidney, 8 weeks"})
    own = Protocol.objects.get(monograph=draft, code="kidney_short")
    assert (own.enabled, own.source_kind, own.doses.count()) == (False, "site_policy", 7)
    removed = {f"doses-{place}-DELETE": "on" for place in (3, 5, 6)}
    address = reverse("admin:regimens_protocol_change", args=[own.pk])
    assert save(client, address, enabled="on", **removed).status_code == 302
    assert list(own.doses.values_list("code", flat=True)) == ["W0", "W2", "W4", "W8"]
    own.refresh_from_db()
    assert own.enabled
    assert client.post(ask, {"like": like.pk, "code": "kidney_short", "title": "Again"}).status_code == 302
    assert Protocol.objects.filter(monograph=draft, code="kidney_short").count() == 1
    page = reverse("admin:regimens_monograph_change", args=[draft.pk])
    save(client, page, what_changed="Our short kidney protocol.")
    client.post(reverse("admin:regimens_monograph_submit", args=[draft.pk]))
    pharmacist = make_member(centre=editor.centre)
    reader = Client()
    reader.force_login(pharmacist.user)
    reader.post(reverse("monograph-publish", args=[draft.pk]), {"publish": "1", "password": PASSWORD})
    assert Monograph.objects.get(state="published").protocols.filter(code="kidney_short", enabled=True).exists()


def test_the_list_of_versions_says_who_and_leads_to_the_comparison(
    client: Client, draft: Monograph, editor: Membership
) -> None:
    shown = client.get(reverse("admin:regimens_monograph_changelist")).content.decode()
    assert f"{editor.user.printed_name}, on version 1" in shown and "shipped with release" in shown
    assert reverse("monograph-publish", args=[draft.pk]) in shown


def test_a_draft_is_discarded_with_a_reason_and_stays_readable(client: Client, draft: Monograph) -> None:
    address = reverse("admin:regimens_monograph_discard", args=[draft.pk])
    client.post(address, {"reason": ""})
    draft.refresh_from_db()
    assert draft.state == "draft"
    client.post(address, {"reason": "Not needed"})
    draft.refresh_from_db()
    assert draft.state == "discarded"
    page = client.get(kidney(draft))
    assert page.status_code == 200 and 'name="doses-0-mg_per_kg"' not in page.content.decode()


def test_a_published_version_is_read_and_never_edited(client: Client) -> None:
    published = Monograph.objects.get(state="published")
    page = client.get(kidney(published)).content.decode()
    assert 'name="cap_mg_per_kg"' not in page and "Kidney transplant" in page
    assert client.post(kidney(published), {"cap_mg_per_kg": "1"}).status_code == 403
    with pytest.raises(DatabaseError, match="only_a_draft_is_edited"), transaction.atomic():
        ProtocolDose.objects.filter(protocol__monograph=published).update(mg_per_kg=1)


# A product dosed in mL per kg ----------------------------------------------------------------------------------------------------


def test_amounts_are_typed_in_ml_and_the_mg_follow(client: Client, editor: Membership) -> None:
    example, _ = library.load_draft(value=EXAMPLE, by=editor, at=NOW)
    protocol = example.protocols.get()
    address = reverse("admin:regimens_protocol_change", args=[protocol.pk])
    page = client.get(address).content.decode()
    assert 'name="doses-0-ml_per_kg"' in page and 'name="doses-0-mg_per_kg"' not in page and 'name="cap_mg_per_kg"' not in page
    assert save(client, address, cap_ml_per_kg="2", **{"doses-1-ml_per_kg": "1.5"}).status_code == 200  # above the label
    assert save(client, address, **{"doses-1-ml_per_kg": "0.5"}).status_code == 302
    row = protocol.doses.get(position=2)
    assert (row.ml_per_kg, row.mg_per_kg) == (Decimal("0.5"), 25)


def test_another_concentration_makes_other_mg_of_the_same_ml(client: Client, editor: Membership) -> None:
    example, _ = library.load_draft(value=EXAMPLE, by=editor, at=NOW)
    address = reverse("admin:regimens_product_change", args=[example.product.pk])
    typed = {"concentration_mg_per_ml": "40", "vials-0-content_mg": "400", "vials-1-content_mg": "2000"}
    assert save(client, address, **typed).status_code == 302
    assert set(ProtocolDose.objects.filter(protocol__monograph=example).values_list("ml_per_kg", "mg_per_kg")) == {(1, 40)}
    assert Protocol.objects.get(monograph=example).cap_mg_per_kg == 40
    assert RateStep.objects.filter(table__monograph=example, mg_per_kg_per_h=32).count() == 2
