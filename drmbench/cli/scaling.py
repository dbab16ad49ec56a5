# SPDX-License-Identifier: MIT
"""The types of `drmbench scale`'s options, and what they mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from drmbench.cli.options import size
from drmbench.errors import UsageError

if TYPE_CHECKING:
    from drmbench.measurement import Options
    from drmbench.model import Access, Layout, Phase
    from drmbench.repetition import Asked

MOST_WORKERS = 1024


def worker_numbers(value: str) -> tuple[int, ...]:
    """"1,2,4" -> (1, 2, 4), ascending, with the 1 that the others are compared with. Raises click.BadParameter."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        raise click.BadParameter(f"{value!r} is no list of numbers like 1,2,4")
    numbers = {int(part) for part in parts}
    if min(numbers) < 1 or max(numbers) > MOST_WORKERS:
        raise click.BadParameter(f"there can be 1 to {MOST_WORKERS} workers")
    return tuple(sorted({1, *numbers}))


def layouts(value: str) -> tuple[Layout, ...]:
    """Layout names, separated by commas; "all" is every one. Raises click.BadParameter."""
    from drmbench.model import Layout  # noqa: PLC0415 (brings msgspec)

    known = get_args(Layout)
    wanted = {name.strip() for name in value.split(",") if name.strip()}
    if wanted == {"all"}:
        return known
    unknown = sorted(wanted - set(known))
    if unknown or not wanted:
        raise click.BadParameter(f"{', '.join(unknown) or repr(value)} is no layout; there are {', '.join(known)}")
    return tuple(name for name in known if name in wanted)


def size_range(value: str) -> tuple[int, ...]:
    """"4KiB..1MiB" -> each doubled size from the first on, and the last one. Raises click.BadParameter."""
    first, dots, last = value.partition("..")
    if not dots:
        raise click.BadParameter(f"{value!r} is no range like 4KiB..4GiB")
    least, most = size(first), size(last)
    if least > most:
        raise click.BadParameter(f"{first} is more than {last}")
    sizes = []
    while least < most:
        sizes.append(least)
        least *= 2
    return (*sizes, most)


def options_for(*, devices: tuple[str, ...], buffer: str | None, size_bytes: int | None,
                threads: tuple[int, ...] | None, processes: tuple[int, ...] | None, max_workers: int | None,
                layouts: tuple[Layout, ...], size_sweep: tuple[int, ...] | None, access: str, phase: str,
                repeats: Asked, cpu: int | None, baseline: bool) -> Options:
    """What to measure: threads and processes up to the CPUs where neither was asked for. Raises UsageError."""
    from drmbench.measurement import Options  # noqa: PLC0415 (--help must stay quick)
    from drmbench.scale.cpus import cpus_to_use, worker_counts  # noqa: PLC0415
    from drmbench.scale.suite import DEFAULT_SIZE_BYTES, FLOOR  # noqa: PLC0415

    chosen_access: tuple[Access, ...] = ("read",) if access == "read" else ("write",)
    phases: tuple[Phase, ...] = ("warm",) if phase == "warm" else ("cold",)
    if size_sweep is not None:
        _refuse_beside_sweep({"--threads": threads, "--processes": processes, "--max-workers": max_workers,
                              "--size": size_bytes})
        return Options(
            devices=devices, buffer=buffer, size_bytes=size_sweep[0], accesses=chosen_access, order="sequential",
            repeats=repeats, cpu=cpu, seed=0, baseline=baseline, phases=phases, size_sweep=size_sweep,
            floor=FLOOR,
        )
    if cpu is not None:
        raise UsageError("scale", "--cpu", reason="it is for --size-sweep; workers have a CPU each",
                         remedy="taskset -c says which ones")
    if max_workers is not None and (threads or processes):
        raise UsageError("scale", "--max-workers", reason="--threads and --processes say how many",
                         remedy="leave one of them out")
    if not threads and not processes:
        threads = processes = worker_counts(max_workers or len(cpus_to_use()))
    return Options(
        devices=devices, buffer=buffer, size_bytes=size_bytes, accesses=chosen_access, order="sequential",
        repeats=repeats, cpu=None, seed=0, baseline=baseline, phases=phases, default_size_bytes=DEFAULT_SIZE_BYTES,
        layouts=layouts, threads=threads or (), processes=processes or (), floor=FLOOR,
    )


def _refuse_beside_sweep(options: dict[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError("scale", "--size-sweep", reason=f"it has nothing to do with {name}",
                             remedy=f"leave {name} out, or measure twice")
