# SPDX-License-Identifier: MIT
"""Where the results of verify go: stdout in a format, the JSON file, and LAVA's file with four columns."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import click

from drmbench.cli.live import live_lines
from drmbench.render import FORMATS
from drmbench.render.junit import render_junit_refused
from drmbench.render.lava import render_lava_results, render_lava_results_refused
from drmbench.store import destination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import VerifyReport


@dataclass(frozen=True, slots=True)
class Places:
    """What the command line says of it."""

    json_path: str | None
    lava_path: str | None
    format_name: str


class VerifyOutput:
    """A context in which both files are known to be writable. Raises DrmbenchError."""

    def __init__(self, places: Places, subtests: Sequence[str]) -> None:
        self._format = places.format_name
        self._only_json = places.json_path == "-"
        self._stack = contextlib.ExitStack()
        paths = (places.json_path, places.lava_path)
        with contextlib.ExitStack() as stack:
            self._json, self._lava = (None if path is None else stack.enter_context(destination(path))
                                      for path in paths)
            self._stack = stack.pop_all()
        self.live = None if self._only_json else live_lines(places.format_name, subtests)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def finished(self, report: VerifyReport) -> None:
        """Print before the files are written, so that a disk that fills up loses nothing."""
        if self.live is not None:
            self.live.finished(report)
        elif not self._only_json:
            click.echo(FORMATS[self._format](report, False), nl=False)
        if self._json is not None:
            self._json.save(report)
        if self._lava is not None:
            self._lava.save_text(render_lava_results(report))

    def refused(self, error: DrmbenchError) -> None:
        """Nothing could be run: a reader of the output must not take its emptiness for success."""
        if self.live is not None:
            self.live.refused(error)
        elif self._format == "junit" and not self._only_json:
            click.echo(render_junit_refused(error), nl=False)
        if self._lava is not None:
            self._lava.save_text(render_lava_results_refused(error))
