"""Names of every script are stored as typed, found by what people type, and alike ones are seen (safety.md G5, H01, H27)."""

from __future__ import annotations

import random
import re
import unicodedata
from datetime import date

import pytest

from patients import names
from patients.refusal import Refusal

# Sixty names: family, given, what finds them.
NAMES = [
    ("Okonkwo", "Adaeze", "oko, a"),
    ("Okonkwo", "Adanna", "OKONKWO"),
    ("O'Brien", "Pat", "obrien"),
    ("O’Brien", "Pat", "o'brien, p"),
    ("Nguyễn", "Thị Lan", "nguyen, thi"),
    ("Nguyen", "Lan", "Nguyễn"),
    ("عبد الله", "محمد", "عبد"),
    ("李", "小龍", "李"),
    ("李", "", "李"),
    ("Null", "Test", "null"),
    ("Test", "Null", "test, n"),
    ("Smith-Jones", "Anna-Marie", "smith j"),
    ("Smith-Jones", "Anna", "smithjones, anna"),
    ("van der Berg", "Jan", "vander"),
    ("García Márquez", "Gabriel", "garcia marquez"),
    ("Sánchez", "José", "sanchez, jose"),
    ("Müller", "Jürgen", "muller"),
    ("Strauß", "Änne", "strauss, anne"),
    ("Øster", "Søren", "oster, so"),
    ("Łukasiewicz", "Łucja", "lukas, lu"),
    ("Đặng", "Đức", "dang, duc"),
    ("Þórsson", "Æsa", "thorsson, aesa"),
    ("Şahin", "Işıl", "sahin, isil"),
    ("Иванов", "Пётр", "иванов, петр"),
    ("Παπαδόπουλος", "Γιώργος", "παπαδοπουλος"),
    ("田中", "さくら", "田中, さ"),
    ("がく", "", "がく"),
    ("김", "민준", "김, 민"),
    ("שלום", "דוד", "שלום"),
    ("कुमार", "प्रिया", "कुमार"),
    ("சுப்ரமணியன்", "", "சுப்"),
    ("สมชาย", "ใจดี", "สมชาย"),
    ("X", "", "x"),
    ("Ng", "Al", "ng, al"),
    ("A" * 100, "B" * 100, "a" * 30),
    ("ß" * 100, "ß" * 100, "ss"),
    ("Suharto", "", "suharto"),
    ("de la Cruz", "María José", "dela, maria jose"),
    ("D'Angelo", "Lía", "dangelo"),
    ("Mac Donald", "Iain", "macdonald"),
    ("MacDonald", "Iain", "mac donald"),
    ("St. John", "Ian", "stjohn"),
    ("Jr.", "Sammy", "jr"),
    ("Abdul-Rahman", "Nur", "abdul rahman"),
    ("Ó Súilleabháin", "Seán", "osuil, sean"),
    ("Ångström", "Åse", "angstrom, ase"),
    ("Çelik", "Gül", "celik, gul"),
    ("Ilić", "Đorđe", "ilic, dor"),
    ("Przybyłowski", "Żaneta", "przybylowski, z"),
    ("Kowalski", "Jan III", "kowalski, jan iii"),
    ("Lê", "Ý", "le, y"),
    ("ʻAkau", "Kealiʻi", "akau"),
    ("Mbeki", "N'Golo", "mbeki, ngolo"),
    ("欧阳", "娜娜", "欧阳"),
    ("Fødd", "Bjørn", "fodd, bjorn"),
    ("Ñúñez", "Íñigo", "nunez, inigo"),
    ("Őri", "Ünige", "ori, unige"),
    ("Ţepeş", "Ion", "tepes"),
    ("Ġużè", "Ċensu", "guze, censu"),
    ("Ḥasan", "ʿAlī", "hasan, ali"),
]


def found(family: str, given: str, typed: str) -> bool:
    family_prefix, given_prefix = names.search_parts(typed)
    key_family, _, key_given = names.name_key(family, given).partition(",")
    return bool(family_prefix) and key_family.startswith(family_prefix) and key_given.startswith(given_prefix)


