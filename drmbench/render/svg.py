# SPDX-License-Identifier: MIT
"""SVG by xml.etree: every text and attribute is escaped, nothing is ever joined as a string.

A picture is 360 units wide whatever it shows, so that a page can put one on a phone and several on a screen
without its letters growing or shrinking much.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from drmbench.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 360
LETTER = 6.2
"""Width of a letter of the pictures' text, in units; a little more than any monospace font takes at 10 px."""

_GAP = 14
_NAMESPACE = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing: `name` says which kind, `caption` of what, `drawing` is an <svg> of WIDTH x `height` units."""

    name: str
    caption: str
    drawing: ET.Element
    height: float


def element(parent: ET.Element, tag: str, content: str = "", /, **attributes: object) -> ET.Element:
    """A child of `parent`; `class_` is class, underscores are hyphens, numbers have two decimals at most."""
    child = ET.SubElement(parent, tag, {
        name.rstrip("_").replace("_", "-"): _value(value) for name, value in attributes.items()
    })
    child.text = one_line(content) or None
    return child


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else one_line(str(value))


def rect(parent: ET.Element, x: float, y: float, width: float, height: float, /, **attributes: object) -> ET.Element:
    """A rectangle."""
    return element(parent, "rect", x=x, y=y, width=width, height=height, **attributes)


def text(parent: ET.Element, x: float, y: float, content: str, **attributes: object) -> ET.Element:
    """One line of text; `anchor` is start, middle or end."""
    anchor = attributes.pop("anchor", None)
    if anchor is not None:
        attributes["text_anchor"] = anchor
    return element(parent, "text", content, x=x, y=y, **attributes)


def fitting(content: str, width: float) -> str:
    """The text, or as much of it as fits the width in units, with three dots in its middle."""
    letters = int(width / LETTER)
    clean = one_line(content)
    if len(clean) <= letters:
        return clean
    half = (letters - 3) // 2
    return f"{clean[:letters - 3 - half]}...{clean[-half:]}"


def tooltip(shape: ET.Element, content: str) -> None:
    """What a browser shows while the pointer rests on the shape."""
    element(shape, "title", content)


def legend(parent: ET.Element, y: float, entries: Sequence[tuple[str, str]]) -> float:
    """A swatch of a class and its words, one below the other; the height it takes."""
    for number, (style, words) in enumerate(entries):
        rect(parent, 4, y + 15 * number, 10, 10, class_=style)
        text(parent, 20, y + 15 * number + 9, fitting(words, WIDTH - 24))
    return 15.0 * len(entries)


def drawing(height: float, label: str) -> ET.Element:
    """An empty <svg> for a picture; `label` is what a screen reader says."""
    return ET.Element("svg", {
        "viewBox": f"0 0 {WIDTH} {_value(height)}", "role": "img", "aria-label": one_line(label), "class": "picture",
    })


def style_sheet() -> str:
    """The colours and fonts of the pictures, light and dark; made for a page and for a file of its own."""
    return files("drmbench.render").joinpath("pictures.css").read_text(encoding="utf-8")


def render_svg(pictures: Sequence[Picture]) -> str:
    """Pictures one below the other, each under its caption, as a file of its own."""
    whole = ET.Element("svg", {"xmlns": _NAMESPACE, "class": "sheet"})
    element(whole, "style").text = style_sheet()
    element(whole, "rect", width="100%", height="100%", class_="ground")
    y = 0.0
    for picture in pictures:
        text(whole, 4, y + 14, fitting(picture.caption, WIDTH - 16), class_="caption")
        inner = copy.deepcopy(picture.drawing)
        inner.attrib.update({"x": "0", "y": _value(y + 22), "width": str(WIDTH), "height": _value(picture.height)})
        whole.append(inner)
        y += 22 + picture.height + _GAP
    whole.set("viewBox", f"0 0 {WIDTH} {_value(y)}")
    whole.set("width", str(2 * WIDTH))
    whole.set("height", _value(2 * y))
    return ET.tostring(whole, encoding="unicode") + "\n"
