# SPDX-License-Identifier: MIT
"""A picture of a mapping in the address space: which touches faulted, and which pages a fault brought along."""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING

from drmbench.render.svg import WIDTH, Picture, drawing, element, fitting, legend, rect, text, tooltip
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree import ElementTree as ET

    from drmbench.model import FaultGroup, FaultLatencyResult, TouchPass

ZOOMED_PAGES = 64
_MOST_PAGES = 1 << 20  # of a fault map; more would only take time
_COLUMNS = 16
_CELL = 21.0
_LEFT = 12.0
_STRIPS = 168
_LINE, _BAR_HEIGHT, _ZOOM_HEIGHT = 14.0, 14.0, 34.0


def pages_of(groups: Sequence[FaultGroup]) -> Iterator[int]:
    """The faults of each page that a fault map stands for, one after the other."""
    for group in groups:
        for _time in range(group.times):
            for run in group.runs:
                yield from (run.faults for _page in range(run.pages))


def mapping_pictures(result: FaultLatencyResult, label: str, notes: Sequence[str] = ()) -> list[Picture]:
    """One picture for each pass that has a fault map; `notes` are lines about the mapping."""
    found = []
    for index, touch_pass in enumerate(result.passes):
        faults = list(islice(pages_of(touch_pass.fault_map), min(result.pages, _MOST_PAGES)))
        if faults:
            words = f"{touch_pass.access} after {result.passes[0].access}" if index else touch_pass.access
            order = "" if result.order == "sequential" else f", {result.order}"
            caption = f"{label}: mapping, {words}, {result.phase}{order}"
            lines = [*notes, f"VmFlags {' '.join(result.vm_flags)}"]
            found.append(_picture(result, touch_pass, faults, (caption, lines), later=index > 0))
    return found


