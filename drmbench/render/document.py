# SPDX-License-Identifier: MIT
"""What a report looks like to a person, before a format is chosen: titled tables and lines of text."""

from __future__ import annotations

from dataclasses import dataclass, field

from drmbench.errors import printable


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; numbers stand to the right. A `grows` column takes what room is left and may wrap.

    `width` fixes its characters in plain text, so that tables below one another line up.
    """

    name: str
    number: bool = False
    grows: bool = False
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of `length` (0 to 1), of which `first` (0 to 1) is of the first kind; `mark` stands behind it."""

    label: str
    value: str
    length: float
    first: float
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a table (perhaps without rows), lines under it, and a listing whose blanks and line ends count.

    `bars` are of two kinds, which `bar_kinds` names. None of them has control characters.
    """

    title: str
    columns: tuple[Column, ...] = ()
    rows: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    listing: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    bar_kinds: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", [[printable(cell) for cell in row] for row in self.rows])
        object.__setattr__(self, "lines", [printable(line) for line in self.lines])
        object.__setattr__(self, "listing", [printable(line) for line in self.listing])


@dataclass(frozen=True, slots=True)
class Document:
    """Sections in reading order: what matters most comes first."""

    sections: list[Section]
