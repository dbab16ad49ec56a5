# SPDX-License-Identifier: MIT
"""The labgrid coordinator: which places there are, and who may use one now.

labgrid's own client session does the talking; what it prints and logs stays out of drmbench's streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drmbench.errors import DrmbenchError, UsageError, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEFAULT_PORT = 20408
DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"
_CONNECT_LIMIT_S = 15.0
_CALL_LIMIT_S = 30.0
_LOOK_EVERY_S = 0.2


class TakenError(DrmbenchError):
    """Somebody else has the place."""


class CoordinatorLostError(DrmbenchError):
    """The coordinator does not answer (any more)."""


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """A place as the coordinator knows it; its texts come from elsewhere and are one line each.

    holder    "host/user" that has acquired it, or ""
    services  how many NetworkService resources its matches find now
    """

    name: str
    tags: dict[str, str]
    holder: str
    comment: str
    services: int


@dataclass(frozen=True, slots=True)
class NetworkService:
    """Where a board is reached over SSH; `extra` is labgrid's own, for its proxies."""

    address: str
    username: str
    port: int
    password: str | None
    extra: dict[str, Any]


def coordinator_address(option: str | None) -> str:
    """--coordinator, LG_COORDINATOR, else labgrid's default on this machine."""
    return option or os.environ.get("LG_COORDINATOR") or DEFAULT_ADDRESS


class Coordinator:
    """An open session. Every method may raise CoordinatorLostError."""

    def __init__(self, address: str, session: Any) -> None:  # noqa: ANN401 (labgrid ships no types)
        self.address = address
        self._session = session

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._session.stopping.is_set())

    def places(self) -> list[PlaceInfo]:
        """All places by name."""
        return [self._info(place) for _name, place in sorted(self._session.places.items())]

    async def acquire(self, name: str, *, patience_s: float = 0.0) -> NetworkService:
        """Acquire a place and say how to reach its board; wait so long for an exporter that is not there yet.

        Raises TakenError where somebody has it, DrmbenchError for a place without a reachable service; it is
        not acquired then.
        """
        until = asyncio.get_running_loop().time() + patience_s
        # labgrid's session has no event to wait for here.
        while not self._exported(name) and asyncio.get_running_loop().time() < until and not self.lost:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
        place = self._session.places.get(name)
        if place is None:
            raise DrmbenchError(name, "acquire", reason="the coordinator has no such place any more")
        self._refuse_taken(place)
        await self._call("AcquirePlace", name, placename=name)
        try:
            return self._service(place)
        except DrmbenchError:
            await self.release(name)
            raise

    async def release(self, name: str) -> None:
        """Give a place back."""
        await self._call("ReleasePlace", name, placename=name)

    def _info(self, place: Any) -> PlaceInfo:  # noqa: ANN401 (labgrid ships no types)
        tags = {one_line(key): one_line(value) for key, value in place.tags.items()}
        return PlaceInfo(one_line(place.name), tags, one_line(place.acquired or ""), one_line(place.comment),
                         self._services(place))

    def _services(self, place: Any) -> int:  # noqa: ANN401 (labgrid ships no types)
        """How many exported boards the place has."""
        return sum(
            1 for exporter, groups in self._session.resources.items() for group, resources in groups.items()
            for resource_name, resource in resources.items()
            if resource.data.get("cls") == "NetworkService"
            and place.hasmatch((exporter, group, "NetworkService", resource_name))
        )

    def _exported(self, name: str) -> bool:
        place = self._session.places.get(name)
        return place is not None and self._services(place) > 0

    def _refuse_taken(self, place: Any) -> None:  # noqa: ANN401 (labgrid ships no types)
        if place.acquired:
            raise TakenError(one_line(place.name), "acquire", reason=f"taken by {place.acquired}",
                             remedy="wait for it, or leave it out")

    async def _call(self, method: str, name: str, **fields: str) -> None:
        import grpc  # noqa: PLC0415 (comes with labgrid, an extra)
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages  # noqa: PLC0415

        if self.lost:
            raise self._lost()
        request = getattr(messages, f"{method}Request")(**fields)
        try:
            await asyncio.wait_for(getattr(self._session.stub, method)(request), _CALL_LIMIT_S)
            if not await asyncio.wait_for(self._session.sync_with_coordinator(), _CALL_LIMIT_S):
                raise self._lost()
        except TimeoutError:
            raise self._lost() from None
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise self._lost() from None
            details = error.details() or error.code().name
            cls = TakenError if "already" in details else DrmbenchError
            raise cls(one_line(name), "acquire" if method == "AcquirePlace" else "release", reason=details) from None

    def _service(self, place: Any) -> NetworkService:  # noqa: ANN401 (labgrid ships no types)
        for path in place.acquired_resources:
            exporter, group, cls, resource_name = path
            if cls != "NetworkService":
                continue
            entry = self._session.resources.get(exporter, {}).get(group, {}).get(resource_name)
            if entry is not None and entry.data.get("params"):
                found = entry.args
                return NetworkService(str(found["address"]), str(found["username"]), int(found.get("port", 22)),
                                      found.get("password"), dict(entry.extra))
        raise DrmbenchError(one_line(place.name), "reach", reason="no NetworkService resource of it is there",
                            remedy="export one, and check the place's matches and its exporter")

    def _lost(self) -> CoordinatorLostError:
        return CoordinatorLostError(self.address, "labgrid coordinator", reason="does not answer any more",
                                    remedy="restart it, then use --resume")


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[Coordinator]:
    """A session with the coordinator at HOST[:PORT]. Raises CoordinatorLostError, DrmbenchError without labgrid."""
    try:
        from labgrid.remote.client import ClientSession, ServerError  # noqa: PLC0415 (an extra, and slow to import)
        from labgrid.util.proxy import proxymanager  # noqa: PLC0415
    except ImportError as error:
        raise DrmbenchError("fleet", "labgrid", reason=f"cannot be imported ({error})",
                            remedy="pip install 'drmbench[fleet]'") from None
    logging.getLogger().addHandler(logging.NullHandler())  # else labgrid's first error sets up logging on stderr
    try:
        full = proxymanager.get_grpc_address(address, default_port=DEFAULT_PORT)
    except ValueError as error:
        raise UsageError("fleet", f"coordinator {address}", reason=str(error), remedy="give HOST[:PORT]") from None
    session = ClientSession(full, asyncio.get_running_loop())
    try:
        try:
            await asyncio.wait_for(session.start(), _CONNECT_LIMIT_S)
        except (TimeoutError, ServerError):
            raise CoordinatorLostError(full, "labgrid coordinator", reason="does not answer",
                                       remedy="start labgrid-coordinator, or name it with --coordinator") from None
        yield Coordinator(full, session)
    finally:
        await _end(session)


async def _end(session: Any) -> None:  # noqa: ANN401 (labgrid ships no types)
    session.stopping.set()
    if session.pump_task is not None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(session.stop(), _CALL_LIMIT_S)
    with contextlib.suppress(Exception):
        await asyncio.wait_for(session.close(), _CALL_LIMIT_S)
