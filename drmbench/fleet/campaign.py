# SPDX-License-Identifier: MIT
"""`fleet run`: every chosen place is acquired, measured and given back, so many at a time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import structs

from drmbench.errors import DrmbenchError, UnsupportedError
from drmbench.fleet.coordinator import TakenError
from drmbench.fleet.job import Answer, Job
from drmbench.fleet.processes import prepare, run_board
from drmbench.fleet.reservations import Reservations
from drmbench.model import Board, FleetReport
from drmbench.store import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.context import ForkServerContext

    from drmbench.fleet.coordinator import NetworkService, PlaceInfo
    from drmbench.fleet.spool import Spool
    from drmbench.fleet.wheelhouse import Wheelhouse
    from drmbench.model import Caveat



@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What `fleet run` was asked for; `places` are globs, `tags` KEY=VALUE, and a place must fit one and all."""

    command: tuple[str, ...]
    coordinator: str
    places: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    jobs: int = 8
    remote: str = ""
    wheelhouse: Wheelhouse | None = None
    key_file: str = ""
    connect_s: float = 30.0
    limit_s: float = 1800.0


@dataclass(slots=True)
class Campaign:
    """One fleet run; finished boards go to `spool` at once, and are not measured again where they are there already.

    say(place, text) is told every change; place is "" for the coordinator.
    """

    options: FleetOptions
    spool: Spool
    say: Callable[[str, str], None]
    notes: list[Caveat] = field(default_factory=list)
    interrupted: bool = False
    _begun: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Measure what is missing. Raises DrmbenchError where nothing could be begun.

        SIGINT and SIGTERM end the boards, give their places back, and leave `interrupted` set.
        """
        asyncio.run(self._guarded())

    async def _guarded(self) -> None:
        work = asyncio.ensure_future(self._run())
        with _interrupting(work):
            try:
                await work
            except asyncio.CancelledError:
                self.interrupted = True

    async def _run(self) -> None:
        async with Reservations(self.options.coordinator, lambda text: self.say("", text)) as reservations:
            self.notes = reservations.notes
            chosen = choose(reservations.places(), self.options)
            missing = [place for place in chosen if place.name not in self.spool]
            context = prepare()
            slots = asyncio.Semaphore(self.options.jobs)
            boards = [asyncio.ensure_future(self._board(place, reservations, slots, context)) for place in missing]
            try:
                await asyncio.gather(*boards)
            finally:
                await _all_ended(boards)
                for place in missing:
                    if place.name not in self.spool:
                        self._keep(Board(place.name, "interrupted", "not begun", place.tags))

    async def _board(
        self, place: PlaceInfo, reservations: Reservations, slots: asyncio.Semaphore, context: ForkServerContext,
    ) -> None:
        async with slots:
            self.say(place.name, "acquiring")
            begun = time.monotonic_ns()
            board = Board(place.name, "failed", tags=place.tags, date=datetime.now(UTC).isoformat(timespec="seconds"))
            try:
                service = await reservations.acquire(place.name)
            except TakenError as error:
                self._keep(structs.replace(board, state="taken", reason=error.reason))
                return
            except DrmbenchError as error:
                self._keep(structs.replace(board, reason=error.story))
                return
            board = structs.replace(board, acquire_ns=time.monotonic_ns() - begun)
            answer = Answer("interrupted", "interrupted")
            try:
                answer = await run_board(context, self._job(place, service),
                                         lambda stage: self.say(place.name, stage))
            finally:
                self._keep(_board_of(board, answer))
                await reservations.release(place.name)

    def _job(self, place: PlaceInfo, service: NetworkService) -> Job:
        options, house = self.options, self.options.wheelhouse
        return Job(
            place.name, service.address, service.username, service.port, service.password, service.extra,
            list(options.command), options.remote, [] if house is None else [str(wheel) for wheel in house.wheels],
            "" if house is None else house.digest, options.key_file, options.connect_s, options.limit_s,
        )

    def _keep(self, board: Board) -> None:
        self.spool.add(board)
        status = "" if not board.exit_status else f" with exit status {board.exit_status}"
        self.say(board.place, f"{board.state}{status}" + (f": {board.reason}" if board.reason else ""))


def choose(places: Sequence[PlaceInfo], options: FleetOptions) -> list[PlaceInfo]:
    """The places that fit a --place and every --tag. Raises UnsupportedError where none does."""
    wanted = [tag.partition("=")[::2] for tag in options.tags]
    chosen = [
        place for place in places
        if (not options.places or any(fnmatchcase(place.name, glob) for glob in options.places))
        and all(place.tags.get(key) == value for key, value in wanted)
    ]
    lonely = [glob for glob in options.places if not any(fnmatchcase(place.name, glob) for place in places)]
    if lonely or not chosen:
        what = f"place {lonely[0]}" if lonely else "places"
        raise UnsupportedError("fleet", what, reason=f"the coordinator has {len(places)} places and none fits",
                               remedy="drmbench fleet list shows them")
    return chosen


def _board_of(board: Board, answer: Answer) -> Board:
    """The board with what came back; what is no report of drmbench is none, whatever the exit status was."""
    ended = structs.replace(
        board, state=answer.state, reason=answer.reason, exit_status=answer.exit_status, output=answer.output,
        connect_ns=answer.connect_ns, deploy_ns=answer.deploy_ns, run_ns=answer.run_ns,
    )
    if not answer.document.strip():
        return structs.replace(ended, state="failed", reason="it printed no report") \
            if answer.state == "finished" else ended
    try:
        report = decode(answer.document, board.place)
    except DrmbenchError as error:
        return structs.replace(ended, state="failed", reason=ended.reason or error.reason)
    if isinstance(report, FleetReport):
        return structs.replace(ended, state="failed", reason="it printed a fleet's report")
    return structs.replace(ended, state="finished", report=report)


async def _all_ended(boards: Sequence[asyncio.Future[None]]) -> None:
    for board in boards:
        board.cancel()
    await asyncio.gather(*boards, return_exceptions=True)


@contextlib.contextmanager
def _interrupting(work: asyncio.Future[None]) -> Iterator[None]:
    """SIGINT and SIGTERM cancel `work`, once; giving places back is not to be interrupted."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def once() -> None:
        for number in before:
            loop.add_signal_handler(number, lambda: None)
        work.cancel()

    for number in before:
        loop.add_signal_handler(number, once)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
