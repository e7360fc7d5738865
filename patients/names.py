"""Names and record numbers: what may be stored, how they are searched, and which ones look alike. Pure.

A name is stored as it was typed (NFC); :func:`name_key` is what search and comparison use.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from patients.refusal import Refusal

NAME_RULES = "Rules for names"
SEPARATOR = ","  # between family and given name in a key; no part of a key holds one
KEY_LENGTH = 210

# Letters that take no part in decomposition, as people type them without the stroke.
_PLAIN = str.maketrans({"ł": "l", "đ": "d", "ð": "d", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h", "ı": "i", "ŧ": "t"})
# Assigned letters and symbols that leave no mark on a page.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean_text(text: str, *, field: str, what: str = "text") -> str:
    """One line of free text as it is stored: NFC, single spaces, nothing hidden.

    Refused ("hidden_character") for control characters, zero-width characters and marks that turn the reading direction:
    with those, two names that look the same are not the same, and a name can be shown as another one.
    """
    for character in text:
        if unicodedata.category(character) in _REFUSED_CATEGORIES or ord(character) in _INVISIBLE:
            if character in "\t\r\n":
                raise Refusal("hidden_character", f"Write the {what} on one line.", source=NAME_RULES, field=field)
            raise Refusal(
                "hidden_character",
                f"The {what} holds a hidden character (U+{ord(character):04X}). Type the {what} again instead of pasting it.",
                source=NAME_RULES,
                field=field,
            )
    return " ".join(unicodedata.normalize("NFC", text).split())


def clean_name(text: str, *, field: str, what: str, required: bool = False) -> str:
    """A name as it is stored: at most 100 characters and at least one letter, of any script."""
    name = clean_text(text, field=field, what=what)
    if not name and not required:
        return ""
    if not any(unicodedata.category(character).startswith("L") for character in name):
        raise Refusal("name_needed", f"Enter the {what}.", source=NAME_RULES, field=field)
    if len(name) > 100:
        raise Refusal("too_long", f"The {what} has more than 100 characters.", source=NAME_RULES, field=field)
    return name


def clean_mrn(text: str) -> str:
    """A record number as it is stored: capitals, digits and - / . only, without spaces, so that any spelling finds it."""
    mrn = re.sub(r"[ \u00a0]", "", text).upper()
    if not mrn:
        raise Refusal("mrn_needed", "Enter the record number.", source=NAME_RULES, field="mrn")
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9./-]{0,29}", mrn, re.ASCII):
        raise Refusal(
            "mrn_text", "A record number has up to 30 letters A to Z, digits, - / or . and begins with a letter or digit.",
            source=NAME_RULES, field="mrn",
        )  # fmt: skip
    return mrn


def _folded(text: str) -> str:
    """Lower case, without accents on Latin, Greek and Cyrillic letters, and without spaces, hyphens and apostrophes.

    Marks of other scripts carry meaning (Japanese voicing, Indic vowels) and stay.
    """
    letters: list[str] = []
    strips = False
    for character in unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN)):
        if unicodedata.combining(character):
            if not strips:
                letters.append(character)
            continue
        category = unicodedata.category(character)
        if category[0] in "LNM" and not 0x02B0 <= ord(character) <= 0x02FF:  # typed as apostrophes
            strips = ord(character) < 0x0590
            letters.append(character)
    return unicodedata.normalize("NFC", "".join(letters)).casefold().translate(_PLAIN)


def name_key(family: str, given: str) -> str:
    """What a name is found by: ``oconnor,sean`` for O'Connor, Seán. At most 210 characters."""
    return f"{_folded(family)}{SEPARATOR}{_folded(given)}"[:KEY_LENGTH]


def search_parts(typed: str) -> tuple[str, str]:
    """Family and given prefixes of a typed search, ``oko, a`` → ("oko", "a"); without a comma all of it is the family name."""
    family, _, given = typed.partition(SEPARATOR)
    return _folded(family), _folded(given)


def family_of(key: str) -> str:
    """The family part of a key."""
    return key.partition(SEPARATOR)[0]


# --- Look-alikes (H01) -------------------------------------------------------------------------------------------------------

_SOUND = {letter: digit for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters}


def sound(family: str) -> str:
    """The American Soundex of a folded family name, ``meyer`` and ``meier`` → ``M600``; "" outside the Latin alphabet."""
    letters = [letter for letter in family if "a" <= letter <= "z"]
    if not letters or len(letters) * 2 < len(family):
        return ""
    code, last = letters[0].upper(), _SOUND.get(letters[0], 0)
    for letter in letters[1:]:
        digit = _SOUND.get(letter, 0)
        if digit and digit != last:
            code += str(digit)
        if letter not in "hw":  # h and w do not part two letters of the same sound
            last = digit
    return f"{code}000"[:4]