def test_there_are_sixty_names():
    assert len(NAMES) == 60


@pytest.mark.parametrize(("family", "given", "typed"), NAMES)
def test_a_name_is_stored_as_typed_and_found(family, given, typed):
    stored = names.clean_name(family, field="family_name", what="family name", required=True)
    assert stored == unicodedata.normalize("NFC", family)
    assert names.clean_name(given, field="given_name", what="given name") == unicodedata.normalize("NFC", given)
    assert len(names.name_key(family, given)) <= names.KEY_LENGTH
    assert found(family, given, typed)


def test_a_name_is_not_found_by_another():
    assert not found("Okonkwo", "Adaeze", "oko, b")
    assert not found("がく", "", "かく")  # voicing marks carry meaning
    assert not found("Okonkwo", "Adaeze", "konkwo")


def test_composed_and_decomposed_spellings_are_one_name():
    composed, apart = "Nguyễn", unicodedata.normalize("NFD", "Nguyễn")
    assert composed != apart
    assert names.clean_name(apart, field="f", what="name") == composed
    assert names.name_key(composed, "") == names.name_key(apart, "")


def test_spaces_are_single_and_none_at_the_ends():
    assert names.clean_name("  van   der\u00a0Berg ", field="f", what="name") == "van der Berg"


@pytest.mark.parametrize(
    "hidden",
    [
        "\x00",
        "\x1b[2J",
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u00ad",
        "\u2028",
        "\ud800",
        "\ue000",
        "\u3164",
        "\ufe0f",
        "\u034f",
    ],
)
def test_hidden_characters_are_refused_and_named(hidden):
    with pytest.raises(Refusal) as refused:
        names.clean_name(f"Oko{hidden}nkwo", field="family_name", what="family name", required=True)
    assert (refused.value.code, refused.value.field) == ("hidden_character", "family_name")
    assert f"U+{ord(hidden[0]):04X}" in refused.value.sentence
    assert hidden not in refused.value.sentence


def test_a_line_break_has_its_own_sentence():
    with pytest.raises(Refusal) as refused:
        names.clean_text("a\nb", field="reason", what="reason")
    assert "one line" in refused.value.sentence


@pytest.mark.parametrize("empty", ["", "   ", "-", "'", "…", "123"])
def test_a_family_name_needs_a_letter(empty):
    with pytest.raises(Refusal, match="name_needed"):
        names.clean_name(empty, field="family_name", what="family name", required=True)


def test_a_name_of_101_characters_is_refused():
    with pytest.raises(Refusal, match="too_long"):
        names.clean_name("A" * 101, field="family_name", what="family name")


def test_markup_is_text_like_any_other():
    assert names.clean_name("<script>alert(1)</script>", field="f", what="name") == "<script>alert(1)</script>"


@pytest.mark.parametrize(("typed", "mrn"), [("0042 7719", "00427719"), ("ab-12/3", "AB-12/3"), ("0042\u00a07719", "00427719")])
def test_a_record_number_is_the_same_however_it_is_typed(typed, mrn):
    assert names.clean_mrn(typed) == mrn


@pytest.mark.parametrize("typed", ["", "  ", "-1", "００４２", "12_3", "1" * 31, "MRN\t1", "ÄB1"])
def test_other_record_numbers_are_refused(typed):
    with pytest.raises(Refusal) as refused:
        names.clean_mrn(typed)
    assert refused.value.field == "mrn"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("okonkwo", "okonkwo"),
        ("meyer", "meier"),
        ("stephens", "stevens"),
        ("smith", "smyth"),
        ("hansen", "hanson"),
        ("garcia", "gracia"),
        ("brown", "braun"),
        ("cruz", "kruz"),
        ("tran", "trang"),
        ("lee", "li"),
        ("kim", "kin"),
        ("silva", "selva"),
        ("ashcraft", "ashcroft"),
        ("halloran", "haloran"),
        ("李", "李"),
        ("иванов", "иванова"),
        ("محمد", "محمود"),
    ],
)
def test_family_names_that_look_or_sound_alike(one, other):
    assert names.families_alike(one, other)
    assert names.families_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("okonkwo", "halloran"), ("silva", "brandt"), ("kim", "ng"), ("李", "王"), ("kim", "park"), ("brandt", "kowal")],
)
def test_family_names_that_do_not(one, other):
    assert not names.families_alike(one, other)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("robert", "R163"),
        ("rupert", "R163"),
        ("ashcraft", "A261"),
        ("tymczak", "T522"),
        ("pfister", "P236"),
        ("honeyman", "H555"),
        ("lee", "L000"),
        ("李", ""),
    ],
)
def test_sounds_are_the_published_soundex(name, code):
    assert names.sound(name) == code


