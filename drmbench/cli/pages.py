# SPDX-License-Identifier: MIT
"""--html, --svg and --plot: from a report to files that were proved writable before it was made."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drmbench.cli.plots import plot_file
from drmbench.errors import UsageError
from drmbench.render import document_of
from drmbench.render.html import render_html
from drmbench.render.pictures import chosen_svg, split_svg_option
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drmbench.model import Report

STDOUT = "-"


def takes_stdout(json_path: str | None, html_path: str | None, svg: str | None) -> bool:
    """Whether one of the files is "-", so that no table is printed. Raises UsageError where more than one is."""
    paths = [json_path, html_path, None if svg is None else split_svg_option(svg)[1]]
    if paths.count(STDOUT) > 1:
        raise UsageError("stdout", "output", reason="more than one thing is to be printed there",
                         remedy="give all but one of --json, --html and --svg a file")
    return STDOUT in paths


@contextlib.contextmanager
def page_files(
    html_path: str | None, svg: str | None, plot: str | None = None,
) -> Iterator[Callable[[Report], None]]:
    """What writes a report to --html, --svg and --plot; all are proved writable on entering. Raises DrmbenchError."""
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(destination(html_path)) if html_path is not None else None
        name, path = split_svg_option(svg) if svg is not None else (None, None)
        picture = stack.enter_context(destination(path)) if path is not None else None
        plotted = stack.enter_context(plot_file(plot)) if plot is not None else None

        def write(report: Report) -> None:
            if page is not None:
                page.save_text(render_html(report, document_of(report)))
            if picture is not None:
                picture.save_text(chosen_svg(report, name))
            if plotted is not None:
                plotted([("", report)])

        yield write
