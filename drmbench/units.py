# SPDX-License-Identifier: MIT
"""Parse and print the two units drmbench knows: bytes and nanoseconds."""

from __future__ import annotations

import re

_SCALE = {"": 1, "K": 10, "M": 20, "G": 30, "T": 40}
_SIZE = re.compile(r"([0-9]+)\s*(?:([KMGT])(?:iB|B)?|B)?", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """Bytes in "4096", "64KiB", "64K", "64 MB" or "1GiB"; every prefix is a power of two.

    Raises ValueError on anything else, signs and fractions included.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it as 4096, 64KiB, 16MiB or 1GiB")
    prefix = (match[2] or "").upper()
    return int(match[1]) * (1 if prefix == "" else 1 << _SCALE[prefix])


def format_bytes(size_bytes: int) -> str:
    """The shortest exact form with a binary prefix: 67108864 -> "64 MiB", 4100 -> "4100 B"."""
    for prefix in "TGMK":
        unit = 1 << _SCALE[prefix]
        if size_bytes >= unit and size_bytes % unit == 0:
            return f"{size_bytes // unit} {prefix}iB"
    return f"{size_bytes} B"


def format_ns(ns: float | None) -> str:
    """A duration in at most 7 columns and three significant digits: 1234567 -> "1.23 ms"; None -> "-"."""
    if ns is None:
        return "-"
    value, unit = float(ns), "ns"
    for larger in ("us", "ms", "s"):
        if abs(value) < 999.5:
            break
        value, unit = value / 1000.0, larger
    if unit == "ns" and value == int(value):
        return f"{int(value)} ns"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def format_rate(per_second: float) -> str:
    """A rate in three significant digits: 1234567 -> "1.23 M/s"."""
    value, unit = per_second, ""
    for larger in ("k", "M", "G"):
        if value < 999.5:
            break
        value, unit = value / 1000.0, larger
    return f"{value:.3g} {unit}/s"


def format_ratio(ratio: float | None) -> str:
    """A ratio for a table cell: 1.234 -> "1.23x", 123.4 -> "123x"; None -> "-"."""
    if ratio is None:
        return "-"
    digits = 2 if ratio < 9.995 else 1 if ratio < 99.95 else 0
    return f"{ratio:.{digits}f}x"


def format_gib_s(bytes_per_s: float | None) -> str:
    """A rate in GiB/s (2**30 bytes a second) for a table cell, three significant digits: "9.81"; None -> "-"."""
    if bytes_per_s is None:
        return "-"
    rate = bytes_per_s / (1 << 30)
    digits = 4 if rate < 0.0995 else 3 if rate < 0.9995 else 2 if rate < 9.995 else 1 if rate < 99.95 else 0
    return f"{rate:.{digits}f}"