@pytest.mark.parametrize(
    ("one", "other"),
    [("robert", "rupert"), ("ashcraft", "ashcroft"), ("lee", "li"), ("meyer", "meier"), ("schmidt", "schmitt")],
)
def test_the_pattern_of_a_sound_finds_every_name_of_that_sound(one, other):
    for left, right in ((one, other), (other, one), (one, one)):
        assert re.search(names.sound_pattern(left), f"{right},x")
    assert not re.search(names.sound_pattern(one), "zz,robert")


@pytest.mark.parametrize(
    ("one", "other", "limit", "near"),
    [
        ("kitten", "sitting", 3, True),
        ("kitten", "sitting", 2, False),
        ("", "ab", 2, True),
        ("abc", "abc", 0, True),
        ("abcd", "abdc", 1, False),
        ("abcdef", "abc", 2, False),
    ],
)
def test_edit_distance(one, other, limit, near):
    assert names.within_edits(one, other, limit) is near


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("00427719", "00427718", True),
        ("00427719", "00427791", True),
        ("00427719", "04027719", True),
        ("00427719", "00427719", False),
        ("00427719", "00427728", False),
        ("00427719", "90427710", False),
        ("00427719", "0042771", False),
        ("0042771A", "0042771B", True),
    ],
)
def test_record_numbers_one_slip_apart(one, other, alike):
    assert names.mrns_alike(one, other) is alike


# A list of people: who of them can be taken for another one of it.

FAMILIES = [
    "okonkwo",
    "okonkwa",
    "meyer",
    "meier",
    "lee",
    "li",
    "kim",
    "kin",
    "ng",
    "silva",
    "selva",
    "cruz",
    "kruz",
    "李",
    "李",
    "王",
]
FAMILIES += [
    "brandt",
    "halloran",
    "haloran",
    "smith",
    "smyth",
    "иванов",
    "иванова",
    "park",
    "oso",
    "os",
    "abcdef",
    "abxyef",
    "axyzef",
]


def side_by_side(people: list[names.Known]) -> set[str]:
    """The same question asked of every two of them."""
    return {one.mrn for one in people for other in people if names.alike(one, other)}


@pytest.mark.parametrize("seed", range(40))
def test_a_list_marks_whom_two_people_side_by_side_would(seed):
    chance = random.Random(seed)
    people = [
        names.Known(
            f"{chance.choice(FAMILIES)},x{i}", date(1980, 1, chance.randint(1, 28)), f"{chance.randint(0, 99):04d}{i % 7}"
        )
        for i in range(chance.randint(0, 8))
    ]
    people = list({person.mrn: person for person in people}.values())
    assert names.mistakable(people) == side_by_side(people)


def test_one_slip_in_a_record_number_and_two_neighbours_swapped_are_marked():
    people = [
        names.Known(f"name{n}zzzz{n * 'q'},", date(1980, 1, n), mrn)
        for n, mrn in enumerate(("00427719", "00427791", "55555555", "55555556", "90000001"), 1)
    ]
    assert {"00427719", "00427791", "55555555", "55555556"} <= names.mistakable(people)


def test_nobody_is_taken_for_themselves():
    one = names.Known("okonkwo,adaeze", date(1979, 7, 14), "00427719")
    assert names.mistakable([one, one]) == frozenset()
