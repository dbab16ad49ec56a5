# SPDX-License-Identifier: MIT
"""From options to a TraceReport: timed passes, then one tracing session for all targets, then the trees."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drmbench import caveats
from drmbench.calibration import calibrate, pin
from drmbench.doctor.measured import Watch
from drmbench.environment import describe_environment, simulation_of
from drmbench.errors import DrmbenchError
from drmbench.helper_modules import linked_helpers
from drmbench.measurement import Measurement, Options, Progress
from drmbench.measuring_lock import only_one_measurement
from drmbench.model import SCHEMA_VERSION, TraceParameters, TraceReport
from drmbench.runner import Outcome
from drmbench.targets import find_targets, select_kinds
from drmbench.trace.call_path import call_path
from drmbench.trace.session import Session, Wanted
from drmbench.trace.tracefs import find_tracefs
from drmbench.trace.usage import check_tracing
from drmbench.trace_results import disagreements, overhead, trace_caveats, trace_results
from drmbench.workloads.fault_check import CheckedBuffer
from drmbench.workloads.trace import REPETITIONS, STEPS, LifeParameters, TraceSeries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import Access, Caveat, Environment, TraceResult
    from drmbench.native import Clock
    from drmbench.targets import Target
    from drmbench.trace.call_path import CallPath

DEFAULT_SIZE_BYTES = 1 << 20
_FAULT = "handle_mm_fault"


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """What `drmbench trace` was asked for; `step` None: --faults alone."""

    devices: tuple[str, ...]
    buffer: str | None
    size_bytes: int | None
    access: Literal["write", "read"]
    step: str | None
    depth: int | None
    faults: bool
    cpu: int | None

    def measuring(self) -> Options:
        """The same for the loop over targets, which samples each once."""
        return Options(self.devices, self.buffer, self.size_bytes, (self.access,), "sequential", self.cpu, 1,
                       baseline=False, default_size_bytes=DEFAULT_SIZE_BYTES)

    def parameters(self) -> TraceParameters:
        """The same for the report."""
        return TraceParameters(
            list(self.devices), self.buffer, self.size_bytes or DEFAULT_SIZE_BYTES, self.access, self.step or "",
            self.depth, self.faults, self.cpu,
        )


@dataclass(slots=True)
class Tracing:
    """ftrace for all targets of a run: one session on one CPU, begun when it is first wanted.

    `error` is what stood in its way; it concerns every target alike.
    """

    targets: Sequence[Target]
    depth: int
    cpu: int
    stack: contextlib.ExitStack
    path: CallPath | None = None
    session: Session | None = None
    error: DrmbenchError | None = None

    def begin(self) -> Session:
        """The session. Raises DrmbenchError."""
        if self.error is not None:
            raise self.error
        if self.session is None:
            try:
                session = self._session(self.call_path().functions)
                self.session = self.stack.enter_context(session)
            except DrmbenchError as error:
                self.error = error
                raise
        return self.session

    def call_path(self) -> CallPath:
        """What of this kernel is traced, for the drivers of all targets. Raises DrmbenchError."""
        if self.path is None:
            tracefs = find_tracefs()
            check_tracing(tracefs)
            self.path = call_path(tracefs.read("available_filter_functions"), _drivers(self.targets))
        return self.path

    def faults_alone(self) -> Session:
        """A session of its own that records nothing but handle_mm_fault. Raises DrmbenchError."""
        return self._session({line: name for line, name in self.call_path().functions.items() if name == _FAULT})

    def _session(self, functions: dict[int, str]) -> Session:
        return Session(find_tracefs(), Wanted(functions, self.cpu, self.depth))


def _drivers(targets: Sequence[Target]) -> list[tuple[str, str | None]]:
    """(driver, its module where it is one) of each target."""
    found = []
    for target in targets:
        helpers = linked_helpers(target.node, target.driver) if target.node is not None else None
        found.append((target.driver, helpers.module if helpers is not None else None))
    return found


@contextlib.contextmanager
def _held_on(cpu: int | None) -> Iterator[int]:
    """Keep this thread on one CPU, whose ring buffer then holds everything. Raises UsageError."""
    before = os.sched_getaffinity(0)
    chosen = max(before) if cpu is None else cpu
    pin(chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)


def run_trace(options: TraceOptions, progress: Progress) -> Outcome:
    """Time, trace, read.

    Raises DrmbenchError where nothing could be done, UnsupportedError where this kernel cannot trace,
    KeyboardInterrupt where nothing was finished.
    """
    targets, unusable = find_targets(options.devices, writing=options.access == "write", floor=False)
    pairs = select_kinds(targets, options.buffer)
    with only_one_measurement(), contextlib.ExitStack() as stack:
        cpu = stack.enter_context(_held_on(options.cpu))
        tracing = Tracing(targets, options.depth or 0, cpu, stack)
        untraceable = tracing.call_path().untraceable if options.step is not None else []
        clock = calibrate()
        measurement = Measurement(options.measuring(), progress, lambda *what: _series(options, tracing, *what))
        measurement.notes += [caveats.not_measured(error) for error in unusable]
        measurement.watch = Watch(targets)
        measurement.run(pairs)
    if tracing.error is not None:
        raise tracing.error
    results = [(series, result) for series in measurement.series for result in trace_results(series, untraceable)]
    _refuse_an_empty_report(measurement, results)
    environment = describe_environment(cpu)
    notes = _notes(measurement, results, environment, clock, cpu)
    report = TraceReport(
        SCHEMA_VERSION, environment, options.parameters(), [result for _series, result in results],
        caveats.without_repeats(notes), [error.story for error in measurement.failures],
    )
    failures = [*measurement.failures, *disagreements(report.results)]
    return Outcome(report, failures, measurement.interrupted)


def _series(
    options: TraceOptions, tracing: Tracing, target: Target, kind: str, access: Access, size_bytes: int,
) -> TraceSeries:
    touch: Literal["write", "read"] = "read" if access == "read" else "write"
    steps = STEPS[options.step] if options.step is not None else ()
    series = TraceSeries(target, kind, LifeParameters(size_bytes, touch, steps), tracing.begin)
    if options.faults:
        buffer = CheckedBuffer(target, kind, size_bytes, touch)
        series.count_faults = lambda: buffer.check(tracing.faults_alone)
    return series


def _refuse_an_empty_report(
    measurement: Measurement[TraceSeries], results: Sequence[tuple[TraceSeries, TraceResult]],
) -> None:
    if results:
        return
    if measurement.interrupted:
        raise KeyboardInterrupt
    if measurement.failures:
        raise measurement.failures[0]
    first = measurement.notes[0]
    raise DrmbenchError("drmbench", "trace", reason=first.message, remedy=first.remedy)


def _notes(
    measurement: Measurement[TraceSeries], results: Sequence[tuple[TraceSeries, TraceResult]],
    environment: Environment, clock: Clock, cpu: int,
) -> list[Caveat]:
    notes = list(measurement.notes)
    if measurement.interrupted:
        notes.insert(0, caveats.trace_interrupted())
    for series, result in results:
        what = simulation_of(series.target.driver, series.target.description)
        if what is not None and series.target.kind == "drm":
            notes.append(caveats.simulated_driver(series.target.driver, what))
        notes += trace_caveats(series.label, result)
    notes += overhead(result for _series, result in results)
    machine = measurement.watch.machine(environment, clock, cpu) if measurement.watch is not None else None
    notes += caveats.about_environment(environment, clock, pinned=True, runs=REPETITIONS, machine=machine)
    return notes
