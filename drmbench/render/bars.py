# SPDX-License-Identifier: MIT
"""Bars of a section as lines of (text, style): blocks and colours for a terminal, plain letters elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.render.document import Bar, Section

Line = list[tuple[str, str]]
"""Pieces of a line, each with the name of a style, "" for none."""

STYLES = ("fault", "hit")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"
_LETTERS = "#="
_WIDTH = 80
_MOST_MARK = 24
_LEAST_BAR = 8


def bar_lines(section: Section, *, blocks: bool) -> Iterator[Line]:
    """At most 80 columns each: the bars, then what their two kinds mean."""
    label = max((len(bar.label) for bar in section.bars), default=0)
    value = max((len(bar.value) for bar in section.bars), default=0)
    left = max(0, _WIDTH - label - value - _LEAST_BAR - 5)
    mark = min(_MOST_MARK, left, max((len(bar.mark) for bar in section.bars), default=0))
    room = max(_LEAST_BAR, _WIDTH - label - value - mark - 5)
    for bar in section.bars:
        line: Line = [(f"{bar.label:>{label}} {bar.value:>{value}} ", ""), *_drawn(bar, room, blocks=blocks)]
        if bar.mark:
            used = sum(len(text) for text, _style in line)
            line.append((" " * (label + value + 2 + room - used) + f" {'◂' if blocks else '<'} {bar.mark[:mark]}",
                         "mark"))
        yield line
    if section.bars:
        signs = (_FULL, _FULL) if blocks else tuple(_LETTERS)
        yield [(f"{'':>{label + value + 2}}", ""), (signs[0], STYLES[0]), (f" {section.bar_kinds[0]}   ", ""),
               (signs[1], STYLES[1]), (f" {section.bar_kinds[1]}   bars on a log scale", "")]


def _drawn(bar: Bar, room: int, *, blocks: bool) -> Line:
    """The bar, first kind first; anything that is there is at least one sign long."""
    if bar.length <= 0:
        return []
    eighths = max(8 if not blocks else 1, round(8 * room * min(1.0, bar.length)))
    first = round(eighths * bar.first / 8) * 8 if 0 < bar.first < 1 else round(eighths * bar.first)
    if 0 < bar.first < 1:
        eighths = max(eighths, 16)
        first = min(max(8, first), eighths - 8)
    parts = ((first, STYLES[0], _LETTERS[0]), (eighths - first, STYLES[1], _LETTERS[1]))
    return [(_signs(length, blocks=blocks, letter=letter), style) for length, style, letter in parts if length > 0]


def _signs(eighths: int, *, blocks: bool, letter: str) -> str:
    if not blocks:
        return letter * max(1, round(eighths / 8))
    rest = _EIGHTHS[eighths % 8] if eighths % 8 else ""
    return _FULL * (eighths // 8) + rest


def plain_bars(section: Section) -> list[str]:
    """The same without styles."""
    return ["".join(text for text, _style in line).rstrip() for line in bar_lines(section, blocks=False)]
