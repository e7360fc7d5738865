"""Reading and writing a monograph file: nothing unknown, unsourced or unsafe gets in, and what goes out comes back the same."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regimens.domain.library_checks import LIMITS, problems
from regimens.domain.library_file import dump, parse
from regimens.domain.library_text import Unreadable, decoded, line_of
from regimens.domain.monograph import Monograph, Question, Section, Source, SourceKind
from regimens.domain.reasons import Refused
from regimens.domain.units import number
from regimens.library import SHIPPED

TEXT = SHIPPED.read_text("utf-8")
SHIPPED_VALUE = parse(TEXT)
SOURCE = Source(SourceKind.SITE_POLICY, "Test")


def changed(old: str, new: str, *, after: str = "") -> str:
    """The shipped file with the first ``old`` after a mark replaced."""
    start = TEXT.index(after)
    place = TEXT.index(old, start)
    return TEXT[:place] + new + TEXT[place + len(old) :]


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(text)
    return caught.value


WEEK_4 = 'code = "W4"'
KIDNEY = "protocol.kidney"
W4 = "protocol.kidney.dose[2]"
CAP = "cap_mg_per_kg = 150"
STEP = "rate_table.initial.step"


def week_4(old: str, new: str) -> str:
    return changed(old, new, after=WEEK_4)


def dose(new: str) -> str:
    """The shipped file with another line for week 4's dose in the kidney protocol."""
    return week_4("mg_per_kg = 100", new)


