"""Who may do what: the actions and the addresses, cell by cell, as tests/role_actions.csv and tests/access_matrix.csv say.

The matrices are decided, not recorded: a new action or address fails until somebody has written its row. To see the rows that are
missing: ./dev test tests/attacks/test_access_matrix.py -k every_address_has

Cells: yes (may be there; a form's errors are an answer too), no (403 or 404), 404 (and nothing else), 302 (sent to another page of
the site), asks (an empty form is answered; its action refuses this role), login, none (there is no such method), staff (the
admin site's own rules, in tests/pages/test_admin_accounts.py), session (signing in and out, in tests/patients/test_sign_in.py and
test_sessions.py). POST is sent empty: it says who is let in, and changes nothing.
"""

from __future__ import annotations

import csv
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from patients.models import RowChange
from patients.roles import MAY, Role
from tests.attacks.objects import Route, make_cast, routes
from tests.attacks.walking import answer_class, client_of
from tests.factories import make_member
from tests.support import count

HERE = Path(__file__).parent.parent
ACTORS = [*Role.values, "stranger", "anonymous"]
METHODS = ("GET", "POST", "HEAD")[: count(2, 3)]
MEANS = {
    "yes": {"200", "302", "400"},
    "asks": {"200"},
    "no": {"403", "404"},
    "404": {"404"},
    "302": {"302"},
    "login": {"login", "401"},
    "none": {"403", "404", "405"},
    "staff": {"200", "302", "403", "404", "405"},
}
NEVER = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def rows_of(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file))


MATRIX = rows_of("access_matrix.csv")


def row_of(route: Route, method: str) -> dict[str, str] | None:
    """The first row that fits; a pattern such as admin:patients_* stands for many addresses, and HEAD follows GET."""
    asked = "GET" if method == "HEAD" else method
    return next((row for row in MATRIX if row["method"] == asked and fnmatchcase(route.name, row["route"])), None)


def test_every_action_is_for_the_roles_the_matrix_names_and_no_other():
    told = {row.pop("action"): {role for role, cell in row.items() if cell == "yes"} for row in rows_of("role_actions.csv")}
    assert told == {action: set(roles) for action, roles in MAY.items()}
    assert all(cell in ("yes", "no") for row in rows_of("role_actions.csv") for cell in list(row.values())[1:])


def test_every_address_has_a_row_for_every_method():
    missing = [f"{route.name},{method}" for route in routes() for method in ("GET", "POST") if row_of(route, method) is None]
    assert not missing, "\n".join(missing)


def test_every_row_is_of_an_address_that_exists():
    names = [route.name for route in routes()]
    unused = [
        row["route"] for row in rows_of("access_matrix.csv") if not any(fnmatchcase(name, row["route"]) for name in names)
    ]
    assert not unused


@pytest.mark.django_db
@pytest.mark.parametrize("actor", ACTORS)
def test_every_cell_is_as_the_matrix_says(actor):
    cast = make_cast()
    member = None if actor == "anonymous" else make_member() if actor == "stranger" else cast.people[actor]
    client, wrong, cells, before = client_of(member), [], 0, RowChange.objects.exclude(patient_id=None).count()
    for route in routes():
        for method in METHODS:
            row = row_of(route, method)
            wanted = row[actor] if row else "no row"
            if wanted == "session":
                continue
            path = route.fill(dict.fromkeys(route.parts, "1")) if route.is_admin else cast.address(route)
            found = answer_class(client.generic(method, path.replace("(?P<url>.*)$", "nowhere")))
            cells += 1
            # The admin site sends whoever it does not let in elsewhere: to sign in as somebody else, or back to its first page.
            if found not in MEANS.get(wanted, set()) and not (route.is_admin and wanted == "no" and found in ("login", "302")):
                wrong.append(f"{route.name} {method}: {found}, and the matrix says {wanted}")
    assert not wrong, "\n".join(wrong)
    # Two buttons about patients have no field: printing a sheet, and acknowledging an emergency access.
    touched = RowChange.objects.exclude(patient_id=None).order_by("pk").values_list("tbl", flat=True)[before:]
    assert set(touched) <= {"regimens_sheetcopy", "patients_breakglass"}
    assert cells >= 200


@pytest.mark.django_db
def test_no_address_knows_any_other_method():
    cast = make_cast()
    clients = [client_of(cast.people[Role.PHARMACIST]), client_of(None)]
    for route in routes():
        if not route.is_admin:
            for client in clients:
                for method in NEVER:
                    assert client.generic(method, cast.address(route)).status_code == 405, (route.name, method)
