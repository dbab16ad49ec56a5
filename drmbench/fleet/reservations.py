# SPDX-License-Identifier: MIT
"""The places we hold, across a coordinator that goes away and comes back; a restarted one has forgotten them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from drmbench.errors import DrmbenchError
from drmbench.fleet.coordinator import Coordinator, CoordinatorLostError, connected
from drmbench.model import Caveat

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from drmbench.fleet.coordinator import NetworkService, PlaceInfo

_RECONNECT_LIMIT_S = 60.0
_RECONNECT_EVERY_S = 2.0
_EXPORTERS_BACK_S = 60.0  # they lose the coordinator too, and come back one by one


class Reservations:
    """A session with a coordinator, and which places are ours; every place is given back on leaving the block.

    `notes` are what the reader of the report must know of it.
    """

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self._address = address
        self._say = say
        self._held: set[str] = set()
        self._stack = contextlib.AsyncExitStack()
        self._coordinator: Coordinator | None = None
        self._mending = asyncio.Lock()
        self._gone: CoordinatorLostError | None = None
        self._patience_s = 0.0
        self.notes: list[Caveat] = []

    async def __aenter__(self) -> Self:
        self._coordinator = await self._stack.enter_async_context(connected(self._address))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        for name in tuple(self._held):
            await self.release(name)
        await self._stack.aclose()

    def places(self) -> list[PlaceInfo]:
        """All places that the coordinator knows."""
        return self._now.places()

    async def acquire(self, name: str) -> NetworkService:
        """Raises as Coordinator.acquire() does, CoordinatorLostError where a lost one does not come back."""
        coordinator = self._now
        try:
            service = await coordinator.acquire(name, patience_s=self._patience_s)
        except CoordinatorLostError:
            await self._mend(coordinator)
            service = await self._now.acquire(name, patience_s=self._patience_s)
        self._held.add(name)
        return service

    async def release(self, name: str) -> None:
        """Give a place back; where that cannot be done the report says so."""
        self._held.discard(name)
        coordinator = self._now
        try:
            await coordinator.release(name)
        except CoordinatorLostError:
            with contextlib.suppress(CoordinatorLostError):
                await self._mend(coordinator)  # it has forgotten that we had the place
        except DrmbenchError as error:
            self.notes.append(Caveat("not-released", str(error), f"labgrid-client -p {name} release"))

    @property
    def _now(self) -> Coordinator:
        if self._coordinator is None:
            raise RuntimeError("use it inside its with block")
        return self._coordinator

    async def _mend(self, lost: Coordinator) -> None:
        """Reconnect, once for all who noticed, and take our places again before somebody else does."""
        async with self._mending:
            if self._gone is not None:
                raise self._gone
            if self._now is not lost:
                return
            self._say(f"lost the coordinator at {lost.address}: reconnecting for {_RECONNECT_LIMIT_S:g} s")
            await self._stack.aclose()
            self._coordinator = await self._reconnected(lost)
            self._say("reconnected")
            self._patience_s = _EXPORTERS_BACK_S
            self.notes.append(Caveat(
                "coordinator-lost", "the coordinator went away and came back: meanwhile our places were not reserved",
                "measure again the boards that somebody may have used",
            ))
            for name in tuple(self._held):
                try:
                    await self._now.acquire(name, patience_s=_EXPORTERS_BACK_S)
                except DrmbenchError as error:
                    self._held.discard(name)
                    self.notes.append(Caveat("place-lost", f"{name} ran on without being ours: {error.reason}",
                                             "measure it again"))

    async def _reconnected(self, lost: Coordinator) -> Coordinator:
        loop = asyncio.get_running_loop()
        until = loop.time() + _RECONNECT_LIMIT_S
        while True:
            try:
                return await self._stack.enter_async_context(connected(self._address))
            except CoordinatorLostError:
                if loop.time() > until:
                    self._gone = CoordinatorLostError(
                        lost.address, "labgrid coordinator", reason="went away and did not come back",
                        remedy="restart it, then use --resume",
                    )
                    raise self._gone from None
                await asyncio.sleep(_RECONNECT_EVERY_S)
