# SPDX-License-Identifier: MIT
"""known.toml: breaches of a rule that are known for a driver and a range of kernels."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from drmbench.errors import DrmbenchError
from drmbench.model import KnownBehaviour

_VERSION = re.compile(r"(\d+)\.(\d+)")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    known: list[_Entry] = []
    excluded: list[_Exclusion] = []


class _Ranged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"first": "from"}):
    first: str = ""
    before: str = ""


class _Entry(_Ranged, frozen=True, kw_only=True):
    case: str
    driver: str
    what: str
    actual: str
    why: str
    source: str
    buffer: str = ""


class _Exclusion(_Ranged, frozen=True, kw_only=True):
    need: str
    driver: str
    why: str
    source: str


def load_known(path: str | None = None) -> list[KnownBehaviour]:
    """The entries of the file, or of drmbench's own. Raises DrmbenchError for one that cannot be understood."""
    return [KnownBehaviour(**msgspec.structs.asdict(entry)) for entry in _load(path).known]


def excluded(need: str, *, driver: str, kernel: str, path: str | None = None) -> str:
    """Why a need counts as not met on this driver and kernel, "" where the file says nothing of it.

    Raises DrmbenchError as load_known() does.
    """
    for entry in _load(path).excluded:
        if (entry.need, entry.driver) == (need, driver) and _in_range(entry.first, entry.before, kernel):
            return f"left out: {entry.why} ({entry.source})"
    return ""


def _load(path: str | None) -> _File:
    place = importlib.resources.files("drmbench.conformance") / "known.toml" if path is None else Path(path)
    try:
        found = msgspec.convert(tomllib.loads(place.read_text(encoding="utf-8")), type=_File)
        entries: list[_Ranged] = [*found.known, *found.excluded]
        for entry in entries:
            for version in (entry.first, entry.before):
                if version:
                    kernel_version(version)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise DrmbenchError(path or "known.toml", "read", reason=str(error)) from None
    return found


def kernel_version(release: str) -> tuple[int, int]:
    """The first two numbers of a release: 6.1.0-56-amd64 -> (6, 1). Raises ValueError where it does not start so."""
    match = _VERSION.match(release)
    if match is None:
        raise ValueError(f"{release!r} is no kernel version")
    return int(match[1]), int(match[2])


def covers(entry: KnownBehaviour, *, case: str, driver: str, buffer: str, kernel: str) -> bool:
    """Whether the entry speaks of this case on this driver, buffer kind and kernel release."""
    if (entry.case, entry.driver) != (case, driver) or not fnmatchcase(buffer, entry.buffer or "*"):
        return False
    return _in_range(entry.first, entry.before, kernel)


def _in_range(first: str, before: str, kernel: str) -> bool:
    here = kernel_version(kernel)
    return (not first or here >= kernel_version(first)) and (not before or here < kernel_version(before))
