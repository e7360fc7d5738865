"""Forty pairs of patients who are easily taken for each other (hazard H01): alerted to in the banner, in lists and on the sheet."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients import names
from patients.banner import banner_of
from patients.models import Patient
from regimens.actions import sheets
from tests.factories import make_answers, make_patient, make_transplant, make_weight
from tests.regimens.courses import Team, doses_of, make_course, make_team, verify

# Family name, given name, birth date, record number of two people; what makes them alike stands above each group.
PAIRS = [
    # One family name
    (("Okonkwo", "Adaeze", "1979-07-14", "00427719"), ("Okonkwo", "Adanna", "1981-03-09", "00999911")),
    (("Nguyễn", "Thị Lan", "1988-02-29", "00427720"), ("Nguyen", "Lan", "1971-05-05", "10990022")),
    (("李", "秀英", "1969-12-01", "20000001"), ("李", "小龍", "1955-01-02", "31111112")),
    (("Smith", "John", "1958-01-30", "40000011"), ("Smith", "Joan", "1990-09-09", "51111122")),
    (("García Márquez", "Ana", "1966-04-01", "60000012"), ("Garcia-Marquez", "Eva", "1977-07-07", "71111123")),
    (("O'Brien", "Pat", "1950-10-10", "80000013"), ("O’Brien", "Siobhán", "1976-12-24", "91111124")),
    (("van der Berg", "Jan", "1949-03-03", "12000014"), ("Vanderberg", "Piet", "1985-08-08", "23111125")),
    (("Ó Súilleabháin", "Seán", "1962-06-16", "34000015"), ("O'Suilleabhain", "Una", "1999-02-12", "45111126")),
    # One sound
    (("Meyer", "Ruth", "1960-01-11", "56000016"), ("Meier", "Kurt", "1972-11-30", "67111127")),
    (("Stephens", "Ann", "1961-02-12", "78000017"), ("Stevens", "Bob", "1973-12-01", "89111128")),
    (("Robert", "Luc", "1963-03-13", "90000018"), ("Rupert", "Max", "1974-10-02", "13111129")),
    (("Ashcraft", "Joy", "1964-04-14", "24000019"), ("Ashcroft", "Lee", "1975-09-03", "35111130")),
    (("Schmidt", "Eva", "1965-05-15", "46000020"), ("Schmitt", "Ida", "1976-08-04", "57111131")),
    (("Braun", "Udo", "1967-06-17", "68000021"), ("Brown", "Tim", "1977-06-05", "79111132")),
    (("Hansen", "Liv", "1968-07-18", "80100022"), ("Hanson", "Ole", "1978-05-06", "91211133")),
    (("Philips", "Gwen", "1970-08-19", "12200023"), ("Phillipps", "Rhys", "1979-04-07", "23311134")),
    # One or two letters apart
    (("Silva", "Ana", "2001-11-11", "34400024"), ("Selva", "Rui", "1980-03-08", "45511135")),
    (("Kowalski", "Jan", "1971-09-20", "56600025"), ("Kovalsky", "Igor", "1981-02-09", "67711136")),
    (("Cruz", "Luz", "1972-10-21", "78800026"), ("Kruz", "Ivo", "1982-01-10", "89911137")),
    (("Halloran", "Pat", "1961-02-02", "90010027"), ("Haloran", "Meg", "1983-12-11", "13211138")),
    (("Иванов", "Пётр", "1973-11-22", "24300028"), ("Иванова", "Мария", "1984-11-12", "35411139")),
    (("محمد", "علي", "1974-12-23", "46500029"), ("محمود", "سامي", "1985-10-13", "57611140")),
    (("Takahashi", "Yuki", "1982-02-06", "68700030"), ("Takehashi", "Aiko", "1986-09-14", "79811141")),
    (("Petrov", "Ivo", "1975-01-24", "80900031"), ("Petrova", "Mila", "1987-08-15", "92011142")),
    (("Jensen", "Mads", "1959-11-02", "14100032"), ("Jansen", "Anke", "1988-07-16", "25211143")),
    (("Kim", "Ji-woo", "2004-01-22", "36300033"), ("Kin", "Sora", "1989-06-17", "47411144")),
    (("Tran", "Bao", "1976-02-25", "58500034"), ("Trang", "Mai", "1990-05-18", "69611145")),
    (("Lee", "Ada", "1977-03-26", "70700035"), ("Li", "Wei", "1991-04-19", "81811146")),
    # One birth date
    (("Brandt", "Otto", "1954-09-30", "92900036"), ("Yılmaz", "Elif", "1954-09-30", "14011147")),
    (("Fernández", "Lucía", "1986-05-30", "25100037"), ("Mbeki", "Thabo", "1986-05-30", "36211148")),
    (("Χ", "Άννα", "1992-10-05", "47300038"), ("Dubois", "Chloé", "1992-10-05", "58411149")),
    (("Ng", "Al", "2020-02-29", "69500039"), ("Papadopoulos", "Zoe", "2020-02-29", "70611150")),
    (("Weiß", "Greta", "1999-09-01", "81700040"), ("Cohen", "Miriam", "1999-09-01", "92811151")),
    # One slip in the record number
    (("Moreau", "Hugo", "1985-04-16", "00527719"), ("Tanaka", "Hiroshi", "1949-04-03", "00527718")),
    (("Rossi", "Giulia", "1995-07-08", "12345678"), ("Chukwu", "Emeka", "1957-10-10", "12345687")),
    (("Lindqvist", "Nils", "1973-06-30", "00098765"), ("Ochieng", "Amani", "2014-09-21", "00089765")),
    (("Anand", "Priya", "1980-06-21", "AB-1200"), ("Eriksen", "Liv", "1989-08-31", "AB-1700")),
    (("Santos", "João", "1987-12-12", "77001234"), ("Petersen", "Finn", "1993-03-20", "97001234")),
    # All at once
    (("Reyes", "Gabriel", "1967-07-27", "55500001"), ("Reyez", "Gabriel", "1967-07-27", "55500010")),
    (("Hernández", "Rosa", "1965-05-05", "66600001"), ("Hernandez", "Rosa", "1965-05-05", "66600007")),
]


def known(person: tuple[str, str, str, str]) -> names.Known:
    family, given, born, mrn = person
    return names.Known(names.name_key(family, given), date.fromisoformat(born), names.clean_mrn(mrn))


def test_there_are_forty_pairs() -> None:
    assert len(PAIRS) == len(set(PAIRS)) == 40


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0][0]} and {pair[1][0]}")
def test_both_of_a_pair_are_marked_in_a_list_of_two(pair) -> None:
    assert names.mistakable([known(person) for person in pair]) == {known(person).mrn for person in pair}


def registered(team: Team, person: tuple[str, str, str, str], at) -> Patient:
    family, given, born, mrn = person
    return make_patient(
        by=team.builder, at=at, family_name=family, given_name=given, birth_on=date.fromisoformat(born), mrn=mrn
    )


def searched(client: Client, typed: str) -> list[str]:
    """The rows that a search finds."""
    page = client.post("/patients/", {"q": typed}, headers={"HX-Request": "true"}).content.decode()
    return re.findall(r"<tr data-row>.*?</tr>", page, re.S)


@pytest.mark.django_db
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0][0]} and {pair[1][0]}")
def test_banner_sheet_and_search_alert_to_the_other_one(client: Client, pair) -> None:
    now = timezone.now().replace(microsecond=0)
    at = now - timedelta(hours=2)
    team = make_team(at)
    one, other = (registered(team, person, at) for person in pair)
    for patient, alike in ((one, other), (other, one)):
        assert alike.family_name.upper() in banner_of(patient, now).name_alert
    make_weight(one, at=at)
    make_answers(one, at=at)
    course = make_course(team, make_transplant(one, at=at, reperfusion_at=at - timedelta(hours=1)), at=at)
    dose = doses_of(course)[0]
    copy = sheets.register_copy(dose=dose, size="a4", by=team.verifier, at=now)
    sheet = sheets.dose_sheet(dose=dose, copy=copy, check_url="https://cmvig.example/x")
    assert other.family_name.upper() in sheet.banner.name_alert
    client.force_login(team.verifier.user)
    for person in pair:
        rows = searched(client, f"{person[0]}, {person[1][:3]}")
        own = [row for row in rows if person[1] in row]
        assert own and all("easily taken" in row for row in own)


@pytest.mark.django_db
def test_the_worklist_and_the_verify_queue_mark_every_one_of_the_pairs(client: Client) -> None:
    """Half of the plans are verified and on the worklist alone; the other half waits in the queue as well."""
    now = timezone.now().replace(microsecond=0)
    team = make_team(now - timedelta(days=1))
    mrns: dict[bool, set[str]] = {False: set(), True: set()}
    for number, pair in enumerate(PAIRS):
        for person in pair:
            at = now - timedelta(hours=3)
            patient = registered(team, person, at)
            make_weight(patient, at=at)
            make_answers(patient, at=at)
            course = make_course(team, make_transplant(patient, at=at, reperfusion_at=at - timedelta(hours=number + 1)), at=at)
            mrns[number % 2 == 0].add(patient.mrn)
            if number % 2:
                verify(team, course, at=at)
    client.force_login(team.verifier.user)
    listed: dict[str, str] = {}
    address = "/"
    while address:
        page = client.get(address).content.decode()
        doses = page.partition('id="also-waiting"')[0]
        listed |= {mrn: row for row in re.findall(r"<tr data-row>.*?</tr>", doses, re.S) if (mrn := mrn_in(row))}
        following = re.search(r'href="(/\?after=[^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert set(listed) == mrns[False] | mrns[True]
    assert len(listed) == 80
    assert [mrn for mrn, row in listed.items() if "easily taken" not in row] == []
    queue = re.findall(r"<tr data-row.*?</tr>", client.get("/verify/").content.decode(), re.S)
    assert {mrn_in(row) for row in queue} == mrns[True]
    assert all("easily taken" in row for row in queue)


def mrn_in(row: str) -> str:
    """The record number of a row, without the spaces that part its groups."""
    found = re.search(r'data-label="MRN"[^>]*>([^<]+)<', row)
    return found[1].replace("\N{NO-BREAK SPACE}", "") if found else ""


@pytest.mark.django_db
def test_a_name_alone_never_opens_a_chart_and_a_whole_record_number_does(client: Client) -> None:
    now = timezone.now()
    team = make_team(now - timedelta(hours=1))
    patient = registered(team, PAIRS[0][0], now)
    client.force_login(team.verifier.user)
    for typed in ("okonkwo", "Okonkwo, Adaeze", "14-Jul-1979"):
        answer = client.post("/patients/", {"q": typed})
        assert answer.status_code == 200 and str(patient.pk) in answer.content.decode()
    assert client.post("/patients/", {"q": "0042 7719"}).headers["Location"] == f"/patients/{patient.pk}/"


@pytest.mark.django_db
def test_somebody_like_nobody_is_not_marked(client: Client) -> None:
    now = timezone.now()
    team = make_team(now - timedelta(hours=1))
    for person in (PAIRS[0][0], PAIRS[2][0], PAIRS[33][1]):
        registered(team, person, now)
    client.force_login(team.verifier.user)
    rows = searched(client, "okonkwo") + searched(client, "tanaka")
    assert len(rows) == 2 and not any("easily taken" in row for row in rows)
