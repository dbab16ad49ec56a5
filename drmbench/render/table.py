# SPDX-License-Identifier: MIT
"""Document -> plain text for a terminal, never wider than 80 columns."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from drmbench.render.bars import bar_lines

if TYPE_CHECKING:
    from rich.console import Console

    from drmbench.render.document import Document, Section

WIDTH = 80
_STYLES = {"fault": "red", "hit": "blue", "mark": "bold"}


def render_table(document: Document) -> str:
    """The document as text; bold titles, colours and blocks only where stdout is a terminal."""
    from rich.console import Console  # noqa: PLC0415 (slow to import; --json never needs it)

    # legacy_windows=False and color_system decide that no control characters but those of rich's styles come out.
    terminal = sys.stdout.isatty()
    output = io.StringIO()
    console = Console(
        file=output, width=WIDTH, force_terminal=terminal, no_color=None if terminal else True, highlight=False,
        markup=False, emoji=False, soft_wrap=False,
    )
    for number, section in enumerate(document.sections):
        if number:
            console.print()
        _print_section(console, section)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


def _draws_blocks() -> bool:
    """Whether stdout can be told a block: not in the C locale's encoding, nor in Latin-1."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}


def _print_section(console: Console, section: Section) -> None:
    from rich.table import Table  # noqa: PLC0415 (as above)
    from rich.text import Text  # noqa: PLC0415 (as above)

    if section.title:
        console.print(Text(section.title, style="bold"))
    if section.rows:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="")
        for column in section.columns:
            table.add_column(
                Text(column.name), justify="right" if column.number else "left", no_wrap=not column.grows,
                overflow="fold" if column.grows else "ellipsis", width=column.width,
            )
        for row in section.rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    for pieces in bar_lines(section, blocks=console.is_terminal and _draws_blocks()):
        console.print(Text.assemble(*((text, _STYLES.get(style, "")) for text, style in pieces)))
    for line in section.lines:
        wrapped = Text(line).wrap(console, WIDTH - 2)
        for index, part in enumerate(wrapped):
            console.print(Text("  " if index else "") + part)
    for line in section.listing:
        console.print(Text(line), no_wrap=True, overflow="ellipsis")
