# SPDX-License-Identifier: MIT
"""known.toml: breaches of a rule that are known for a driver and a range of kernels."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from pathlib import Path

import msgspec

from drmbench.errors import DrmbenchError
from drmbench.model import KnownBehaviour

_VERSION = re.compile(r"(\d+)\.(\d+)")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    known: list[_Entry] = []


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from"}):
    case: str
    driver: str
    what: str
    actual: str
    why: str
    source: str
    buffer: str = ""
    first: str = ""
    before: str = ""


def load_known(path: str | None = None) -> list[KnownBehaviour]:
    """The entries of the file, or of drmbench's own. Raises DrmbenchError for one that cannot be understood."""
    place = importlib.resources.files("drmbench.conformance") / "known.toml" if path is None else Path(path)
    try:
        found = msgspec.convert(tomllib.loads(place.read_text(encoding="utf-8")), type=_File)
        for entry in found.known:
            for version in (entry.first, entry.before):
                if version:
                    kernel_version(version)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise DrmbenchError(path or "known.toml", "read", reason=str(error)) from None
    return [KnownBehaviour(**msgspec.structs.asdict(entry)) for entry in found.known]


def kernel_version(release: str) -> tuple[int, int]:
    """The first two numbers of a release: 6.1.0-56-amd64 -> (6, 1). Raises ValueError where it does not start so."""
    match = _VERSION.match(release)
    if match is None:
        raise ValueError(f"{release!r} is no kernel version")
    return int(match[1]), int(match[2])


def covers(entry: KnownBehaviour, *, case: str, driver: str, buffer: str, kernel: str) -> bool:
    """Whether the entry speaks of this case on this driver, buffer kind and kernel release."""
    if (entry.case, entry.driver) != (case, driver) or entry.buffer not in {"", buffer}:
        return False
    here = kernel_version(kernel)
    after = not entry.first or here >= kernel_version(entry.first)
    return after and (not entry.before or here < kernel_version(entry.before))