@pytest.mark.parametrize(
    ("text", "code", "field", "value", "limit"),
    [
        (dose("mg_per_kg = 1500"), "above_limit", f"{W4}.mg_per_kg", "1500", "500"),
        (dose("mg_per_kg = 0.5"), "below_limit", f"{W4}.mg_per_kg", "0.5", "1"),
        (dose("mg_per_kg = -100"), "below_limit", f"{W4}.mg_per_kg", "-100", "1"),
        (dose("mg_per_kg = 150.01"), "above_cap", f"{W4}.mg_per_kg", "150.01", "150"),
        (dose('mg_per_kg = "100"'), "wrong_type", f"{W4}.mg_per_kg", "100", "a number"),
        (dose("mg_per_kg = true"), "wrong_type", f"{W4}.mg_per_kg", "True", "a number"),
        (dose("mg_per_kg = nan"), "not_a_number", f"{W4}.mg_per_kg", "NaN", "a number"),
        (dose("mg_per_kg = 1e9"), "above_limit", f"{W4}.mg_per_kg", "1E+9", "10,000"),
        (dose("mg_per_kg = 33.333"), "too_many_decimals", f"{W4}.mg_per_kg", "33.333", "2 decimals"),
        (week_4("mg_per_kg = 100\n", ""), "missing", f"{W4}.mg_per_kg", "none", "a number"),
        (dose("mg_per_lb = 100\nmg_per_kg = 100"), "unknown_key", f"{W4}.mg_per_lb", "100", None),
        (week_4("offset_days = 28", "offset_days = 28.5"), "wrong_type", f"{W4}.offset_days", "28.5", "a whole number"),
        (week_4("offset_days = 28", "offset_days = -28"), "below_limit", f"{W4}.offset_days", "-28", None),
        (week_4("offset_days = 28", "offset_days = 14"), "order", f"{W4}.offset_days", "14", "15"),
        (week_4("opens_days_before = 3", "opens_days_before = 11"), "windows_overlap", f"{W4}.opens_days_before", "11", "10"),
        (week_4("opens_days_before = 3", "opens_days_before = 15"), "above_limit", f"{W4}.opens_days_before", "15", "14"),
        (week_4("closes_days_after = 3", "closes_days_after = 11"), "late_day_in_window", f"{W4}.latest_late_day", "38", "39"),
        (week_4("latest_late_day = 38", "latest_late_day = 42"), "late_day_too_late", f"{W4}.latest_late_day", "42", "41"),
        (
            week_4("min_interval_hours = 168", "min_interval_hours = 337"),
            "interval_too_long",
            f"{W4}.min_interval_hours",
            "337",
            "336",
        ),
        (
            changed("closes_after_hours = 72", "closes_after_hours = 96"),
            "above_limit",
            f"{KIDNEY}.dose[0].closes_after_hours",
            "96",
            "72",
        ),
        (changed("offset_days = 0", "offset_days = 1"), "two_windows", f"{KIDNEY}.dose[0].closes_after_hours", "72", None),
        (changed('code = "W4"', 'code = "W2"'), "twice", f"{W4}.code", "W2", None),
        (changed(CAP, "cap_mg_per_kg = 400"), "above_label", f"{KIDNEY}.cap_mg_per_kg", "400", "150"),
        (changed(CAP, "cap_mg_per_kg = 501"), "above_limit", f"{KIDNEY}.cap_mg_per_kg", "501", "500"),
        (changed('organs = ["kidney"]', 'organs = ["spleen"]'), "unknown_word", f"{KIDNEY}.organs", "spleen", None),
        (changed('organs = ["kidney"]', "organs = []"), "missing", f"{KIDNEY}.organs", "none", None),
        (changed('anchor = "transplant"', 'anchor = "referral"'), "unknown_word", f"{KIDNEY}.anchor", "referral", None),
        (
            changed('alternative_of = "D21"', 'alternative_of = "D22"'),
            "unknown_word",
            "protocol.hsct_pneumonitis.dose[5].alternative_of",
            "D22",
            None,
        ),
        (
            changed("optional = true\n", "", after='code = "D21_ALT"'),
            "not_optional",
            "protocol.hsct_pneumonitis.dose[5].optional",
            "false",
            "true",
        ),
        (changed("mg_per_kg_per_h = 60", "mg_per_kg_per_h = 29"), "rate_falls", f"{STEP}[2].mg_per_kg_per_h", "29", "30"),
        (changed("mg_per_kg_per_h = 60", "mg_per_kg_per_h = 61"), "above_limit", f"{STEP}[2].mg_per_kg_per_h", "61", "60"),
        (changed("mg_per_kg_per_h = 15\nminutes = 30", "mg_per_kg_per_h = 15"), "missing", f"{STEP}[0].minutes", "none", None),
        (
            changed("mg_per_kg_per_h = 60", "mg_per_kg_per_h = 60\nminutes = 30"),
            "last_step_ends",
            f"{STEP}[2].minutes",
            "30",
            None,
        ),
        (TEXT.replace("rate_table.subsequent", "rate_table.later"), "unknown_key", "rate_table.later", "later", None),
        (changed("value = 75", "value = 75.5"), "above_limit", "limit.max_rate_ml_per_h.value", "75.5", "75"),
        (changed("value = 75", "value = 750"), "above_limit", "limit.max_rate_ml_per_h.value", "750", "75"),
        (changed("value = 12", "value = 24"), "above_limit", "limit.finish_within_h.value", "24", "12"),
        (changed("value = 12", "value = 5"), "order", "limit.begin_within_h.value", "6", "5"),
        (
            changed('unit = "mL per h"', 'unit = "mL per min"'),
            "wrong_unit",
            "limit.max_rate_ml_per_h.unit",
            "mL per min",
            "mL per h",
        ),
        (
            changed("[limit.max_rate_ml_per_h]", "[limit.max_rate_ml_per_hr]"),
            "unknown_key",
            "limit.max_rate_ml_per_hr",
            "max_rate_ml_per_hr",
            None,
        ),
        (
            changed("concentration_mg_per_ml = 50", "concentration_mg_per_ml = 500"),
            "above_limit",
            "product.concentration_mg_per_ml",
            "500",
            "200",
        ),
        (changed("content_mg = 2500", "content_mg = 250"), "content_does_not_fit", "product.vial[0].content_mg", "250", "2500"),
        (changed('seriousness = "common"', 'seriousness = "mild"'), "unknown_word", "reaction[0].seriousness", "mild", None),
        (changed('term = "Flushing"', 'term = "Chills"'), "twice", "reaction[1].term", "Chills", None),
        (
            changed('code = "iga_deficiency"', 'code = "iga"'),
            "missing",
            "statement.contraindication.iga_deficiency",
            "none",
            None,
        ),
        (changed('title = "Usage"', f'title = "{"x" * 121}"'), "too_long", "section.usage.title", "121", "120"),
        (changed('title = "Usage"', 'title = " "'), "empty", "section.usage.title", "empty", None),
        (changed('kind = "us_label"', 'kind = "label"'), "unknown_word", "product.source.kind", "label", None),
        (changed('ref = "Description; How supplied"', 'ref = ""'), "empty", "product.source.ref", "empty", None),
        (TEXT.replace("protocol.kidney", 'protocol."kid ney"'), "not_a_code", "protocol.kid ney", None, None),
        (week_4('code = "W4"', 'code = "4W"'), "not_a_code", f"{W4}.code", "4W", None),
        (week_4('title = "Week 4"', 'title = "\\u0000"'), "not_text", f"{W4}.title", None, None),
        (changed('"no preservative"', '""'), "wrong_type", "product.excipients", "a list", None),
        (changed('"no preservative"', f'"{"x" * 81}"'), "too_long", "product.excipients", None, "80"),
        (
            changed("opens_days_before = 0", "opens_days_before = 1", after='code = "D1"'),
            "window_before_anchor",
            "protocol.hsct_pneumonitis.dose[0].opens_days_before",
            "1",
            "0",
        ),
        ("color = 1\n" + TEXT, "unknown_key", "color", "1", None),
    ],
)
def test_a_file_with_something_wrong_is_refused_by_its_key(
    text: str, code: str, field: str, value: str | None, limit: str | None
) -> None:
    refused = refusal(text)
    assert (refused.code, refused.field) == (code, field)
    assert value is None or refused.value == value
    assert limit is None or refused.limit == limit
    assert refused.sentence
    assert refused.source


