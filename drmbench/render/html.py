# SPDX-License-Identifier: MIT
"""Report -> one HTML page: what the table says, and the pictures. It loads nothing and runs no script."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from drmbench.render.bars import plain_bars
from drmbench.render.pictures import pictures_of
from drmbench.render.svg import element, style_sheet

if TYPE_CHECKING:
    from drmbench.model import Report
    from drmbench.render.document import Document, Section
    from drmbench.render.svg import Picture

# Nothing is fetched, whatever a name in the report may try.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_html(report: Report, document: Document) -> str:
    """The whole page: the sections that are only words, the pictures, tables and trees; text as it is, never markup."""
    head = next((number for number, section in enumerate(document.sections) if section.rows or section.listing),
                0)
    title = document.sections[0].title if document.sections else "drmbench"
    page = ET.Element("html", {"lang": "en"})
    _head(page, title)
    main = element(element(page, "body"), "main")
    element(main, "h1", title)
    drawn = pictures_of(report)
    for number, section in enumerate(document.sections[:head]):
        _section(main, section, heading=section.title if number else "")
        # What is concluded of something stands over its pictures.
        for subject in [each for each in drawn if each[0] == section.title]:
            _figures(main, "", subject[1])
            drawn.remove(subject)
    for label, pictures in drawn:
        _figures(main, label, pictures)
    for section in document.sections[head:]:
        _section(main, section, heading=section.title)
    return "<!DOCTYPE html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"


def _head(page: ET.Element, title: str) -> None:
    head = element(page, "head")
    element(head, "meta", charset="utf-8")
    element(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    element(head, "meta", http_equiv="Content-Security-Policy", content=_POLICY)
    element(head, "title", f"drmbench: {title}")
    sheet = files("drmbench.render").joinpath("page.css").read_text(encoding="utf-8")
    element(head, "style").text = style_sheet() + sheet


def _figures(main: ET.Element, label: str, pictures: list[Picture]) -> None:
    group = element(main, "section", class_="pictures")
    if label:
        element(group, "h2", label)
    row = element(group, "div", class_="figures")
    for picture in pictures:
        figure = element(row, "figure", data_picture=picture.name)
        element(figure, "figcaption", picture.caption)
        figure.append(picture.drawing)


def _section(main: ET.Element, section: Section, *, heading: str) -> None:
    part = element(main, "section")
    if heading:
        element(part, "h2", heading)
    if section.rows:
        _table(part, section)
    if section.bars:
        element(part, "pre").text = "\n".join(plain_bars(section))
    for line in section.lines:
        element(part, "p", line)
    if section.listing:
        element(part, "pre").text = "\n".join(section.listing)


def _table(part: ET.Element, section: Section) -> None:
    """A table that scrolls inside its own frame where the screen is narrow."""
    table = element(element(part, "div", class_="scrolls"), "table")
    row = element(element(table, "thead"), "tr")
    for column in section.columns:
        element(row, "th", column.name, scope="col", class_="number" if column.number else "words")
    body = element(table, "tbody")
    for cells in section.rows:
        row = element(body, "tr")
        for column, cell in zip(section.columns, cells, strict=True):
            element(row, "td", cell, class_="number" if column.number else "words")
