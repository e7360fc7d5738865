"""The colors of the style sheet: contrast is computed from the tokens, because no checker sees every state of every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "static" / "cmvig.css").read_text()
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 1.4.3, 1.4.11
GROUNDS = ("paper", "surface", "sunken", "tint")
TONES = ("hard", "warn", "good", "info", "live")
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "soft", "link") for ground in GROUNDS),
    *((ink, "bar", TEXT) for ink in ("on-bar", "bar-soft")),
    ("on-bar", "bar-deep", TEXT),
    ("bar-focus", "bar", GRAPHIC),
    ("surface", "ink", TEXT),  # missed: the ground's color on ink
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-deep", TEXT),
    ("accent-deep", "tint", TEXT),
    ("on-hard", "hard", TEXT),
    ("on-warn", "warn", TEXT),
    *((f"{tone}-ink", f"{tone}-back", TEXT) for tone in TONES),
    *((f"{tone}-ink", ground, TEXT) for tone in ("hard",) for ground in ("paper", "surface", "sunken")),
    *((tone, ground, GRAPHIC) for tone in (*TONES, "accent", "edge", "focus") for ground in ("paper", "surface")),
    *((tone, f"{tone}-back", GRAPHIC) for tone in TONES),
    ("focus", "tint", GRAPHIC),
    ("accent", "tint", GRAPHIC),
]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


LIGHT, DARK = (tokens(block) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL))


def luminance(color: str) -> float:
    """Relative luminance as WCAG defines it, of #rrggbb."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_arithmetic_of_contrast_agrees_with_known_values():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize(("scheme", "colors"), [("light", LIGHT), ("dark", DARK)])
def test_every_text_and_every_shape_stands_out_from_its_ground(scheme, colors):
    weak = [
        f"{front} on {back}: {contrast(colors[front], colors[back]):.2f}, needs {least}"
        for front, back, least in PAIRS
        if contrast(colors[front], colors[back]) < least
    ]
    assert not weak, scheme + ": " + "; ".join(weak)


def test_both_schemes_have_the_same_tokens():
    assert LIGHT.keys() == DARK.keys()


def test_no_color_stands_outside_the_tokens():
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;, )])|\brgba?\(|\bhsla?\(", rules) == []


def test_every_token_that_is_used_exists():
    used = set(re.findall(r"var\(--([a-z-]+)\)", CSS))
    assert used - LIGHT.keys() - {"shade"} == set()


def test_red_is_used_by_hard_stops_and_wrong_fields_only():
    hard = {
        "notice-hard",
        "error-summary",
        "refusal",
        "tag-hard",
        "strip-hard",
        "field-error",
        "field-wrong",
        "aria-invalid",
        "button-stop",
    }
    for selector, body in re.findall(r"^([^\n{}@]+)\{([^}]*var\(--(?:on-)?hard[^}]*)\}", CSS, re.MULTILINE):
        assert any(name in selector for name in hard), f"{selector.strip()} is red: {body.strip()}"


def test_the_style_sheet_fetches_nothing():
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert "@font-face" not in CSS


def test_templates_hold_no_style_and_no_script_of_their_own():
    for template in (ROOT / "templates").rglob("*.html"):
        found = re.findall(r"\sstyle=|<style|\son[a-z]+=|hx-on|js:|<script(?![^>]*\ssrc=)", template.read_text())
        assert not found, f"{template.relative_to(ROOT)}: {found}"
