# SPDX-License-Identifier: MIT
"""What acquiring one place costs in a lab of many; no coordinator is asked."""

from __future__ import annotations

import asyncio
import types
from collections import Counter
from typing import Any

import pytest

from drmbench.errors import DrmbenchError
from drmbench.fleet.coordinator import Coordinator

NAMES = [f"board-{number}" for number in range(20)]


class Place:
    """A place whose board has its name, and that counts what it is asked."""

    tags: dict[str, str] = {}  # noqa: RUF012 (as labgrid's: nothing is written to it)
    comment = ""
    acquired = None

    def __init__(self, name: str, asked: Counter[str]) -> None:
        self.name = name
        self.acquired_resources = [("shelf", "boards", "NetworkService", name)]
        self._asked = asked

    def hasmatch(self, path: tuple[str, str, str, str]) -> bool:
        self._asked[self.name] += 1
        return path[3] == self.name


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> tuple[Coordinator, Counter[str]]:
    """A coordinator with all places, and how often each was asked for a match."""
    asked: Counter[str] = Counter()
    boards = {name: types.SimpleNamespace(data={"cls": "NetworkService", "params": "there"}, extra={},
                                          args={"address": "::1", "username": "root"}) for name in NAMES}
    session = types.SimpleNamespace(places={name: Place(name, asked) for name in NAMES}, stopping=asyncio.Event(),
                                    resources={"shelf": {"boards": boards}})

    async def done(*_arguments: Any, **_fields: Any) -> None:
        pass

    monkeypatch.setattr(Coordinator, "_call", done)
    return Coordinator("lab:1", session), asked


def test_only_the_place_itself_is_looked_at(lab: tuple[Coordinator, Counter[str]]) -> None:
    coordinator, asked = lab
    service = asyncio.run(coordinator.acquire(NAMES[3]))
    assert (service.address, service.username) == ("::1", "root")
    assert asked == {NAMES[3]: len(NAMES)}


def test_all_places_know_their_boards(lab: tuple[Coordinator, Counter[str]]) -> None:
    assert [(place.name, place.services) for place in lab[0].places()] == [(name, 1) for name in sorted(NAMES)]


def test_a_place_that_is_gone(lab: tuple[Coordinator, Counter[str]]) -> None:
    with pytest.raises(DrmbenchError, match="no such place any more"):
        asyncio.run(lab[0].acquire("nobody"))
