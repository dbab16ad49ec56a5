# SPDX-License-Identifier: MIT
"""What a kernel function decides and which errno it can return, in drmbench's own words (notes.toml)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_MADE_BY_A_COMPILER = re.compile(r"(\.(isra|constprop|part|cold|llvm|lto_priv)(\.\d+)*)+$")


@dataclass(frozen=True, slots=True)
class Note:
    """About a function, whatever the kernel calls it.

    names  the newest first
    file   where it is in kernel source
    text   what it decides or does
    errno  (name, when it refuses with it)
    """

    names: tuple[str, ...]
    file: str
    text: str
    errno: tuple[tuple[str, str], ...]


def plain(function: str) -> str:
    """The name in the source: without what a compiler appends to its copies (.isra.0, .constprop.0, ...)."""
    return _MADE_BY_A_COMPILER.sub("", function)


def note_of(function: str) -> Note | None:
    """The note about a function, by any of its names; None where the walk-through does not know it."""
    return notes().get(plain(function))


@cache
def notes() -> dict[str, Note]:
    """Every name -> its note."""
    text = files("drmbench.trace").joinpath("notes.toml").read_text(encoding="utf-8")
    found = {}
    for entry in tomllib.loads(text)["function"]:
        note = Note(tuple(entry["names"]), entry["file"], entry["note"], tuple(entry.get("errno", {}).items()))
        found.update(dict.fromkeys(note.names, note))
    return found
