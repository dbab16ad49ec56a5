# SPDX-License-Identifier: MIT
"""Typed warnings: what could mislead the reader of this report, each with a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench import doctor
from drmbench.doctor.check import Machine
from drmbench.doctor.memory import THP_REMEDY, shmem_thp
from drmbench.kernel_files import THIS_MACHINE
from drmbench.model import Caveat, CrewCurve, FaultLatencyResult, SizeSweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import Environment, Repetition
    from drmbench.native import Clock

FEW_RUNS = 3
FEW_TOUCHES = 1000
FEW_CPUS = 2
_CLOCK_SHARE = 0.05
_FAULT_AROUND = 64 * 1024


def not_measured(error: DrmbenchError) -> Caveat:
    """A device that was left out, and why."""
    return Caveat("not-measured", f"left out: {error.story}", error.remedy or "see drmbench devices")


def interrupted(finished_runs: int) -> Caveat:
    """Ctrl-C or SIGTERM ended the measurement early."""
    return Caveat("interrupted", f"interrupted; the numbers are those of {finished_runs} finished runs",
                  "let it finish, or ask for fewer --runs")


def verify_interrupted(finished_cases: int) -> Caveat:
    """Ctrl-C or SIGTERM ended `drmbench verify` early."""
    return Caveat("interrupted", f"interrupted; these are the {finished_cases} cases that had ended",
                  "let it finish, or ask for fewer with --case")


def kernel_log_unread(problem: str) -> Caveat:
    """/dev/kmsg cannot be read, so a kernel warning is only seen where it taints the kernel for the first time."""
    return Caveat("kernel-log-unread", f"/dev/kmsg: {problem}: warnings of the kernel do not fail a case",
                  "run as root, or sysctl kernel.dmesg_restrict=0")


def stress_interrupted() -> Caveat:
    """Ctrl-C or SIGTERM ended `drmbench stress` early."""
    return Caveat("interrupted", "interrupted; the counts are those of the rounds that had ended",
                  "let it finish, or ask for fewer --seconds")


def trace_interrupted() -> Caveat:
    """Ctrl-C or SIGTERM ended `drmbench trace` early."""
    return Caveat("interrupted", "interrupted; these are the targets that had been traced", "let it finish")


def tracing_overhead(least: float, most: float, passes: int) -> Caveat:
    """What tracing itself costs: traced time by untraced time of the same step, over all steps and targets."""
    return Caveat("tracing-overhead", f"traced, a step takes {least:.1f} to {most:.1f} times as long as untraced "
                  f"(medians of {passes} passes of either kind)",
                  "compare durations within a tree only; fault-latency times without tracing")


def untraceable(functions: str) -> Caveat:
    """Functions of the walk from mmap() to the driver that ftrace does not see on this kernel."""
    return Caveat("untraceable", f"inlined, renamed or out of ftrace's reach on this kernel: {functions}",
                  "what they call stands under their caller")


def events_lost(label: str, events: int) -> Caveat:
    """The ring buffer was too small."""
    return Caveat("events-lost", f"{label}: {events} events did not fit into the trace buffer, so calls are missing",
                  "a smaller --size, or --depth")


def no_fault_addresses() -> Caveat:
    """The kernel has no tracepoint exceptions:page_fault_user (it is x86's)."""
    return Caveat("no-fault-addresses", "this kernel does not say which address a fault is of, so faults of other "
                  "memory may stand in the tree", "look for the one that calls the driver")


def nothing_traced(label: str) -> Caveat:
    """A system call without any recorded function."""
    return Caveat("nothing-traced", f"{label}: nothing was recorded of a system call",
                  "ftrace counts threads of the initial PID namespace: run outside of a container")


def perf_refused(how: str) -> Caveat:
    """perf_event_open() was refused, so that --faults counted with ftrace."""
    return Caveat("perf-refused", f"perf_event_open() is refused here, so the kernel's count is by {how}",
                  "sysctl kernel.perf_event_paranoid=2, or run as root")


def memory_grown(label: str, what: str) -> Caveat:
    """The machine has less memory after a stress run, but no more is lost when its last round is repeated."""
    return Caveat("memory-grown", f"{label}: {what} more is in use than before; repeating the last round takes no more",
                  "run longer on an idle machine, to see whether it grows")


def splits_left_out(label: str) -> Caveat:
    """The driver's fault handler counts pages from the VMA's start, so that programs must not move it."""
    return Caveat(
        "splits-left-out",
        f"{label}: the driver is known to map the wrong pages behind a munmap() or mprotect() of a mapping's first "
        "part (its fault handler counts from vm_start), so the programs cut mappings at their ends only",
        "drm_gem_shmem_fault() and the like should count from the fake offset, as TTM does",
    )


def fresh_not_compared(label: str) -> Caveat:
    """The list of known breaches says that fresh buffers hold old data here."""
    return Caveat("fresh-not-compared", f"{label}: a fresh buffer is known to hold old data, so it is compared only "
                  "once it was written to", "drmbench verify --case content/fresh tells more")


def size_reduced(label: str, wanted: str, used: str) -> Caveat:
    """The default size did not fit on a device."""
    return Caveat("size-reduced", f"{label}: the default {wanted} does not fit, measured with {used}",
                  f"--size {used.replace(' ', '')} makes every target use the same size")


def no_warm_phase(label: str) -> Caveat:
    """The buffer cannot be mapped a second time."""
    return Caveat("no-warm-phase", f"{label}: the buffer is its mapping, so there is no warm phase",
                  "compare warm numbers with memfd")


def about_environment(environment: Environment, clock: Clock, *, pinned: bool, runs: int,
                      machine: Machine | None = None) -> Iterator[Caveat]:
    """Caveats that hold for the whole report: the warnings of `drmbench doctor`, and how it was measured.

    `machine` knows the CPU and the devices that were measured; without it only the machine itself is looked at.
    """
    yield from doctor.warnings(machine if machine is not None else Machine(THIS_MACHINE, environment, clock))
    if not pinned and environment.cpus > 1:
        yield Caveat("not-pinned", "the thread may move between CPUs while it is timed", "--cpu N")
    if runs < FEW_RUNS:
        yield Caveat("few-runs", f"{runs} run{'s' if runs > 1 else ''}: no spread to judge by",
                     f"--runs {FEW_RUNS} or more")


def about_repetition(repetition: Repetition, reaches_percent: Iterable[float]) -> Iterator[Caveat]:
    """Medians that are not known as well as was asked for, when time or runs were used up."""
    wanted = repetition.precision_percent
    if wanted is None or repetition.stopped not in {"time-budget", "most-runs"}:
        return
    reaches = [reach for reach in reaches_percent if reach > wanted]
    if reaches:
        yield Caveat("imprecise", f"after {repetition.runs} runs, {len(reaches)} of the medians are known to "
                     f"{max(reaches):.3g} % at worst, not to {wanted:g} %",
                     "an idle machine, --cpu N, or a longer --time-budget")


def clock_went_backwards(intervals: int, source: str) -> Caveat:
    """Counters of two CPUs differ, or the clock was set back: a difference of two reads was below 0."""
    return Caveat("clock-went-backwards", f"the {source} went backwards in {intervals} timed intervals, which count as "
                  "0 ns", "--cpu N, or DRMBENCH_CLOCK=clock_gettime where it is another clock")


def simulated_driver(label: str, what: str) -> Caveat:
    """The driver, or the hardware under it, is made up."""
    return Caveat("simulated-driver", f"{label}: simulated: {what}",
                  "counts show the kernel's own mapping code; times say nothing about the hardware")


def about_thp(environment: Environment, results: Sequence[FaultLatencyResult]) -> Iterator[Caveat]:
    """Baselines are shmem: a huge-page setting makes them fault less than a GEM buffer could.

    A read fault of cached file pages maps up to fault_around_bytes (64 KiB, mm/memory.c) without any huge page.
    """
    baselines = [r for r in results if r.target.kind == "baseline" and r.target.driver != "file"]
    setting = shmem_thp(environment.thp_shmem)
    huge = {
        r.target.driver for r in baselines
        if (r.prefault_window_pages or 1) * r.size_bytes // r.pages > (_FAULT_AROUND if r.access != "write" else
                                                                      r.size_bytes // r.pages)
    }
    if huge:
        yield Caveat("thp-on-baseline", f"{', '.join(sorted(huge))}: a fault maps a huge page", THP_REMEDY)
    elif baselines and setting.severity == "warning":
        yield Caveat("thp-on-baseline", setting.found, setting.remedy)


def about_fault_result(label: str, result: FaultLatencyResult, counted: int, clock: Clock) -> Iterator[Caveat]:
    """Caveats of one result; `counted` is what the untimed pass counted in all touches."""
    touches = result.fault_ns.n + result.hit_ns.n
    where = f"{label} {result.access} {result.phase}"
    if touches < FEW_TOUCHES:
        yield Caveat("few-samples", f"{label}: under {FEW_TOUCHES} touches, so p99.9 is no more than the maximum",
                     "a larger --size or more --runs")
    if counted != result.faults.touch:
        yield Caveat("fault-map-mismatch",
                     f"{where}: {counted} faults in the untimed pass, {result.faults.touch} in the timed one, so "
                     "fault_ns and hit_ns are not cleanly apart", "run again on an idle machine")
    middle = (result.fault_ns if result.fault_ns.n else result.hit_ns).p50
    if middle is not None and clock.overhead_ns > _CLOCK_SHARE * middle:
        yield Caveat("clock-cost", f"{where}: reading the clock costs {clock.overhead_ns:.0f} ns, over 5 % of "
                     f"the median of {middle} ns", "trust ns_per_page less than the fault counts")


def layout_left_out(label: str, layout: str) -> Caveat:
    """The buffer cannot be mapped twice."""
    return Caveat("layout-left-out", f"{label}: {layout} is left out: the buffer is its mapping",
                  "look at memfd for this layout")


def about_crews(label: str, curve: CrewCurve) -> Iterator[Caveat]:
    """Caveats of one curve by number of workers."""
    off = [point for point in curve.points if not point.expected_min <= point.faults <= point.expected_max]
    for point in off:
        bounds = dict.fromkeys((point.expected_min, point.expected_max))
        yield Caveat("unexpected-faults",
                     f"{label}, {curve.layout}, {point.workers} {curve.worker_kind}: {point.faults} faults where one "
                     f"worker's pass and its window let expect {' to '.join(map(str, bounds))}",
                     "look for huge pages, or for memory taken back meanwhile")
    if all(point.faults == 0 for point in curve.points):
        yield Caveat("no-faults", f"{label}: no touch faults, so there is nothing to scale",
                     "compare touches_per_s of the JSON")


def about_cpus(environment: Environment, curves: Sequence[CrewCurve]) -> Iterator[Caveat]:
    """Caveats of all curves by number of workers together."""
    crowded = sorted({point.workers for curve in curves for point in curve.points if point.oversubscribed})
    if crowded:
        yield Caveat("oversubscribed", f"with {', '.join(map(str, crowded))} workers some share one of the "
                     f"{environment.cpus} CPUs: they take turns, and efficiency falls for that reason alone",
                     "--max-workers, or more CPUs")
    if environment.cpus <= FEW_CPUS:
        yield Caveat("few-cpus", f"{environment.cpus} CPUs: too few to see a curve bend", "a machine with more CPUs")


def about_sizes(label: str, sweep: SizeSweep) -> Iterator[Caveat]:
    """Caveats of one curve by buffer size."""
    refused = [size for size in sweep.sizes if size.errno is not None]
    if refused:
        yield Caveat("size-refused", f"{label}: {len(refused)} of {len(sweep.sizes)} sizes do not fit: "
                     f"{refused[0].reason}", "a device or machine with more memory")


def without_repeats(caveats: Sequence[Caveat]) -> list[Caveat]:
    """In order, each (id, message) once."""
    return list(dict.fromkeys(caveats))