def sound_pattern(family: str) -> str:
    """A regular expression that every key of the same sound matches, and most others do not; "" where there is no sound."""
    code = sound(family)
    classes = [
        f"[^,]*[{''.join(letter for letter, digit in _SOUND.items() if str(digit) == place)}]" for place in code[1:].rstrip("0")
    ]
    return f"^{code[0].lower()}{''.join(classes)}" if code else ""


def within_edits(one: str, other: str, limit: int) -> bool:
    """Whether at most so many single-letter insertions, deletions or replacements turn one into the other."""
    if abs(len(one) - len(other)) > limit:
        return False
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
        if min(row) > limit:
            return False
    return row[-1] <= limit


def edits_allowed(family: str) -> int:
    """Two edits between family names; one for names of three letters, none below, where two turn any name into any other."""
    return 2 if len(family) >= 4 else 1 if len(family) == 3 else 0


def families_alike(one: str, other: str) -> bool:
    """Same sound, or few edits apart. Takes folded names."""
    if one == other:
        return True
    sounds = sound(one)
    return (sounds != "" and sounds == sound(other)) or within_edits(one, other, edits_allowed(min(one, other, key=len)))


def mrns_alike(one: str, other: str) -> bool:
    """One character different, or two neighbours swapped."""
    if len(one) != len(other) or one == other:
        return False
    differs = [i for i, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    if len(differs) == 1:
        return True
    if len(differs) != 2 or differs[1] != differs[0] + 1:
        return False
    left, right = differs
    return one[left] == other[right] and one[right] == other[left]


class Known(NamedTuple):
    """What two people are compared by: the name's key, the birth date and the record number."""

    name_key: str
    birth_on: date
    mrn: str


def alike(one: Known, other: Known) -> bool:
    """Whether two people can be taken for each other: by birth date, by a slip in the record number, or by the family name."""
    if one.mrn == other.mrn:
        return False
    if one.birth_on == other.birth_on or mrns_alike(one.mrn, other.mrn):
        return True
    return families_alike(family_of(one.name_key), family_of(other.name_key))


def mistakable(people: Collection[Known]) -> frozenset[str]:
    """The record numbers of those of a list who can be taken for another one of it, by the same rules as two people side by side.

    Grows with the list and not with its square, and is remembered: a list refreshes itself far more often than somebody joins it.
    """
    return _mistakable(frozenset(people))


@lru_cache(maxsize=32)
def _mistakable(people: frozenset[Known]) -> frozenset[str]:
    own = {person.mrn: person for person in people}
    by_birth: dict[date, list[str]] = defaultdict(list)
    by_family: dict[str, list[str]] = defaultdict(list)
    by_gap: dict[tuple[str, str], list[str]] = defaultdict(list)
    found: set[str] = set()
    for mrn, person in own.items():
        by_birth[person.birth_on].append(mrn)
        by_family[family_of(person.name_key)].append(mrn)
        for i in range(len(mrn)):
            by_gap[mrn[:i], mrn[i + 1 :]].append(mrn)
        found.update(
            other
            for i in range(len(mrn) - 1)
            if (other := f"{mrn[:i]}{mrn[i + 1]}{mrn[i]}{mrn[i + 2 :]}") != mrn and other in own
        )
    for shared in (*by_birth.values(), *by_gap.values(), *by_family.values()):
        if len(shared) > 1:
            found.update(shared)
    for family in _families_alike_among(frozenset(by_family)):
        found.update(by_family[family])
    return frozenset(found)


def _families_alike_among(families: frozenset[str]) -> frozenset[str]:
    """The family names that are alike with another one: of one sound, or sharing what is left after so many letters are dropped."""
    by_sound: dict[str, list[str]] = defaultdict(list)
    by_rest: dict[str, list[str]] = defaultdict(list)
    for family in families:
        by_sound[sound(family)].append(family)
        for rest in _rests(family):
            by_rest[rest].append(family)
    found = {family for code, shared in by_sound.items() if code and len(shared) > 1 for family in shared}
    for shared in by_rest.values():
        for one, other in combinations(shared, 2):
            if not (one in found and other in found) and families_alike(one, other):
                found |= {one, other}
    return frozenset(found)


def _rests(family: str) -> set[str]:
    """What is left of a name after at most as many letters are dropped as edits are allowed: names so few edits apart share one."""
    return {
        "".join(letter for i, letter in enumerate(family) if i not in dropped)
        for edits in range(edits_allowed(family) + 1)
        for dropped in combinations(range(len(family)), edits)
    }
