# SPDX-License-Identifier: MIT
"""What `drmbench explain` reports: the evidence of each mapping, and what follows from it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import AtLeastOne, Caveat, Count, Environment, Parameters, Size, TargetInfo
from drmbench.model.compare_populate import ComparePopulateResult
from drmbench.model.fault_latency import FaultLatencyResult, Mechanism


class VmaInfo(msgspec.Struct, frozen=True):
    """A mapping as /proc/self/smaps shows it once every page was touched; `rss_bytes` sees no PFN mapping."""

    start: Count
    end: Count
    permissions: str
    offset_bytes: Count
    device: str
    inode: Count
    backing: str
    vm_flags: list[str]
    rss_bytes: Count
    pmd_mapped_bytes: Count
    kernel_page_bytes: Count


class Payment(msgspec.Struct, frozen=True):
    """One mapping and a store to each of its pages, in ns: the least of the runs, as whatever disturbs one adds."""

    mmap_ns: Count
    first_touch_ns: Count
    other_touches_ns: Count


class AfterClose(msgspec.Struct, frozen=True):
    """A mapping whose handle and descriptor are gone.

    `faults` of then touching every page, half of them for the first time; `data`: the pattern that was stored
    before, null where nothing may be stored.
    """

    faults: Count | None
    data: Literal["kept", "lost"] | None
    signal: str | None = None


class ForkedChild(msgspec.Struct, frozen=True):
    """Faults of a forked child that reads, or that writes, every page its parent had written."""

    read_faults: Count | None
    write_faults: Count | None
    signal: str | None = None


class HugeProbe(msgspec.Struct, frozen=True):
    """A large buffer mapped at an address aligned to `unit_bytes` (a PMD), and then one page beside it.

    Only the first of them can be mapped by huge page table entries. `pmd_mapped_bytes` is what smaps calls so.
    """

    size_bytes: Size
    unit_bytes: Size
    aligned_faults: Count
    aligned_window_pages: Count | None
    shifted_faults: Count
    shifted_window_pages: Count | None
    pmd_mapped_bytes: Count


class HelperModules(msgspec.Struct, frozen=True):
    """Which of the kernel's memory helper modules the driver's module links to, and which are loaded at all."""

    module: str
    linked: list[str]
    loaded: list[str]


class Clue(msgspec.Struct, frozen=True):
    """One piece of evidence, and the mechanisms that do not behave so."""

    name: str
    found: str
    rules_out: list[str]


class Conclusion(msgspec.Struct, frozen=True):
    """The mechanisms that no clue rules out; where there is none, `closest` has those with the fewest against them."""

    mechanisms: list[Mechanism]
    closest: list[Mechanism]
    clues: list[Clue]
    text: str


class ExplainResult(msgspec.Struct, frozen=True):
    """How one buffer kind is mapped. `touches` holds write (cold, warm), read and read-then-write.

    null: not applicable, or not possible here for the reason in `problems`. `private_mapping` is "accepted" or
    the errno of mmap(MAP_PRIVATE); `offset_bytes` null where the driver's ioctl maps by itself.
    """

    target: TargetInfo
    size_bytes: Size
    pages: Size
    runs: Size
    offset_bytes: Count | None
    vma: VmaInfo
    touches: Annotated[list[FaultLatencyResult], AtLeastOne]
    descending_faults: Count
    first_mapping: Payment
    second_mapping: Payment | None
    populate: ComparePopulateResult
    after_close: AfterClose | None
    child: ForkedChild | None
    private_mapping: str | None
    huge: HugeProbe | None
    helpers: HelperModules | None
    problems: dict[str, str]
    conclusion: Conclusion


class ExplainReport(msgspec.Struct, frozen=True, tag_field="command", tag="explain"):
    """What `drmbench explain` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: Annotated[list[ExplainResult], AtLeastOne]
    caveats: list[Caveat]
