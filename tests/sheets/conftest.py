"""One typesetting process for the tests of a module: starting it is most of the work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from regimens.sheets.typeset import Typesetter


@pytest.fixture(scope="module")
def typesetter() -> Iterator[Typesetter]:
    with Typesetter() as started:
        yield started
