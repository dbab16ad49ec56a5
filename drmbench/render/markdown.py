# SPDX-License-Identifier: MIT
"""Document -> Markdown tables, for a patch description or a bug report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drmbench.render.document import Document, Section


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
    if section.lines:
        lines += [*(f"- {_cell(line)}" for line in section.lines), ""]
    return lines


def render_markdown(document: Document) -> str:
    """GitHub-flavoured Markdown."""
    lines = [line for section in document.sections for line in _section(section)]
    return "\n".join(lines).rstrip() + "\n"