@pytest.mark.parametrize(
    "mark",
    [
        "[product]",
        "[protocol.kidney]",
        WEEK_4,
        "[rate_table.initial]",
        "[limit.begin_within_h]",
        "[section.usage]",
        "[[question]]",
        "[[reaction]]",
        "[[statement]]",
    ],
)
def test_nothing_comes_in_without_its_source(mark: str) -> None:
    start = TEXT.index(mark)
    line = re.search(r"^source = .*\n", TEXT[start:], re.MULTILINE)
    assert line
    refused = refusal(TEXT[:start] + TEXT[start:].replace(line[0], "", 1))
    assert refused.code == "missing_source"
    assert refused.field.endswith(".source")


@pytest.mark.parametrize("key", ["window_source", "cap_source"])
def test_windows_and_caps_have_a_source_of_their_own(key: str) -> None:
    refused = refusal(re.sub(rf"^{key} = .*\n", "", TEXT, count=1, flags=re.MULTILINE))
    assert (refused.code, refused.field.rpartition(".")[2]) == ("missing_source", key)


@pytest.mark.parametrize("code", sorted(LIMITS))
def test_a_monograph_lacks_no_limit_that_a_rule_refers_to(code: str) -> None:
    text = re.sub(rf"^\[limit\.{code}\]\n(.+\n)+\n", "", TEXT, flags=re.MULTILINE)
    assert text != TEXT
    refused = refusal(text)
    assert (refused.code, refused.field) in {
        ("missing", f"limit.{code}"),
        ("above_limit", "rate_table.initial.step[2].mg_per_kg_per_h"),
    }


@pytest.mark.parametrize("table", ["product", "protocol", "rate_table", "limit"])
def test_a_list_where_a_table_belongs_is_refused(table: str) -> None:
    without = [block for block in TEXT.split("\n\n") if not block.startswith((f"[{table}", f"[[{table}"))]
    refused = refusal("\n\n".join([f"{table} = []", *without]))
    assert (refused.code, refused.field, refused.value) == ("wrong_type", table, "a list")


@pytest.mark.parametrize("row", ["question", "reaction", "statement", "reason"])
def test_something_else_where_rows_belong_is_refused(row: str) -> None:
    without = [block for block in TEXT.split("\n\n") if not block.startswith(f"[[{row}")]
    assert refusal("\n\n".join([f"{row} = [1]", *without])).field == row


def test_what_is_not_toml_is_unreadable_and_names_the_line() -> None:
    with pytest.raises(Unreadable, match="line 4"):
        parse(changed('title = "', "title = "))


def test_what_is_nested_beyond_reason_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="nested too deeply"):
        parse(f"x = {'[' * 100_000}")


def test_what_is_not_utf_8_is_unreadable_and_names_line_and_column() -> None:
    with pytest.raises(Unreadable, match="line 2, column 3"):
        decoded(b"ab\nab\xff")
    assert decoded(b"\xef\xbb\xbfab") == "ab"


def test_a_numbers_spelling_does_not_matter() -> None:
    assert parse(changed("mg_per_kg = 150", "mg_per_kg = 150.00")) == SHIPPED_VALUE


def test_export_load_export_gives_the_same_bytes() -> None:
    assert dump(SHIPPED_VALUE) == TEXT
    with_windows_lines = TEXT.replace("\n", "\r\n")
    assert dump(parse(with_windows_lines)) == TEXT


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1), min_size=4, max_size=4)
)
def test_any_text_survives_export_and_load(words: list[str]) -> None:
    question, answer, title, text = (word if word.strip() else f"x{word}" for word in words)
    monograph = replace(
        SHIPPED_VALUE,
        questions=(Question(question[:200] if question[:200].strip() else "x", answer, SOURCE),),
        sections=(Section("only", title[:120] if title[:120].strip() else "x", text, SOURCE),),
    )
    written = dump(monograph)
    again = parse(written)
    assert again == monograph
    assert dump(again) == written


@pytest.mark.parametrize(
    "hostile", ["{{ 7*7 }}", "{% debug %}", "<script>x</script>", "${x}", '"""', "'''", "a\\nb", "# no comment"]
)
def test_text_is_kept_literally(hostile: str) -> None:
    monograph = replace(SHIPPED_VALUE, sections=(Section("only", hostile, f"{hostile}\n{hostile}", SOURCE),))
    assert parse(dump(monograph)).sections[0].text == f"{hostile}\n{hostile}"


