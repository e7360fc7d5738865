"""A refusal: what was not done, why, and who says so. Pages show the sentence as it stands."""

from __future__ import annotations


class Refusal(Exception):
    """An action that was not carried out.

    ``code`` is stable and is what tests and pages match on; ``sentence`` is plain words for the person; ``source`` names the
    rule's origin; ``field`` the form field it belongs to, or "" when it belongs to the whole page.
    """

    def __init__(self, code: str, sentence: str, *, source: str = "", field: str = "") -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.source = source
        self.field = field
