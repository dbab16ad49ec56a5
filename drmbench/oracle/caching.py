# SPDX-License-Identifier: MIT
"""How is a mapping cached? Told by how fast loads and stores through it are beside anonymous memory.

What the CPU does with each memory type (Intel SDM volume 3, 12.3; Arm ARM, B2.7): ordinary loads are cached in
write-back memory only. In write-combining memory movntdqa fetches a line at once where an ordinary load fetches its
own bytes, and stores are merged. In uncached memory every load and store goes out by itself, so that one twice as
wide moves twice as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.model import Caching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import BandwidthPass, BandwidthResult, CachingMode, Environment, SweepAccess, SweepName

_CACHED, _UNCACHED = 0.5, 0.25      # ordinary loads against those of anon: at least, at most
_STREAMED, _UNSTREAMED = 2.0, 1.3   # movntdqa against ordinary loads of the same width: at least, at most
_MERGED, _UNMERGED = 0.3, 0.1       # stores of 8 bytes against those of anon: at least, at most
_BY_WIDTH = 1.7                     # stores of 16 bytes against those of 8: at least this much faster if uncombined
_UNSTEADY = 3.0                     # the fastest run against the median
_NAMES: dict[CachingMode, str] = {"WB": "write-back", "WC": "write-combining", "UC": "uncached"}
_DECIDING: tuple[tuple[SweepName, SweepAccess], ...] = (
    ("read", "vector16"), ("read", "nontemporal"), ("write", "scalar"), ("write", "vector16"),
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes a second: loads of 16 bytes, movntdqa, stores of 8 and of 16 bytes; None where not measured."""

    load16: float | None
    load_nontemporal: float | None
    store8: float | None
    store16: float | None


@dataclass(frozen=True, slots=True)
class Ratios:
    """The four ratios that decide; None where one of the two rates is missing."""

    load: float | None
    streaming: float | None
    store: float | None
    by_width: float | None

    def evidence(self) -> list[str]:
        """In words, one for each that is known."""
        told = (
            (self.load, "loads of 16 bytes run at {} of anon's"),
            (self.streaming, "movntdqa loads at {} of ordinary loads of 16 bytes"),
            (self.store, "stores of 8 bytes at {} of anon's"),
            (self.by_width, "stores of 16 bytes at {} of those of 8"),
        )
        return [words.format(f"{ratio:.2g}x") for ratio, words in told if ratio is not None]


def ratios_of(mapping: Rates, anon: Rates) -> Ratios:
    """The mapping's rates over those of anonymous memory, and over its own."""
    return Ratios(_over(mapping.load16, anon.load16), _over(mapping.load_nontemporal, mapping.load16),
                  _over(mapping.store8, anon.store8), _over(mapping.store16, mapping.store8))


def _over(value: float | None, reference: float | None) -> float | None:
    return None if value is None or not reference else value / reference


def mode_of(ratios: Ratios, arch: str) -> tuple[CachingMode | None, str]:
    """The caching mode and why, or None and what is missing; `arch` as uname() names it.

    Only x86 has loads that tell WC from UC; elsewhere merged stores do.
    """
    load, store = ratios.load, ratios.store
    if load is None or store is None:
        return None, "loads and stores of both were not measured"
    if load >= _CACHED:
        if store >= _MERGED:
            return "WB", "loads and stores are about as fast as to anonymous memory, so both are cached"
        return None, "loads are cached but stores are slow, as in write-through memory or memory far away"
    if load > _UNCACHED:
        return None, f"loads at {load:.2g}x of anon's are too slow for cached and too fast for uncached memory"
    return _uncached(ratios, store, streams=arch == "x86_64")


def _uncached(ratios: Ratios, store: float, *, streams: bool) -> tuple[CachingMode | None, str]:
    by_width = ratios.by_width is not None and ratios.by_width >= _BY_WIDTH
    merged = store >= _MERGED or (store > _UNMERGED and not by_width)
    if streams:
        return _by_streaming(ratios.streaming, merged=merged, one_by_one=by_width and store < _MERGED)
    if merged:
        return "WC", "loads are uncached but stores are merged (Normal non-cacheable memory on arm64)"
    return "UC", "loads are uncached and stores go out one by one (Device memory on arm64)"


def _by_streaming(streaming: float | None, *, merged: bool, one_by_one: bool) -> tuple[CachingMode | None, str]:
    if streaming is None:
        return None, "loads are uncached, and without movntdqa WC and UC cannot be told apart"
    if streaming >= _STREAMED and one_by_one:
        return None, "movntdqa loads stream as in WC memory, but stores go out one by one as in UC memory"
    if streaming >= _STREAMED:
        return "WC", "ordinary loads are uncached and movntdqa streams whole lines, which it does in WC memory only"
    if streaming > _UNSTREAMED:
        return None, f"uncached, but movntdqa at {streaming:.2g}x of ordinary loads tells WC from UC neither way"
    if merged:
        return None, "movntdqa is no faster, as in UC memory, but stores are merged, as in WC memory"
    return "UC", "loads are slow, movntdqa as well, and stores go out one by one"


def caching_of(result: BandwidthResult, results: Sequence[BandwidthResult], environment: Environment) -> Caching:
    """What the speeds of a result say of its caching mode, beside the anon result of the same report."""
    if environment.emulated:
        return Caching(None, "cannot tell: emulated CPU, whose loads and stores are function calls", [])
    anon = next((other for other in results if other.target.kind == "baseline" and other.target.driver == "anon"), None)
    if result is anon:
        return Caching("WB", "WB: anonymous memory, what the others are held against", [])
    if anon is None:
        return Caching(None, "cannot tell: anon was not measured beside it", [])
    ratios = ratios_of(rates_of(result.passes), rates_of(anon.passes))
    objection = _objection(result.passes) or _objection(anon.passes)
    if objection:
        return Caching(None, f"cannot tell: {objection}", ratios.evidence())
    mode, why = mode_of(ratios, environment.arch)
    text = f"cannot tell: {why}" if mode is None else f"{mode} ({_NAMES[mode]}): {why}"
    if mode == "WB" and environment.virtualization != "none":
        text += "; a hypervisor may cache what the guest's page tables do not"
    return Caching(mode, text, ratios.evidence())


def rates_of(passes: Sequence[BandwidthPass]) -> Rates:
    """The rates that decide, of the fastest run of each: whatever disturbs a run slows it."""
    rates = {(each.operation, each.access): each.bytes_per_s_max for each in passes}
    return Rates(*(rates.get(way) for way in _DECIDING))


def _objection(passes: Sequence[BandwidthPass]) -> str:
    deciding = [each for each in passes if (each.operation, each.access) in _DECIDING]
    if any(each.faults for each in deciding):
        return "pages faulted while they were timed"
    for each in deciding:
        if each.bytes_per_s_max > _UNSTEADY * each.bytes_per_s:
            return f"the fastest run of {each.operation} by {each.instructions} is far from the median"
    return ""
