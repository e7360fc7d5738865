"""The history of a chart, in words: every table, every change, page by page."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.db.models import ForeignKey

from patients import actions, audit, guards
from patients.history import history_of, history_page, lines_of
from patients.images import Images, column_of, shown, value_of
from patients.models import Membership, RowChange
from patients.roles import Role
from tests.attacks.objects import make_cast
from tests.factories import NEW_YORK, NOW, make_answers, make_member, make_patient, make_transplant, make_weight

pytestmark = pytest.mark.django_db

OF_A_PATIENT = [model for model in guards.clinical_models() if guards.way_to_patient(model)]
CODES = re.compile(r"_|[0-9a-f]{8}-[0-9a-f]{4}-|Decimal\(|datetime|None|\[|\{")


def text_of(client, patient, query: str = "") -> str:
    response = client.get(f"/patients/{patient.pk}/history/{query}")
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_every_recorded_table_tells_its_rows_without_a_code_a_key_or_an_underscore():
    cast = make_cast()
    lines = history_of(cast.patient)
    named = {str(model._meta.verbose_name).capitalize() for model in OF_A_PATIENT}
    told = {line.what.rsplit(" recorded", 1)[0].split(":")[0] for line in lines}
    assert named - told == set()
    for line in lines:
        words = [line.what, line.about, shown(line.before, line.field, NEW_YORK), shown(line.after, line.field, NEW_YORK)]
        words += [part for label, column, value in line.details for part in (label, shown(value, column, NEW_YORK))]
        for word in words:
            assert not CODES.search(word), (line.what, word)


@pytest.mark.parametrize("model", OF_A_PATIENT, ids=lambda model: model._meta.db_table)
def test_every_column_of_every_table_has_a_label_and_its_words(model):
    images = Images([], zone_name=NEW_YORK)
    for field in model._meta.concrete_fields:
        label = column_of(model, field.column)
        assert label and "_" not in label, field
        choices = dict(field.flatchoices)
        for code, words in choices.items():
            assert value_of(model, field.column, code, images) == words
        if isinstance(field, ForeignKey) and field.related_model is Membership:
            assert value_of(model, field.column, None, images) is None


def test_a_weight_says_old_new_who_when_and_why(client):
    by = make_member(given="Kemi", family="Adeyemi")
    patient = make_patient(by=by)
    make_weight(patient, "72", at=NOW)
    actions.record_weight(
        by=by, at=NOW, patient=patient, weight_kg=Decimal("70"), measured_at=NOW, method="stated", reason="Cannot stand"
    )
    client.force_login(by.user)
    page = text_of(client, patient)
    assert re.search(r"Weight measurement recorded 70\W*kg 72\W*kg → became 70\W*kg", page)
    assert "Method Stated, not measured" in page and "Kemi Adeyemi pharmacist Cannot stand" in page
    assert "<del>72" in client.get(f"/patients/{patient.pk}/history/").content.decode()


def test_a_precaution_says_which_one_and_a_transplant_says_which_and_its_organs_in_words(client):
    patient = make_patient()
    make_answers(patient)
    make_answers(patient, iga_deficiency="present")
    graft = make_transplant(patient, organs=["kidney", "pancreas"])
    client.force_login(patient.registered_by.user)
    page = text_of(client, patient)
    assert "Precaution recorded Selective IgA deficiency No → became Yes" in page
    assert f"Transplant recorded {graft.number} Kidney, Pancreas" in page
    assert "Recipient CMV IgG Negative" in page


def test_instants_are_in_the_centres_zone(client):
    patient = make_patient()
    weight = make_weight(patient, at=NOW)
    actions.mark_weight_in_error(by=patient.registered_by, at=NOW, weight=weight, reason="Another bed")
    client.force_login(patient.registered_by.user)
    assert "Weight measurement: error at 70" in (page := text_of(client, patient)).replace("\xa0", " ")
    assert "22-Nov-2026 10:00" in page  # 15:00 UTC


def test_reads_are_listed_on_demand_and_reading_the_history_is_one_of_them(client):
    patient = make_patient()
    client.force_login(patient.registered_by.user)
    client.get(f"/patients/{patient.pk}/")
    assert "Read chart" not in text_of(client, patient)
    page = text_of(client, patient, "?reads=1")
    assert page.count("Read chart") == 3 and "patient history" in page


def test_pages_join_without_a_gap_and_without_a_line_twice():
    patient = make_patient()
    for number in range(23):
        audit.event("read_chart", by=patient.registered_by, patient=patient, number=number)
        patient.ward = f"{number} North"
        patient.save()
    whole = history_of(patient, with_reads=True)
    parts, before = [], None
    while True:
        part = history_page(patient, with_reads=True, before=before, size=5)
        parts += part.lines
        if part.older_than is None:
            break
        before = part.older_than
    assert parts == whole and len(whole) == 24


def test_a_page_of_history_asks_at_most_twelve_times(client, django_assert_max_num_queries):
    cast = make_cast()
    client.force_login(cast.people[Role.AUDITOR].user)
    client.get("/help/")
    with django_assert_max_num_queries(12):
        page = client.get(f"/patients/{cast.patient.pk}/history/?reads=1")
    assert "Older" in page.content.decode()


@pytest.mark.parametrize(
    "before", ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "' or 1=1 --", "9999-12-31T23:59:59.999999+00:00"]
)
def test_any_other_beginning_of_a_page_is_answered(client, before):
    patient = make_patient()
    client.force_login(patient.registered_by.user)
    assert client.get(f"/patients/{patient.pk}/history/", {"before": before}).status_code == 200


def test_a_row_of_a_table_that_is_no_longer_there_is_still_told():
    change = RowChange(pk=1, at=NOW, tbl="regimens_gone", op="INSERT", row_pk="1", new={"given_mg": 5}, db_role="owner")
    line = lines_of([change], NEW_YORK)[0]
    assert (line.what, line.details) == ("regimens_gone recorded", (("given mg", "given_mg", 5),))