def test_a_centre_can_add_its_own_protocol_without_code() -> None:
    own = TEXT[TEXT.index("[protocol.kidney]") : TEXT.index("[protocol.other_organ]")].replace(
        "protocol.kidney", "protocol.kidney_short"
    )
    monograph = parse(TEXT.replace("[rate_table.initial]", own + "[rate_table.initial]", 1))
    assert [protocol.code for protocol in monograph.protocols][-1] == "kidney_short"
    assert parse(dump(monograph)) == monograph


def test_lists_may_be_empty_where_no_rule_needs_them() -> None:
    monograph = replace(SHIPPED_VALUE, questions=(), reactions=(), sections=())
    assert parse(dump(monograph)) == monograph


def test_problems_finds_all_of_them_in_the_order_of_the_file() -> None:
    monograph = SHIPPED_VALUE
    kidney, *others = monograph.protocols
    doses = tuple(replace(row, mg_per_kg=Decimal(1500)) for row in kidney.doses)
    broken = replace(monograph, protocols=(replace(kidney, doses=doses), *others), reasons=())
    assert [problem.field for problem in problems(broken)][:8] == [
        *(f"protocol.kidney.dose[{index}].mg_per_kg" for index in range(7)),
        "reason.omitted",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"protocols": ()},
        {"rate_tables": ()},
        {"limits": ()},
        {"statements": ()},
        {"reasons": ()},
    ],
)
def test_nobody_plans_from_a_monograph_that_lacks_its_numbers(change: dict[str, tuple[()]]) -> None:
    assert problems(replace(SHIPPED_VALUE, **change))  # type: ignore[arg-type]


def test_a_protocol_without_doses_and_a_table_without_steps_are_problems() -> None:
    monograph: Monograph = SHIPPED_VALUE
    protocols = tuple(replace(protocol, doses=(), enabled=False, population="old") for protocol in monograph.protocols)
    tables = tuple(replace(table, steps=()) for table in monograph.rate_tables)
    empty = replace(monograph, product=replace(monograph.product, vials=()), protocols=protocols, rate_tables=tables)
    found = {problem.field for problem in problems(empty, in_use=True)}
    assert {
        "protocol.kidney.dose",
        "protocol",
        "rate_table.initial.step",
        "product.vial",
        "protocol.kidney.population",
    } <= found
    text = dump(empty)
    assert [text.count(f"\n{key} = []\n") for key in ("vial", "dose", "step")] == [1, 4, 2]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("title", 'title = "Cytomegalovirus'),
        ("product.source", 'source = { kind = "us_label", ref = "Description; How'),
        ("product.source.kind", 'source = { kind = "us_label", ref = "Description; How'),
        ("protocol.kidney", "[protocol.kidney]"),
        ("rate_table.initial.step[1].mg_per_kg_per_h", "mg_per_kg_per_h = 30"),
        ("limit.begin_within_h.value", "value = 6"),
    ],
)
def test_a_key_path_is_found_on_its_line(path: str, line: str) -> None:
    number = line_of(TEXT, path)
    assert number
    assert TEXT.splitlines()[number - 1].startswith(line)


def test_a_key_in_the_third_row_is_found_there_and_a_missing_one_at_its_heading() -> None:
    lines = TEXT.splitlines()
    place = line_of(TEXT, "protocol.kidney.dose[2].mg_per_kg")
    heading = line_of(TEXT, "protocol.kidney.dose[2].nothing")
    assert place
    assert heading
    assert lines[heading - 1 : heading + 1] == ["[[protocol.kidney.dose]]", 'code = "W4"']
    assert lines[place - 1] == "mg_per_kg = 100"
    assert heading < place < heading + 6
    assert line_of(TEXT, "nowhere") is None


def test_what_looks_like_a_key_inside_a_passage_is_not_one() -> None:
    text = dump(replace(SHIPPED_VALUE, sections=(Section("only", "Only", "x\nnowhere = 1\n[nowhere]\nx", SOURCE),)))
    assert "\n[nowhere]\n" in text
    assert line_of(text, "nowhere") is None


def test_the_format_is_described_with_every_key_and_limit() -> None:
    described = (SHIPPED.parents[2] / "docs" / "monograph-format.md").read_text("utf-8")
    keys = set(re.findall(r"^([a-z_]+) = ", TEXT, re.MULTILINE)) | set(re.findall(r"^\[+([a-z_]+)", TEXT, re.MULTILINE))
    assert [key for key in sorted(keys) if f"`{key}`" not in described and f"[{key}" not in described] == []
    rows = [f"| `{code}` | {bound.unit} | {number(bound.low)} to {number(bound.high)} |" for code, bound in LIMITS.items()]
    assert [row for row in rows if row not in described] == []
