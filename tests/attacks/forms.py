"""A page's own forms, as a browser would send them: read out of its HTML, and filled where they are empty."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.utils import timezone

from tests.factories import PASSWORD

BUTTONS = ("submit", "button", "image", "reset", "file")


@dataclass
class PageForm:
    """One POST form: where it goes, and its fields with the values that a person who answers everything would send."""

    action: str
    values: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._form: PageForm | None = None
        self._select = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = PageForm(given.get("action", "")) if given.get("method", "").lower() == "post" else None
            if self._form:
                self.forms.append(self._form)
        elif self._form is None or ("name" not in given and tag != "option"):
            return
        elif tag == "input" and given.get("type", "text") not in BUTTONS:
            self._input(given)
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and self._select and given.get("value"):
            if "selected" in given or self._select not in self._form.values:
                self._form.values[self._select] = [given["value"]]
        elif tag == "textarea":
            self._form.values[given["name"]] = ["Because it is so"]
        elif tag == "button":
            self._form.values.setdefault(given["name"], [given.get("value", "")])

    def _input(self, given: dict[str, str]) -> None:
        assert self._form is not None
        name, kind, value = given["name"], given.get("type", "text"), given.get("value", "")
        if kind == "radio":
            if "checked" in given or name not in self._form.values:
                self._form.values[name] = [value]
        elif kind == "checkbox":
            self._form.values.setdefault(name, []).append(value or "on")
        elif name != "csrfmiddlewaretoken":
            self._form.values[name] = [value or _answer(name, kind)]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""


def _answer(name: str, kind: str) -> str:
    """What a person might type into an empty field of this name."""
    if kind == "password":
        return PASSWORD
    if name.endswith("_on") or "date" in name:
        return f"{timezone.now():%Y-%m-%d}"
    if name.endswith("_time"):
        return "00:00"
    if name.endswith(("_kg", "_mg", "_ml", "_ml_per_h", "_c", "_percent", "_mmhg", "_per_min", "value")) or kind == "number":
        return "70"
    return "Because it is so"


def forms_of(html: str) -> list[PageForm]:
    """The forms of a page that are sent with POST."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms
