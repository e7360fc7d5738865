"""Which characters can be printed, and by which font files.

Sheets use fonts that come as packages, so that every machine prints the same: Latin, Vietnamese, Cyrillic, Greek, Arabic and
Hebrew. A character that none of them has is looked for in a font package for Chinese, Japanese and Korean and in the fonts of
the system; one that nothing has is named on the sheet and on screen, never printed as an empty box.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

BASE_PACKAGES = ("fontpkg_noto_sans", "fontpkg_noto_sans_arabic", "fontpkg_assistant")
CJK_PACKAGES = ("cvttf_NotoSansCJK_Regular",)
SYSTEM_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
# A system holds hundreds of fonts; those made for reading many scripts are asked first, and one is taken per character.
PREFERRED = ("NotoSansCJK", "NotoSans", "DejaVuSans", "NotoSerif", "Noto")
NO_INK = ("Cc", "Cf", "Zl", "Zp", "Zs")
VARIATION_SELECTORS = range(0xFE00, 0xFE10)
LONGEST_RUN = 24  # letters without a space after which a line may break
ZERO_WIDTH_SPACE = "\u200b"
RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
RIGHT_TO_LEFT_WORDS = re.compile(rf"[{RIGHT_TO_LEFT}](?:[{RIGHT_TO_LEFT} '’-]*[{RIGHT_TO_LEFT}])?")
ISOLATE, END_ISOLATE = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font file, its family name and the code points it has, as ranges: starts and ends, both inclusive and rising."""

    path: Path
    family: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def has(self, code: int) -> bool:
        """Whether the font has a glyph for this code point."""
        place = bisect_right(self.starts, code) - 1
        return place >= 0 and code <= self.ends[place]


class UnreadableFont(Exception):
    """The file is not a font this reader understands; it is left out."""


def missing_glyphs(text: str) -> str:
    """The characters of the text that no font here can print, each once, in order; "" when all can be printed."""
    if text.isascii():
        return ""
    return "".join(dict.fromkeys(char for char in unicodedata.normalize("NFC", text) if not _font_for(char)))


def printable(text: str) -> str:
    """The text as it goes to paper.

    Letters are composed, characters without a glyph become their code point in brackets, right-to-left words are isolated so
    that what stands around them keeps its order, and words too long for a line may break.
    """
    if text.isascii() and text.isprintable() and max(map(len, text.split()), default=0) <= LONGEST_RUN:
        return text
    composed = "".join(char for char in unicodedata.normalize("NFC", text) if not _is_control(char))
    for char in missing_glyphs(composed):
        composed = composed.replace(char, f"[U+{ord(char):04X}]")
    composed = RIGHT_TO_LEFT_WORDS.sub(lambda words: f"{ISOLATE}{words.group()}{END_ISOLATE}", composed)
    return " ".join(_breakable(word) for word in composed.split(" "))


def fonts_for(texts: Iterable[str]) -> tuple[FontFile, ...]:
    """The font files a sheet with these texts needs: the packaged ones always, another only for a character they lack."""
    extra: dict[Path, FontFile] = {}
    for char in dict.fromkeys("".join(texts)):
        font = _font_for(char)
        if font is not None and font not in _base_fonts():
            extra[font.path] = font
    return (*_base_fonts(), *extra.values())


def _is_control(char: str) -> bool:
    """Control characters and directional overrides are dropped: a name may not turn the line around it."""
    return unicodedata.category(char) == "Cc" or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"


def _breakable(word: str) -> str:
    if len(word) <= LONGEST_RUN:
        return word
    pieces, run = [], 0
    for char in word:
        if run >= LONGEST_RUN and not unicodedata.combining(char):
            pieces.append(ZERO_WIDTH_SPACE)
            run = 0
        pieces.append(char)
        run += 1
    return "".join(pieces)


@cache
def _font_for(char: str) -> FontFile | None:
    """The first font that has the character; for what leaves no ink, the first font of all."""
    code = ord(char)
    if unicodedata.category(char) in NO_INK or code in VARIATION_SELECTORS:
        return _base_fonts()[0]
    return next((font for font in _all_fonts() if font.has(code)), None)


@cache
def _base_fonts() -> tuple[FontFile, ...]:
    fonts = tuple(read_font(path) for path in _package_files(BASE_PACKAGES))
    if not fonts:
        raise UnreadableFont(f"none of the font packages is installed: {', '.join(BASE_PACKAGES)}")
    return fonts


