"""load_monograph and export_monograph: exit codes, messages, and the same bytes out as in."""

from __future__ import annotations

from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from regimens.library import SHIPPED
from regimens.models.library import Monograph

TEXT = SHIPPED.read_text("utf-8")
WEEK_4 = TEXT.index("mg_per_kg = 100", TEXT.index('code = "W4"'))


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("load_monograph", *arguments, stdout=out)
    return out.getvalue()


def export(*arguments: str) -> str:
    out = StringIO()
    call_command("export_monograph", *arguments, stdout=out)
    return out.getvalue()


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "monograph.toml"
    path.write_text(text, "utf-8")
    return str(path)


def failure(*arguments: str) -> tuple[int, str]:
    before = Monograph.objects.count()
    with pytest.raises(CommandError) as caught:
        load(*arguments)
    assert Monograph.objects.count() == before
    return caught.value.returncode, str(caught.value)


@pytest.mark.django_db
def test_export_gives_the_bytes_that_were_loaded():
    assert export() == TEXT
    assert export("--version", "1") == TEXT


@pytest.mark.django_db
def test_export_writes_utf_8_whatever_the_terminal_speaks():
    raw = BytesIO()
    terminal = TextIOWrapper(raw, encoding="ascii", newline="\r\n")
    call_command("export_monograph", stdout=terminal)
    terminal.flush()
    assert raw.getvalue().decode("utf-8") == TEXT


@pytest.mark.django_db
def test_export_of_a_version_that_is_not_there_fails():
    with pytest.raises(CommandError, match="There is no version 7") as caught:
        export("--version", "7")
    assert caught.value.returncode == 1
    Monograph.objects.update(state="retired", retired_at="2026-01-01T00:00:00Z")
    with pytest.raises(CommandError, match="No monograph is published"):
        export()
    assert export("--version", "1") == TEXT


@pytest.mark.django_db
def test_an_exported_file_loads_as_no_change_and_an_edited_one_as_a_draft(tmp_path):
    assert load(written(tmp_path, export())).startswith("unchanged: Monograph v1")
    edited = written(tmp_path, TEXT.replace('title = "Week 16"', 'title = "Week sixteen"'))
    assert load(edited).startswith("made Monograph draft")
    assert load(edited).startswith("unchanged: Monograph draft")
    assert Monograph.objects.filter(state="draft").count() == 1
    assert export() == TEXT


@pytest.mark.django_db
def test_a_refused_file_names_key_line_value_limit_and_reason(tmp_path):
    text = TEXT[:WEEK_4] + "mg_per_kg = 1500" + TEXT[WEEK_4 + len("mg_per_kg = 100") :]
    code, message = failure(written(tmp_path, text))
    line = text.splitlines().index("mg_per_kg = 1500") + 1
    assert code == 1
    assert f"protocol.kidney.dose[2].mg_per_kg (line {line}): value 1500, limit 500: " in message
    assert "above 500" in message


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (TEXT + "\n[extra]\n", 1, "extra (line "),
        (TEXT.replace('source = { kind = "us_label", ref = "Description; How supplied" }\n', ""), 1, "product.source"),
        ("", 1, "product is missing"),
        ("title = \n", 2, "line 1"),
    ],
)
def test_what_is_wrong_with_a_file_decides_the_exit_code(tmp_path, text, code, words):
    returned, message = failure(written(tmp_path, text))
    assert returned == code
    assert words in message


@pytest.mark.django_db
def test_a_file_that_is_not_there_or_no_text_is_unreadable(tmp_path):
    assert failure(str(tmp_path / "nothing.toml"))[0] == 2
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"title = \xff")
    returned, message = failure(str(path))
    assert returned == 2
    assert "line 1, column 9" in message


@pytest.mark.django_db
def test_the_shipped_file_changes_nothing_where_the_library_holds_one():
    before = list(Monograph.objects.values())
    assert load("--shipped").startswith("unchanged")
    assert list(Monograph.objects.values()) == before


def test_load_wants_a_file_or_the_shipped_one():
    for arguments in ((), ("--shipped", "a.toml")):
        with pytest.raises(CommandError):
            load(*arguments)
