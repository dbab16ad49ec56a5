# SPDX-License-Identifier: MIT
"""Places of a labgrid lab -> Document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from drmbench.errors import one_line
from drmbench.render.document import Column, Document, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACES = (Column("place"), Column("state", grows=True), Column("ssh", number=True), Column("tags", grows=True))


class Place(Protocol):
    """What is shown of a place: `services` counts the ways to reach its board."""

    @property
    def name(self) -> str: ...
    @property
    def tags(self) -> dict[str, str]: ...
    @property
    def holder(self) -> str: ...
    @property
    def services(self) -> int: ...


def places_document(places: Sequence[Place]) -> Document:
    """A row a place; one without a service cannot be reached."""
    rows = [
        [one_line(place.name), one_line(f"taken by {place.holder}") if place.holder else "free", str(place.services),
         one_line(" ".join(f"{key}={value}" for key, value in sorted(place.tags.items())))]
        for place in places
    ]
    lines = [] if rows else ["This lab has no places."]
    return Document([Section("Places", _PLACES, rows, lines)])
