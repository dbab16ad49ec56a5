# SPDX-License-Identifier: MIT
"""What of two machines or settings differs, beside the kernel, which is what is often compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import Caveat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import CompareResult, CompareSide, Environment

# Field -> what a person calls it.
_MATTERS = {
    "arch": "architecture",
    "cpu_model": "CPU",
    "page_size_bytes": "page size",
    "virtualization": "virtualisation",
    "governor": "frequency governor",
    "thp": "transparent huge pages",
    "thp_shmem": "huge pages of shmem",
    "cpus": "CPUs",
    "memory_bytes": "memory",
    "drmbench": "drmbench version",
}
_MEMORY_SLACK = 0.02  # kernels reserve a little more or less of the same memory


def caveats_of(sides: Sequence[CompareSide], results: Sequence[CompareResult], *, live: bool) -> list[Caveat]:
    """Differences of each side from the base, emulation, and baselines that moved as well."""
    found: list[Caveat] = []
    base = sides[0]
    for side in sides[1:]:
        found += _differences(base, side)
    found += _emulated(sides, live=live)
    found += _moved_baselines(results)
    return list(dict.fromkeys(found))


def _differences(base: CompareSide, side: CompareSide) -> Iterator[Caveat]:
    for name, words in _MATTERS.items():
        was, now = getattr(base.environment, name), getattr(side.environment, name)
        if was == now or (name == "memory_bytes" and abs(was - now) <= _MEMORY_SLACK * max(was, now)):
            continue
        yield Caveat("environment-differs", f"{side.name}: {words}: {now} instead of {was}",
                     "measure both on the same machine with the same settings")


def _emulated(sides: Sequence[CompareSide], *, live: bool) -> Iterator[Caveat]:
    names = [side.name for side in sides if side.environment.emulated]
    if names:
        yield Caveat("emulated-cpu", f"{', '.join(names)}: the CPU is emulated: counts are exact, times are not",
                     "compare times only as ratios within this run" if live else "go by the counts")


def distrust(sides: Sequence[CompareSide], *, live: bool) -> str:
    """Why times of these sides prove nothing, "" where they may: what was emulated at another time."""
    emulated = any(side.environment.emulated for side in sides)
    return "emulated CPU" if emulated and not live else ""


def _moved_baselines(results: Sequence[CompareResult]) -> Iterator[Caveat]:
    if not any(result.target.kind == "drm" for result in results):
        return
    for result in results:
        moved = [time for time in result.times if time.verdict in {"faster", "slower"}]
        if result.target.kind == "baseline" and moved:
            yield Caveat("baseline-moved", f"{result.target.driver}, {result.variant}: {moved[0].name} is "
                         f"{moved[0].verdict} too, and no driver is in it",
                         "the machine or the rest of the kernel changed; compare ratios to the baseline")


def kernel_of(environment: Environment) -> str:
    """The kernel, with the lab's name for it where the lab booted it."""
    return environment.lab_kernel or environment.kernel
