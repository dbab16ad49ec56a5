# SPDX-License-Identifier: MIT
"""Boards on disk while a fleet run goes on: one file each, so that an interruption loses none of them.

`FILE.boards/` beside the report; it goes when the report is whole, and --resume reads both.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drmbench.errors import DrmbenchError
from drmbench.model import Board, FleetReport
from drmbench.store import checked, load

if TYPE_CHECKING:
    from collections.abc import Iterator


class Spool:
    """One encoded Board a file, named by a digest of its place: names of places are not ours to trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, board: Board) -> None:
        """Write a board, replacing what was there of the same place. Raises DrmbenchError."""
        final = self._path(board.place)
        try:
            final.with_suffix(".new").write_bytes(msgspec.json.encode(board))
            os.replace(final.with_suffix(".new"), final)
        except OSError as error:
            raise DrmbenchError(str(self.folder), "write", errno=error.errno) from None

    def boards(self) -> Iterator[Board]:
        """Every board by name of its place, read one after the other. Raises DrmbenchError."""
        for _place, path in sorted(self._index().items()):
            yield _read(path)

    def places(self) -> list[str]:
        """The places of the boards that are here."""
        return sorted(self._index())

    def __contains__(self, place: str) -> bool:
        return self._path(place).exists()

    def _index(self) -> dict[str, Path]:
        return {_place_of(path): path for path in self.folder.glob("*.json")}

    def _path(self, place: str) -> Path:
        return self.folder / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.json"


class _Named(msgspec.Struct):
    place: str


def _place_of(path: Path) -> str:
    """Without looking at the rest, which _read() does."""
    try:
        return msgspec.json.decode(_bytes(path), type=_Named).place
    except msgspec.DecodeError as error:
        raise DrmbenchError(str(path), "read", reason=str(error), remedy="remove it, and measure this board again") \
            from None


def _read(path: Path) -> Board:
    return checked(_bytes(path), Board, str(path))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DrmbenchError(str(path), "read", errno=error.errno) from None


@contextlib.contextmanager
def spool_beside(report: str | None) -> Iterator[Spool]:
    """The spool of a report that will be saved as `report`; one in a temporary folder where it is "-" or None.

    It is removed where the block ends as it should, and kept, for --resume, where it does not.
    """
    if report is None or report == "-":
        with tempfile.TemporaryDirectory(prefix="drmbench-fleet-") as temporary:
            yield Spool(Path(temporary))
        return
    folder = boards_of(report)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DrmbenchError(str(folder), "write", errno=error.errno) from None
    yield Spool(folder)
    shutil.rmtree(folder, ignore_errors=True)


def boards_of(report: str) -> Path:
    """Where the boards of an unfinished report lie."""
    return Path(f"{report}.boards")


def earlier_boards(resume: str) -> Iterator[Board]:
    """What an earlier run left: the boards of the report, then those of its spool. Raises DrmbenchError for neither."""
    spool = boards_of(resume)
    if not spool.is_dir() and not os.path.exists(resume):
        raise DrmbenchError(resume, "resume", reason="neither this report nor its .boards folder is there",
                            remedy="give what --json of the earlier run said")
    if os.path.exists(resume) and os.path.getsize(resume):
        report = load(resume)
        if not isinstance(report, FleetReport):
            raise DrmbenchError(resume, "resume", reason="this is no report of drmbench fleet run")
        yield from report.boards
    if spool.is_dir():
        yield from Spool(spool).boards()


def pieces(report: FleetReport, boards: Iterator[Board]) -> Iterator[bytes]:
    """The JSON of a report whose boards are never all in memory; `report` has none and gives the rest."""
    rest = msgspec.to_builtins(report)
    del rest["boards"]
    yield msgspec.json.encode(rest)[:-1] + b',"boards":[\n'
    for number, board in enumerate(boards):
        yield (b",\n" if number else b"") + msgspec.json.encode(board)
    yield b"\n]}\n"
