"""The monograph as clinicians read it: found, printed and compared; and whatever is typed into it, shown as it was typed (H19)."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from patients.refusal import Refusal
from patients.roles import Role
from regimens.actions import library
from regimens.domain import monograph as domain
from regimens.domain.library_file import parse
from regimens.library import FOLDER, SHIPPED
from regimens.models import Monograph
from regimens.views.monograph_search import clauses, find
from tests.factories import NOW, make_member
from tests.regimens.courses import doses_of, make_course, make_team
from tests.sheets.reading import pages_of, run_together

VALUE = parse(SHIPPED.read_text("utf-8"))
LITERAL = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "<a href=\"javascript:alert(1)\">x</a>",
    "<style>body{display:none}</style>", "<iframe src=/admin/></iframe>", "</p></section><h1>Dose 10</h1>", "<!-- gone -->", "&lt;b&gt;",
    "{{ 7|add:7 }}", "{% debug %}", "{% include \"base.html\" %}", "{{ request.user.password }}", "{# gone #}", "${7*7}", "#{7*7}",
    "<%= 7*7 %>", "{{constructor.constructor('alert(1)')()}}", "#eval(\"1\") $x$ *b* @a <l>", "%(dose)s {0} \\u003cb\\u003e",
]  # fmt: skip


def with_text(text: str) -> domain.Monograph:
    """The shipped monograph with these words wherever people write words."""
    first, *sections = VALUE.sections
    kidney, *protocols = VALUE.protocols
    dose, *doses = kidney.doses
    source = replace(first.source, ref=text)
    return replace(
        VALUE,
        title=text,
        what_changed=text,
        product=replace(VALUE.product, generic_name=text, brand_name=text[:60], filter=text, storage=text, appearance=text),
        protocols=(replace(kidney, title=text, indication=text, doses=(replace(dose, title=text), *doses)), *protocols),
        rate_tables=tuple(replace(table, title=text) for table in VALUE.rate_tables),
        limits=(replace(VALUE.limits[0], title=text), *VALUE.limits[1:]),
        sections=(replace(first, title=text, text=f"{text}\n\n- {text}", source=source), *sections),
        questions=(replace(VALUE.questions[0], question=text, answer=text), *VALUE.questions[1:]),
        reactions=(replace(VALUE.reactions[0], term=text, explanation=text, frequency=text), *VALUE.reactions[1:]),
        statements=(replace(VALUE.statements[0], sentence=text), *VALUE.statements[1:]),
        reasons=(replace(VALUE.reasons[0], sentence=text), *VALUE.reasons[1:]),
    )


def client_of(member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def shown_literally(page: str, text: str) -> bool:
    """Whether the text stands on the page as typed, and nowhere as mark-up."""
    for tag in ("<ins>", "</ins>", "<del>", "</del>"):  # of the comparison, word by word
        page = page.replace(tag, "")
    is_markup = text in page and html.escape(text) != text
    return not is_markup and text in html.unescape(page)


def test_there_are_twenty_strings() -> None:
    assert len(set(LITERAL)) == 20


@pytest.mark.django_db
@pytest.mark.parametrize("text", LITERAL, ids=range(len(LITERAL)))
def test_what_is_typed_into_a_monograph_is_shown_as_typed_in_admin_page_chart_and_print(text: str) -> None:
    team = make_team()
    editor = make_member(Role.MONOGRAPH_EDITOR, centre=team.centre)
    draft, _ = library.load_draft(value=with_text(text), by=editor, at=NOW)
    writing, reading = client_of(editor), client_of(team.builder)
    change = reverse("admin:regimens_monograph_change", args=[draft.pk])
    protocol = reverse("admin:regimens_protocol_change", args=[draft.protocols.get(code="kidney").pk])
    in_admin = [reverse("admin:regimens_monograph_changelist"), change, protocol]
    in_admin += [f"{change}?part={part}" for part in ("texts", "limits", "reactions", "statements", "questions", "reasons")]
    for address in in_admin:
        assert shown_literally(writing.get(address).content.decode(), text), address
    library.submit(monograph=draft, by=editor, at=NOW)
    assert shown_literally(reading.get(reverse("monograph-publish", args=[draft.pk])).content.decode(), text)
    library.publish(monograph=draft, by=team.builder, at=NOW)
    for address in (reverse("monograph"), reverse("monograph-changes", args=[2])):
        page = reading.get(address).content.decode()
        assert shown_literally(page, text), address
    assert page.count("<script") == reading.get(reverse("monograph-version", args=[1])).content.decode().count("<script")
    course = make_course(team)
    chart = reading.get(reverse("chart", args=[course.patient_id])).content.decode()
    assert shown_literally(chart, text)
    answer = reading.post(reverse("dose-sheet", args=[doses_of(course)[0].pk]), {"size": "a4"})
    assert answer.headers["Content-Type"] == "application/pdf"
    pdf = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert run_together(text) in run_together(" ".join(pages_of(pdf)))


@pytest.mark.django_db
def test_a_reader_finds_the_clause_of_a_word_and_where_it_stands() -> None:
    client = client_of(make_member(Role.NURSE))
    page = client.get(reverse("monograph"), {"q": "Selective IgA"}).content.decode()
    assert "statement-contraindication-iga_deficiency" in page and 'id="statement-contraindication-iga_deficiency"' in page
    assert "Nothing in version 1 has all of these words." in client.get(reverse("monograph"), {"q": "zebra"}).content.decode()
    assert 'id="found"' not in client.get(reverse("monograph"), {"q": "  "}).content.decode()
    typed = client.get(reverse("monograph"), {"q": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in typed and "&lt;script&gt;alert(1)" in typed


def test_every_clause_that_can_be_found_has_its_place_on_the_page_and_says_only_what_surrounds_the_word() -> None:
    found = find(VALUE, "REFRIGERATED keep")
    assert found and all(len(clause.text) < 200 for clause in found)
    assert find(VALUE, "150 kidney initial")[0].anchor == "protocol-kidney-W0"
    assert find(VALUE, "75 pump")[0].anchor == "limit-max_rate_ml_per_h"
    assert find(VALUE, "") == [] and find(VALUE, "zebra") == []


@pytest.mark.django_db
def test_every_anchor_of_a_clause_is_on_the_page() -> None:
    page = client_of(make_member()).get(reverse("monograph")).content.decode()
    missing = [clause.anchor for clause in clauses(VALUE) if f'id="{clause.anchor}"' not in page]
    assert missing == []


@pytest.mark.django_db
def test_the_page_names_version_sources_and_what_changed_and_leads_to_the_comparison() -> None:
    editor = make_member(Role.MONOGRAPH_EDITOR)
    draft, _ = library.load_draft(value=with_text("Other words"), by=editor, at=NOW)
    library.submit(monograph=draft, by=editor, at=NOW)
    library.publish(monograph=draft, by=make_member(centre=editor.centre), at=NOW)
    client = client_of(make_member())
    page = client.get(reverse("monograph")).content.decode()
    assert "Version 2, published" in page and "<b>What changed:</b> Other words" in page
    assert reverse("monograph-changes", args=[2]) in page
    compared = client.get(reverse("monograph-changes", args=[2])).content.decode()
    assert "From version 1" in compared and "<ins>Other" in compared
    assert "there is none before it" in client.get(reverse("monograph-changes", args=[1])).content.decode()
    assert client.get(reverse("monograph-changes", args=[9])).status_code == 404


@pytest.mark.django_db
def test_a_product_dosed_in_ml_is_shown_in_ml_with_its_mg() -> None:
    editor = make_member(Role.MONOGRAPH_EDITOR)
    value = parse((FOLDER / "examples" / "ml_per_kg.toml").read_text("utf-8"))
    value = replace(value, protocols=(replace(value.protocols[0], enabled=True),))
    draft, _ = library.load_draft(value=value, by=editor, at=NOW)
    library.submit(monograph=draft, by=editor, at=NOW)
    library.publish(monograph=draft, by=make_member(centre=editor.centre), at=NOW)
    page = client_of(editor).get(reverse("monograph")).content.decode().replace("\u00a0", " ")
    assert "1 mL per kg<br>50 mg per kg" in page and "0.8 mL per kg per h, that is 40 mg per kg per h" in page
    assert "100 U per mL" in page and "never converted" in page


@pytest.mark.django_db
def test_the_example_loads_as_a_draft_and_is_not_submitted_while_it_is_disabled() -> None:
    editor = make_member(Role.MONOGRAPH_EDITOR)
    value = parse((FOLDER / "examples" / "ml_per_kg.toml").read_text("utf-8"))
    draft, _ = library.load_draft(value=value, by=editor, at=NOW)
    assert Monograph.objects.get(pk=draft.pk).to_domain() == value
    with pytest.raises(Refusal, match="No protocol is enabled"):
        library.submit(monograph=draft, by=editor, at=NOW)
