# SPDX-License-Identifier: MIT
"""A picture of the populate strategies: where each strategy's faults were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.svg import WIDTH, Picture, drawing, fitting, legend, rect, text, tooltip

if TYPE_CHECKING:
    from drmbench.model import ComparePopulateResult

_ROW = 32.0
_PARTS = (("mmap", "second", "faults in mmap()"), ("populate", "first", "faults in the populate step"),
          ("touch", "fault", "faults left to the touch"))


def populate_picture(result: ComparePopulateResult, label: str) -> Picture:
    """A bar for each strategy, split into the faults of mmap(), of the populate step and of the touch after it."""
    height = _ROW * len(result.strategies) + 8 + 15 * len(_PARTS)
    caption = f"{label}: faults by strategy, {result.access}"
    picture = drawing(height, caption)
    most = max(1, *(s.faults.mmap + s.faults.populate + s.faults.touch for s in result.strategies.values()))
    for number, (name, strategy) in enumerate(result.strategies.items()):
        y = 2 + number * _ROW
        verdict = strategy.verdict if strategy.errno is None else f"{strategy.verdict} ({strategy.errno})"
        text(picture, 4, y + 10, fitting(name, 190))
        text(picture, WIDTH - 4, y + 10, fitting(verdict, 150), anchor="end", class_="faint", data_strategy=name)
        rect(picture, 4, y + 14, WIDTH - 8, 10, class_="track")
        x = 4.0
        for part, style, words in _PARTS:
            count = getattr(strategy.faults, part)
            if count:
                width = (WIDTH - 8) * count / most
                bar = rect(picture, x, y + 14, width, 10, class_=f"part {style}", data_strategy=name, data_part=part,
                           data_faults=count)
                tooltip(bar, f"{name}: {count} {words}")
                x += width
    legend(picture, _ROW * len(result.strategies) + 6, [(style, words) for _part, style, words in _PARTS])
    return Picture("populate", caption, picture, height)