def _picture(
    result: FaultLatencyResult, touch_pass: TouchPass, faults: list[int], words: tuple[str, list[str]], *, later: bool,
) -> Picture:
    caption, notes = words
    shown = min(ZOOMED_PAGES, len(faults))
    entries = _legend(result, touch_pass, faults, later=later)
    bar_y = _LINE * (len(notes) + 1) + 4
    grid_y = bar_y + _BAR_HEIGHT + _ZOOM_HEIGHT
    below = grid_y + -(-shown // _COLUMNS) * _CELL + 6
    height = below + 15 * len(entries) + 2
    picture = drawing(height, f"{caption}: {touch_pass.faults} faults for {result.pages} pages")
    for number, note in enumerate(notes):
        text(picture, _LEFT, _LINE * number + 10, fitting(note, WIDTH - 2 * _LEFT), class_="faint")
    _address_bar(picture, bar_y, result, faults)
    _zoom_lines(picture, bar_y + _BAR_HEIGHT, grid_y - 18, shown / result.pages, min(shown, _COLUMNS))
    text(picture, _LEFT, grid_y - 6, f"pages 0 to {shown - 1}, faults of each touch", class_="faint")
    _grid(picture, grid_y, faults[:shown], mapped=not any(faults) or later)
    legend(picture, below, entries)
    return Picture("mapping", caption, picture, height)


def _address_bar(picture: ET.Element, y: float, result: FaultLatencyResult, faults: list[int]) -> None:
    """The whole mapping; a strip is as strong as many of its pages faulted."""
    width = WIDTH - 2 * _LEFT
    first = "start" if result.address is None else f"{result.address:x}"
    last = format_bytes(result.size_bytes) if result.address is None else f"{result.address + result.size_bytes:x}"
    text(picture, _LEFT, y - 5, first, class_="address")
    text(picture, WIDTH - _LEFT, y - 5, last, anchor="end", class_="address")
    strips = min(_STRIPS, len(faults))
    strip_width = width * len(faults) / result.pages / strips
    parts = (faults[n * len(faults) // strips:(n + 1) * len(faults) // strips] for n in range(strips))
    x = _LEFT
    for share, alike in groupby(sum(count > 0 for count in part) / len(part) for part in parts):
        long = strip_width * sum(1 for _strip in alike)
        if share:
            rect(picture, x, y, long, _BAR_HEIGHT, class_="fault", fill_opacity=max(0.15, share))
        x += long
    rect(picture, _LEFT, y, width, _BAR_HEIGHT, class_="track")
    for at in (0.0, WIDTH - _LEFT):
        element(picture, "line", x1=at, x2=at + _LEFT, y1=y + _BAR_HEIGHT / 2, y2=y + _BAR_HEIGHT / 2, class_="zoom")


def _zoom_lines(picture: ET.Element, top: float, bottom: float, share: float, columns: int) -> None:
    """From the part of the bar that the grid shows down to the grid."""
    end, grid_end = _LEFT + (WIDTH - 2 * _LEFT) * share, _LEFT + columns * _CELL
    element(picture, "polyline", points=f"{_LEFT},{top} {_LEFT},{bottom}", class_="zoom")
    element(picture, "polyline", points=f"{end:.1f},{top} {grid_end:.1f},{bottom}", class_="zoom")


def _grid(picture: ET.Element, top: float, faults: Sequence[int], *, mapped: bool) -> None:
    """A cell a page, and a frame around what each fault brought along."""
    window = None
    for page, count in enumerate(faults):
        window = page if count else window
        x, y = _LEFT + page % _COLUMNS * _CELL, top + page // _COLUMNS * _CELL
        style, how = _page_style(count, None if mapped else window)
        cell = rect(picture, x, y, _CELL - 1, _CELL - 1, class_=f"page {style}", data_page=page, data_faults=count)
        tooltip(cell, f"page {page}: {how}")
        if count:
            text(picture, x + (_CELL - 1) / 2, y + 14, str(count), anchor="middle", class_="on-fault")
    if not mapped:
        for first, end in _windows(faults):
            _frame(picture, top, first, end)


def _page_style(count: int, window: int | None) -> tuple[str, str]:
    """(class, words) of a page whose touch took `count` faults; `window` began where one mapped it, None: earlier."""
    if count:
        return "fault-again" if count > 1 else "fault", f"its touch took {count} fault{'s'[:count != 1]}"
    if window is None:
        return "mapped", "mapped already"
    return "present", f"mapped by the fault at page {window}"


def _windows(faults: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first, end) of each run of pages that one fault made present, where it is more than one page."""
    starts = [page for page, count in enumerate(faults) if count]
    for start, end in zip(starts, [*starts[1:], len(faults)], strict=True):
        if end - start > 1:
            yield start, end


def _frame(picture: ET.Element, top: float, first: int, end: int) -> None:
    row = first // _COLUMNS
    while first < end:
        stop = min(end, (row + 1) * _COLUMNS)
        rect(picture, _LEFT + first % _COLUMNS * _CELL - 0.5, top + row * _CELL - 0.5, (stop - first) * _CELL,
             _CELL, class_="window")
        first, row = stop, row + 1


def _legend(
    result: FaultLatencyResult, touch_pass: TouchPass, faults: list[int], *, later: bool,
) -> list[tuple[str, str]]:
    touched = sum(count > 0 for count in faults)
    whole = "" if len(faults) == result.pages else f" of the first {len(faults)}"
    entries = []
    if touched:
        more = " (dark: twice or more)" if any(count > 1 for count in faults) else ""
        entries.append(("fault", f"{touched}{whole} pages: their touch faulted{more}"))
    if touched < len(faults):
        already = later or not touched
        words = "mapped already, no fault" if already else "brought along by a fault before them"
        entries.append(("mapped" if already else "present", f"{len(faults) - touched}{whole} pages: {words}"))
    window = touch_pass.prefault_window_pages
    if window is not None and window > 1:
        entries.append(("track", f"a fault maps a window of {window} pages"))
    return entries
