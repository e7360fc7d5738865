"""Who appears in the demonstration: staff, and patients with names from several scripts. All invented."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from patients.roles import Role

CENTRE = {"name": "Demonstration Transplant Center", "time_zone": "America/New_York", "phone": "+1 555 0100"}

# Username, given and family name, role.
STAFF = (
    ("pharmacist1", "Kemi", "Adeyemi", Role.PHARMACIST),
    ("pharmacist2", "Rohan", "Patel", Role.PHARMACIST),
    ("nurse1", "Clara", "Oduya", Role.NURSE),
    ("nurse2", "Tomás", "Rivera", Role.NURSE),
    ("prescriber1", "Ingrid", "Solberg", Role.PRESCRIBER),
    ("editor1", "Ana", "Ruiz", Role.MONOGRAPH_EDITOR),
    ("editor2", "Ben", "Castellan", Role.MONOGRAPH_EDITOR),
    ("auditor1", "Miriam", "Haddad", Role.AUDITOR),
    ("administrator1", "Jun", "Takeda", Role.ADMINISTRATOR),
)


@dataclass(frozen=True, slots=True)
class Person:
    """One patient and where their course stands (see story.py for what each stage means)."""

    family: str
    given: str
    sex: str
    born: tuple[int, int, int]
    kg: str
    organs: tuple[str, ...]
    stage: str
    ward: str = "7 North"
    donor: str = "positive"
    recipient: str = "negative"

    @property
    def weight_kg(self) -> Decimal:
        return Decimal(self.kg)


def _p(family, given, sex, born, kg, organs, stage, *more) -> Person:
    return Person(family, given, sex, born, kg, tuple(organs.split()), stage, *more)


PATIENTS = (
    # Just transplanted, nothing built yet
    _p("Okonkwo", "Adaeze", "female", (1979, 7, 14), "70", "kidney", "arrived"),
    _p("Nguyễn", "Thị Lan", "female", (1988, 2, 29), "52.5", "liver", "arrived", "ICU 2"),
    _p("Halloran", "Pat", "other", (1961, 2, 2), "88", "lung", "arrived", "ICU 1"),
    # Ordered and not built yet; given a dose elsewhere that nobody has decided about; referred in week 5
    _p("Bergström", "Astrid", "female", (1975, 6, 2), "66", "kidney pancreas", "ordered"),
    _p("Costa", "Inês", "female", (1984, 9, 17), "58.5", "liver", "outside", "ICU 2"),
    _p("Oyelaran", "Tunde", "male", (1982, 1, 19), "79", "kidney", "late_start:35"),
    # Built, waiting for a second pharmacist
    _p("Okonkwo", "Adanna", "female", (1981, 3, 9), "64.2", "kidney", "built"),
    _p("Brandt", "Otto", "male", (1954, 9, 30), "93", "heart", "built", "ICU 1"),
    _p("李", "秀英", "female", (1969, 12, 1), "58.4", "liver", "built"),
    _p("Kowalczyk", "Zofia", "female", (1990, 5, 17), "61", "kidney pancreas", "returned"),
    # Verified, the 72 hours running
    _p("Silva", "Ana", "female", (2001, 11, 11), "56.8", "kidney", "initial_due"),
    _p("Papadopoulos", "Νίκος", "male", (1972, 8, 25), "81.5", "liver", "initial_due", "ICU 2"),
    _p("Smith", "John", "male", (1958, 1, 30), "104", "lung", "initial_late"),
    # Being infused at this moment
    _p("Иванова", "Мария", "female", (1966, 6, 6), "73.9", "kidney", "infusing"),
    _p("Haddad", "Samir", "male", (1983, 10, 19), "79", "heart", "infusing", "ICU 1"),
    # Given so far, the next visit ahead
    _p("Tanaka", "Hiroshi", "male", (1949, 4, 3), "62.5", "kidney", "on_course:9"),
    _p("O'Brien", "Siobhán", "female", (1976, 12, 24), "67.3", "liver", "on_course:20"),
    _p("Müller", "Jürgen", "male", (1963, 3, 15), "90.1", "kidney", "on_course:34"),
    _p("Rossi", "Giulia", "female", (1995, 7, 8), "54", "lung", "on_course:48"),
    _p("Kim", "Ji-woo", "female", (2004, 1, 22), "49.6", "kidney", "on_course:63"),
    _p("عبد الله", "يوسف", "male", (1970, 9, 9), "85", "liver", "on_course:77"),
    _p("Fernández", "Lucía", "female", (1986, 5, 30), "71.7", "heart", "on_course:90"),
    _p("Jensen", "Mads", "male", (1959, 11, 2), "125", "kidney", "on_course:100"),
    # Target day today, or the window open around it
    _p("Cohen", "Miriam", "female", (1968, 8, 18), "66", "kidney", "on_course:14"),
    _p("Dubois", "Chloé", "female", (1992, 10, 5), "59.9", "liver", "on_course:28"),
    _p("Anand", "Priya", "female", (1980, 6, 21), "63.4", "kidney pancreas", "on_course:42"),
    _p("Larsson", "Erik", "male", (1955, 2, 14), "83.2", "lung", "on_course:56"),
    _p("Mbeki", "Thabo", "male", (1974, 4, 27), "77.7", "kidney", "on_course:84"),
    _p("Santos", "João", "male", (1987, 12, 12), "68.8", "heart", "on_course:112"),
    _p("Weiß", "Greta", "female", (1999, 9, 1), "60.6", "kidney", "on_course:12"),
    # Overdue: the target day is past, the window still open
    _p("Petrov", "Dimitar", "male", (1962, 1, 7), "95.5", "kidney", "overdue:16"),
    _p("Yılmaz", "Elif", "female", (1994, 3, 28), "57.2", "liver", "overdue:30"),
    _p("Garcia", "Mateo", "male", (1971, 7, 19), "80", "lung", "overdue:87"),
    # Missed, nobody has decided
    _p("Hernandez", "Rosa", "female", (1965, 5, 5), "74", "kidney", "missed:19"),
    _p("Nowak", "Piotr", "male", (1978, 11, 23), "86.4", "liver", "missed:33"),
    _p("Eriksen", "Liv", "female", (1989, 8, 31), "62", "heart", "missed:61"),
    _p("Chukwu", "Emeka", "male", (1957, 10, 10), "78.3", "kidney", "missed:120"),
    # A reaction, a partial dose, a changed weight
    _p("Takahashi", "Yuki", "female", (1982, 2, 6), "53.1", "kidney", "reaction:24"),
    _p("Lindqvist", "Nils", "male", (1973, 6, 30), "91", "liver", "partial:21"),
    _p("Moreau", "Hugo", "male", (1985, 4, 16), "70", "kidney", "weight:35"),
    # Children
    _p("Baker", "Noah", "male", (2026, 2, 3), "6.45", "heart", "child:29", "Children's unit"),
    _p("Ochieng", "Amani", "female", (2014, 9, 21), "34.5", "kidney", "on_course:27", "Children's unit"),
    # Off-label pneumonitis after stem cells
    _p("Fischer", "Lena", "female", (1991, 1, 13), "70", "hsct", "pneumonitis", "9 West", "unknown", "positive"),
    _p("Reyes", "Gabriel", "male", (1967, 7, 27), "82.6", "hsct", "pneumonitis_built", "9 West", "unknown", "positive"),
    # Ended
    _p("Null", "Grace", "female", (1964, 12, 9), "69.9", "kidney", "completed:125"),
    _p("Adler", "Ruth", "female", (1953, 3, 3), "58", "liver", "stopped:45"),
    _p("Vasquez", "Ramón", "male", (1951, 8, 8), "84", "heart", "died:40"),
    _p("Hofmann", "Eva", "female", (1977, 5, 25), "65.5", "kidney", "contraindicated"),
)
