"""What is typed to sign: the password exactly as it was typed, by one field for every form."""

from __future__ import annotations

import ast
from pathlib import Path

from regimens.forms.course import SignForm

FORMS = Path(__file__).parents[2] / "regimens" / "forms"


def test_a_password_is_never_trimmed() -> None:
    form = SignForm({"password": "  with spaces around "})
    assert form.is_valid() and form.cleaned_data["password"] == "  with spaces around "


def test_every_form_takes_its_password_field_from_one_place() -> None:
    made = [path.name for path in FORMS.glob("*.py") if "PasswordInput" in ast.dump(ast.parse(path.read_text()))]
    assert made == ["common.py"]
