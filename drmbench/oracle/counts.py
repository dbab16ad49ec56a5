# SPDX-License-Identifier: MIT
"""What a fault-latency or compare-populate result says by itself: the mechanism that explains it, or an objection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import ACCEPTED, Caveat, Mechanism
from drmbench.oracle.table import TABLE, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import ComparePopulateResult, FaultLatencyResult
    from drmbench.oracle.table import Row

_X86 = frozenset({"x86_64", "i386", "i486", "i586", "i686"})


def _expected(row: Row, result: FaultLatencyResult) -> list[int] | None:
    """Faults of each pass of the result under this mechanism, None where it does not apply to the access."""
    windows = 1 if row.window == WHOLE else -(-result.pages // row.window)
    if result.access == "read-then-write":
        return [windows * row.read, windows * row.after_read]
    first = row.read if result.access == "read" else row.write
    return None if first is None else [windows * first]


def _window_fits(row: Row, result: FaultLatencyResult, expected: list[int]) -> bool:
    seen = result.passes[0].prefault_window_pages if result.passes else result.prefault_window_pages
    if seen is None:
        return expected[0] == 0
    wanted = result.pages if row.window == WHOLE else min(row.window, result.pages)
    return seen == wanted


def counts_fit(row: Row, result: FaultLatencyResult) -> bool:
    """Whether the window and the count of every pass are what the mechanism gives.

    One fault more is accepted where windows can lie across the ends of the buffer, and any order but the
    sequential one for a window of more than a page: such counts depend on where each touch falls.
    """
    expected = _expected(row, result)
    if expected is None or not _window_fits(row, result, expected):
        return False
    if result.order != "sequential" and row.window != 1:
        return True
    spare = 0 if row.window == 1 else 1
    counted = [touch_pass.faults for touch_pass in result.passes]
    return all(want <= got <= want + spare for want, got in zip(expected, counted, strict=True))


def flags_fit(row: Row, flags: Sequence[str]) -> bool:
    """Whether the VmFlags are those of the mechanism."""
    return row.has <= set(flags) and not row.lacks & set(flags)


def private_fits(row: Row, answer: str | None) -> bool:
    """Whether mmap(MAP_PRIVATE) is answered as by the mechanism; an answer or a trait that is not known fits."""
    return answer is None or row.private is None or row.private == (answer == ACCEPTED)


def cpu_fits(row: Row, arch: str) -> bool:
    """Whether the CPU can be one that the row needs: every x86 sets the dirty bit, of others that is not known."""
    return row.dirty_bit is None or arch not in _X86


def node_fits(row: Row, kind: str) -> bool:
    """Whether a DRM node, or a baseline, can be mapped by the mechanism at all."""
    return row.node is None or row.node == (kind == "drm")


def _explains(row: Row, result: FaultLatencyResult, arch: str) -> bool:
    return (cpu_fits(row, arch) and node_fits(row, result.target.kind) and flags_fit(row, result.vm_flags)
            and private_fits(row, result.private_mapping) and counts_fit(row, result))


def mechanism_of(result: FaultLatencyResult, arch: str) -> Mechanism | None:
    """What explains the result: the first row of a family, and of each further one that cannot be told from it.

    `arch` is the machine as uname() names it. None where no row explains it or where a file system decides.
    """
    if result.target.driver == "file":
        return None
    rows: dict[str, Row] = {}
    for row in TABLE:
        if row.family not in rows and _explains(row, result, arch):
            rows[row.family] = row
    if not rows:
        return None
    return Mechanism(" or ".join(row.name for row in rows.values()), "; ".join(row.source for row in rows.values()))


def objections(label: str, result: FaultLatencyResult, arch: str) -> Iterator[Caveat]:
    """A caveat where no row explains what was counted."""
    if result.target.driver == "file" or mechanism_of(result, arch) is not None:
        return
    window = result.prefault_window_pages
    if result.faults.touch > result.pages:
        identity, what = "double-fault", "more than one fault a page"
    elif window is not None and window > 1:
        identity, what = "unexpected-prefault", f"a fault maps {window} pages"
    else:
        identity, what = "unexplained-faults", f"{result.faults_per_page:.4g} faults a page"
    yield Caveat(
        identity,
        f"{label} {result.access} {result.phase}: {what} ({result.faults.touch} for {result.pages} pages, VmFlags "
        f"{' '.join(result.vm_flags) or 'none'}): no mapping mechanism known to drmbench does that",
        "look at the driver's fault handler, or report it with the --json file",
    )


def populate_objections(label: str, result: ComparePopulateResult) -> Iterator[Caveat]:
    """A caveat for each strategy that populated only a part: every known one does all or nothing."""
    lazy = result.strategies["lazy"].faults.touch
    for name, strategy in result.strategies.items():
        left = strategy.faults.touch
        if 0 < left < lazy:
            yield Caveat("partial-populate", f"{label} {result.access} {name}: {left} of {lazy} touch faults are left",
                         "look at the driver's fault handler, or report it with the --json file")