def _all_fonts() -> Iterator[FontFile]:
    """Fonts in the order they are asked; one that cannot be read is passed over."""
    yield from _base_fonts()
    for path in (*_package_files(CJK_PACKAGES), *_system_files()):
        with suppress(UnreadableFont):
            yield read_font(path)


def _package_files(packages: Iterable[str]) -> tuple[Path, ...]:
    """Upright font files of the packages that are installed, in the order of the packages."""
    files: list[Path] = []
    for package in packages:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            files += sorted(
                path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and "Italic" not in path.name
            )
    return tuple(files)


@cache
def _system_files() -> tuple[Path, ...]:
    found = [
        path
        for folder in (*SYSTEM_FOLDERS, Path.home() / ".fonts", Path.home() / ".local/share/fonts")
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in SUFFIXES
    ]
    return tuple(sorted((path for path in found if "Italic" not in path.name and "Oblique" not in path.name), key=_preference))


def _preference(path: Path) -> tuple[int, int, str]:
    family = next((place for place, start in enumerate(PREFERRED) if path.name.startswith(start)), len(PREFERRED))
    return family, 0 if "Regular" in path.name else 1, path.name


@cache
def read_font(path: Path) -> FontFile:
    """Family name and characters of the first face in the file; UnreadableFont when it is damaged or of another kind."""
    try:
        blob = path.read_bytes()
        tables = _tables(blob)
        ranges = _merged(_ranges(blob, tables["cmap"]))
        return FontFile(
            path, _family(blob, tables["name"]), tuple(start for start, _ in ranges), tuple(end for _, end in ranges)
        )
    except (OSError, KeyError, IndexError, struct.error, UnicodeDecodeError) as problem:
        raise UnreadableFont(path.name) from problem


def _tables(blob: bytes) -> dict[str, int]:
    """Table name to offset (OpenType, "Organization of an OpenType font"; in a collection, of its first face)."""
    start = struct.unpack_from(">I", blob, 12)[0] if blob[:4] == b"ttcf" else 0
    (count,) = struct.unpack_from(">H", blob, start + 4)
    tables = {}
    for index in range(count):
        tag, _, offset, _ = struct.unpack_from(">4sIII", blob, start + 12 + 16 * index)
        tables[tag.decode("latin-1")] = offset
    return tables


def _family(blob: bytes, base: int) -> str:
    """The typographic family (name 16), else the family (name 1), from a Unicode record."""
    _, count, storage = struct.unpack_from(">HHH", blob, base)
    names = {}
    for index in range(count):
        platform, _, language, name, length, offset = struct.unpack_from(">HHHHHH", blob, base + 6 + 12 * index)
        if platform == 3 and language == 0x409 and name in (1, 16):
            start = base + storage + offset
            names[name] = blob[start : start + length].decode("utf-16-be")
    return names.get(16) or names[1]


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in rising order, touching ones joined."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _ranges(blob: bytes, base: int) -> Iterator[tuple[int, int]]:
    """Code points of all Unicode subtables (OpenType "cmap", formats 4 and 12)."""
    (count,) = struct.unpack_from(">H", blob, base + 2)
    for index in range(count):
        platform, _, offset = struct.unpack_from(">HHI", blob, base + 4 + 8 * index)
        (kind,) = struct.unpack_from(">H", blob, base + offset)
        if platform in (0, 3) and kind == 4:
            yield from _segments(blob, base + offset)
        elif platform in (0, 3) and kind == 12:
            yield from _groups(blob, base + offset)


def _segments(blob: bytes, base: int) -> Iterator[tuple[int, int]]:
    (double,) = struct.unpack_from(">H", blob, base + 6)
    count = double // 2
    ends = struct.unpack_from(f">{count}H", blob, base + 14)
    starts = struct.unpack_from(f">{count}H", blob, base + 16 + double)
    offsets_at = base + 16 + 3 * double
    offsets = struct.unpack_from(f">{count}H", blob, offsets_at)
    for index, (start, end, offset) in enumerate(zip(starts, ends, offsets, strict=True)):
        if start == 0xFFFF:  # the closing segment of every such table
            continue
        if not offset:
            yield start, end
            continue
        for code in range(start, end + 1):
            (glyph,) = struct.unpack_from(">H", blob, offsets_at + 2 * index + offset + 2 * (code - start))
            if glyph:
                yield code, code


def _groups(blob: bytes, base: int) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">I", blob, base + 12)
    for index in range(count):
        start, end, glyph = struct.unpack_from(">III", blob, base + 16 + 12 * index)
        if glyph or end > start:
            yield (start if glyph else start + 1), end
