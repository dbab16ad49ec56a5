# SPDX-License-Identifier: MIT
"""The options that the measuring commands share, and the types behind them."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, TypeVar

import click

from drmbench.cli import completion
from drmbench.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.model import Access
    from drmbench.repetition import Asked

F = TypeVar("F", bound="Callable[..., Any]")

# As model.SWEEPS, which --help must not import.
MOST_LIVE = 1_000_000
OPERATIONS = ("read", "write", "fill", "copy-to", "copy-from")
ACCESSES: tuple[Access, ...] = ("write", "read", "read-then-write")


def size(value: str) -> int:
    """Bytes of a whole number of pages, as --size takes them. Raises click.BadParameter."""
    try:
        size_bytes = parse_bytes(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if size_bytes == 0 or size_bytes % mmap.PAGESIZE:
        raise click.BadParameter(f"{value!r} is not a positive multiple of the {format_bytes(mmap.PAGESIZE)} page")
    if size_bytes >= 1 << 63:
        raise click.BadParameter(f"{value!r} is more than any address space holds")
    return size_bytes


def percent(value: str) -> float:
    """A percentage from "5" or "5%". Raises click.BadParameter."""
    try:
        found = float(value.strip().removesuffix("%"))
    except ValueError:
        found = -1.0
    if not 0 < found <= 1000:
        raise click.BadParameter(f"{value!r} is no percentage above 0; write it as 5 or 5%")
    return found


def order(value: str) -> str:
    """A touch order as --order takes it. Raises click.BadParameter."""
    if value in {"sequential", "reverse", "random"}:
        return value  # the default, among others: completion asks for it at every Tab
    from drmbench.workloads.order import check_order  # noqa: PLC0415 (brings numpy)

    try:
        return check_order(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def strategies(value: str) -> tuple[str, ...]:
    """Strategy names, separated by commas, in their own order; lazy, the reference, is always among them.

    Raises click.BadParameter.
    """
    from drmbench.workloads.populate import STRATEGIES  # noqa: PLC0415 (brings the native code)

    wanted = {name.strip() for name in value.split(",") if name.strip()}
    if wanted == {"all"}:
        return tuple(STRATEGIES)
    unknown = sorted(wanted - set(STRATEGIES))
    if unknown or not wanted:
        names = ", ".join(unknown) or repr(value)
        raise click.BadParameter(f"{names} is no strategy; there are {', '.join(STRATEGIES)}")
    return tuple(name for name in STRATEGIES if name == "lazy" or name in wanted)


def operations(value: str) -> tuple[str, ...]:
    """Operations of bandwidth, separated by commas, in their own order. Raises click.BadParameter."""
    wanted = {name.strip() for name in value.split(",") if name.strip()}
    if wanted == {"all"}:
        return OPERATIONS
    unknown = sorted(wanted - set(OPERATIONS))
    if unknown or not wanted:
        names = ", ".join(unknown) or repr(value)
        raise click.BadParameter(f"{names} is no operation; there are {', '.join(OPERATIONS)}")
    return tuple(name for name in OPERATIONS if name in wanted)


def sizes(value: str) -> tuple[int, ...]:
    """Bytes of each of the sizes between commas, ascending, each as --size takes one. Raises click.BadParameter."""
    return tuple(sorted({size(part) for part in value.split(",")}))


def live_counts(value: str) -> tuple[int, ...]:
    """Whole numbers from 1 to a million between commas, ascending. Raises click.BadParameter."""
    parts = [part.strip() for part in value.split(",")]
    wrong = next((part for part in parts if not (part.isdecimal() and part.isascii() and len(part) <= 7
                                                 and 0 < int(part) <= MOST_LIVE)), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is no number of buffers from 1 to {MOST_LIVE}")
    return tuple(sorted({int(part) for part in parts}))


def accesses(option: str) -> tuple[Access, ...]:
    """--access -> what to measure: one access, or all three."""
    return tuple(access for access in ACCESSES if option in {access, "all"})


def target_options(command: F) -> F:
    """--device, --buffer."""
    for option in reversed((
        click.option("--device", "devices", multiple=True, metavar="SPEC", shell_complete=completion.devices,
                     help="Node, driver name, IGT filter (drm:, pci:, sys:), anon, memfd or file:PATH; repeatable. "
                          "Default: DRMBENCH_DEVICE, IGT_DEVICE, else every usable node."),
        click.option("--buffer", metavar="KIND", shell_complete=completion.buffer_kinds,
                     help="Buffer kind, or all. Default: the back-end's first."),
    )):
        command = option(command)
    return command


def subject_options(default_size: str) -> Callable[[F], F]:
    """--device, --buffer, --size; `default_size` says what the last one is by default."""
    def decorate(command: F) -> F:
        for option in reversed((
            target_options,
            click.option("--size", "size_bytes", type=size, metavar="SIZE", help=f"Buffer size. {default_size}"),
        )):
            command = option(command)
        return command

    return decorate


def repeating_options(seed_help: str) -> Callable[[F], F]:
    """repeat_options(), --cpu, --seed, --no-baseline, --save-baseline; `seed_help` says what the seed decides."""
    def decorate(command: F) -> F:
        for option in reversed((
            repeat_options,
            click.option("--cpu", type=click.IntRange(0), help="Measure on this CPU only."),
            click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True,
                         help=seed_help),
            click.option("--no-baseline", is_flag=True, help="Leave out anon and memfd, the floor to compare with."),
            save_baseline_option,
        )):
            command = option(command)
        return command

    return decorate


def repeat_options(command: F) -> F:
    """--runs, --precision, --time-budget, --warm-up: how often to measure; asked_repeats() takes them."""
    for option in reversed((
        click.option("--runs", type=click.IntRange(1, 100_000), metavar="N",
                     help="Exactly N runs, each on fresh buffers, targets taking turns; with one of the next two: at "
                          "least N.  [default: 10 and more, 5 on an emulated CPU]"),
        click.option("--precision", "precision_percent", type=percent, metavar="PERCENT",
                     help="Repeat until each median is known so well (95 % interval).  [default: 2%]"),
        click.option("--time-budget", "time_budget_s", type=click.FloatRange(0, 86_400), metavar="SECONDS",
                     help="Repeat no longer than this.  [default: 10]"),
        click.option("--warm-up", type=click.IntRange(0, 1000), default=1, show_default=True, metavar="N",
                     help="Runs that are made before and discarded."),
    )):
        command = option(command)
    return command


def asked_repeats(runs: int | None, precision_percent: float | None, time_budget_s: float | None, warm_up: int,
                  ) -> Asked:
    """What repeat_options() took."""
    from drmbench.repetition import Asked  # noqa: PLC0415 (brings numpy)

    return Asked(runs, precision_percent, time_budget_s, warm_up)


def save_baseline_option(command: F) -> F:
    """--save-baseline."""
    return click.option("--save-baseline", metavar="NAME",
                        help="Keep the report under this name: drmbench compare baseline:NAME ...")(command)


def measuring_options(command: F) -> F:
    """subject_options(), --access, --order, repeating_options()."""
    for option in reversed((
        subject_options("Default: 64MiB, halved until it fits the device."),
        click.option("--access", type=click.Choice([*ACCESSES, "all"]), default="write", show_default=True,
                     help="How pages are touched."),
        click.option("--order", type=order, default="sequential", show_default=True,
                     metavar="ORDER", help="sequential, reverse, random or stride:N (pages)."),
        repeating_options("For --order random, and the order in which targets take turns."),
    )):
        command = option(command)
    return command


GENERAL_FORMATS = ("table", "csv", "markdown", "json", "openmetrics")
"""What every report can be printed as."""

LAB_FORMATS = ("lava", "kcidb")
"""What reports with numbers, and those of verify, can be printed as besides."""


def _format(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """What the environment says for KCIDB must be known to be good before an hour of measuring."""
    if value == "kcidb":
        from drmbench.render.kcidb import check_environment  # noqa: PLC0415 (seldom needed)

        check_environment()
    return value


def output_options(formats: tuple[str, ...] = ()) -> Callable[[F], F]:
    """--json and --format; `formats` are those that only this command has."""
    choices = list(dict.fromkeys((*GENERAL_FORMATS, *formats)))

    def decorate(command: F) -> F:
        command = click.option("--format", "format_name", type=click.Choice(choices), default=choices[0],
                               callback=_format, show_default=True, help="What stdout shows.")(command)
        return click.option("--json", "json_path", metavar="FILE", shell_complete=completion.files,
                            help="Write the report there; - is stdout, and nothing else is printed.")(command)

    return decorate


def plot_option(command: F) -> F:
    """--plot, for reports of touches."""
    return click.option("--plot", "plot", metavar="[PLOT:]FILE", shell_complete=completion.files,
                        help="Draw a figure with axes there, .svg or .png: histogram, ecdf, pages, or, of several "
                             "reports, before-after.  [default: the first that there is]")(command)


def picture_options(command: F) -> F:
    """--html and --svg, for reports that have pictures."""
    command = click.option("--svg", "svg", metavar="[PICTURE:]FILE", shell_complete=completion.files,
                           help="Write one picture of each result there: mapping, stages, histogram, populate, "
                                "scaling, sizes, bandwidth or live.  [default: the first that there is]")(command)
    return click.option("--html", "html_path", metavar="FILE", shell_complete=completion.files,
                        help="Write a page with tables and pictures there, which needs no network.")(command)
