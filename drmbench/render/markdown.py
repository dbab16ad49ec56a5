# SPDX-License-Identifier: MIT
"""Document -> Markdown tables, for a patch description or a bug report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drmbench.render.bars import plain_bars

if TYPE_CHECKING:
    from drmbench.render.document import Document, Section

_BACKTICKS = re.compile("`*")


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _section(section: Section) -> list[str]:
    lines: list[str] = []
    if section.title:
        lines += [f"### {_cell(section.title)}", ""]
    if section.rows:
        lines += [
            _row([column.name for column in section.columns]),
            f"|{'|'.join('---:' if column.number else ':---' for column in section.columns)}|",
            *(_row(row) for row in section.rows),
            "",
        ]
    if section.bars:
        lines += ["```", *plain_bars(section), "```", ""]
    if section.lines:
        lines += [*(f"- {_cell(line)}" for line in section.lines), ""]
    if section.listing:
        # A fence longer than any run of backticks in it; the lines are printable, so that none can end it.
        fence = "`" * max(3, *(len(run) + 1 for line in section.listing for run in _BACKTICKS.findall(line)))
        lines += [fence, *section.listing, fence, ""]
    return lines


def render_markdown(document: Document) -> str:
    """GitHub-flavoured Markdown."""
    lines = [line for section in document.sections for line in _section(section)]
    return "\n".join(lines).rstrip() + "\n"
