# SPDX-License-Identifier: MIT
"""From options to a Report: targets, calibration, measurement, results, caveats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

import numpy as np
from msgspec import structs

from drmbench import caveats
from drmbench.calibration import calibrate, pin
from drmbench.doctor.measured import Watch
from drmbench.environment import cpu_is_emulated, describe_environment, simulation_of
from drmbench.errors import DrmbenchError
from drmbench.measurement import Measurement, Options, Progress, Series
from drmbench.measuring_lock import only_one_measurement
from drmbench.model import (
    SCHEMA_VERSION,
    ComparePopulateReport,
    ComparePopulateResult,
    ExplainReport,
    ExplainResult,
    FaultLatencyReport,
    FaultLatencyResult,
    Parameters,
    Repetition,
)
from drmbench.native import backward_intervals
from drmbench.oracle import explain_objections, mechanism_of, objections, populate_objections
from drmbench.repetition import plan, reaches_percent
from drmbench.results import explain_results, fault_results, populate_results
from drmbench.targets import find_targets, select_kinds
from drmbench.workloads.explain import ExplainSeries
from drmbench.workloads.fault import FaultParameters, FaultSeries
from drmbench.workloads.populate import PopulateParameters, PopulateSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from drmbench.model import Access, Caveat, Environment, Report, TargetInfo
    from drmbench.native import Clock
    from drmbench.targets import Target

S = TypeVar("S", bound=Series)


class Measured(Protocol):
    """What every result says: which target, and how many runs finished."""

    @property
    def target(self) -> TargetInfo:
        """The target."""

    @property
    def runs(self) -> int:
        """Finished runs."""


R = TypeVar("R", bound=Measured)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, why named targets are missing from it, and whether Ctrl-C cut it short."""

    report: Report
    failures: list[DrmbenchError]
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Job(Generic[S, R]):
    """What one command measures: a series a (target, buffer kind, access), its results, what is to be said of them."""

    make: Callable[[Options, Target, str, Access, int], S]
    results: Callable[[S, Clock, Environment], list[R]]
    report: Callable[[Literal[1], Environment, Parameters, list[R], list[Caveat]], Report]
    remarks: Callable[[S, list[R], Clock, Environment], Iterable[Caveat]]
    remarks_on_all: Callable[[Environment, list[R]], Iterable[Caveat]] = lambda _environment, _results: ()

    def run(self, options: Options, progress: Progress) -> Outcome:
        """Measure, and build the report of what finished.

        Raises DrmbenchError where nothing could be measured, KeyboardInterrupt where nothing had finished.
        """
        measurement, clock = _measure(options, progress, self.make)
        environment = describe_environment(options.cpu)
        results: list[R] = []
        for series in measurement.series:
            found = self.results(series, clock, environment)
            results += found
            measurement.notes += self.remarks(series, found, clock, environment)
        notes = _notes(measurement, results, environment, clock)
        notes += self.remarks_on_all(environment, results)
        repetition = _repetition(measurement)
        notes += caveats.about_repetition(
            repetition, (reach for series in measurement.series for reach in reaches_percent(series)),
        )
        report = self.report(
            SCHEMA_VERSION, environment, _parameters(measurement), results, caveats.without_repeats(notes),
        )
        if "repetition" in report.__struct_fields__:
            report = structs.replace(report, repetition=repetition)
        return Outcome(report, measurement.failures, measurement.interrupted)


def _fault_series(options: Options, target: Target, kind: str, access: Access, size_bytes: int) -> FaultSeries:
    return FaultSeries(target, kind, FaultParameters(
        size_bytes, access, options.order, options.phases, options.seed,
    ))


def _fault_results(series: FaultSeries, clock: Clock, environment: Environment) -> list[FaultLatencyResult]:
    return [structs.replace(r, mechanism=mechanism_of(r, environment.arch)) for r in fault_results(series, clock)]


def _populate_series(options: Options, target: Target, kind: str, access: Access, size_bytes: int) -> PopulateSeries:
    return PopulateSeries(target, kind, PopulateParameters(
        size_bytes, access, options.order, options.strategies, options.seed,
    ))


def _populate_results(series: PopulateSeries, clock: Clock, _environment: Environment) -> list[ComparePopulateResult]:
    return populate_results(series, clock)


def _about_populate(
    series: PopulateSeries, found: list[ComparePopulateResult], _clock: Clock, _environment: Environment,
) -> Iterable[Caveat]:
    for result in found:
        yield from populate_objections(series.target.buffer_label(series.kind), result)


def _explain_series(_options: Options, target: Target, kind: str, _access: Access, size_bytes: int) -> ExplainSeries:
    return ExplainSeries(target, kind, size_bytes)


def _explain_results(series: ExplainSeries, clock: Clock, environment: Environment) -> list[ExplainResult]:
    return explain_results(series, clock, environment.arch)


def _about_explained(
    series: ExplainSeries, found: list[ExplainResult], _clock: Clock, _environment: Environment,
) -> Iterable[Caveat]:
    for result in found:
        yield from explain_objections(series.target.buffer_label(series.kind), result)


def run_fault_latency(options: Options, progress: Progress) -> Outcome:
    """Measure first touches; raises as Job.run()."""
    return Job(_fault_series, _fault_results, FaultLatencyReport, _about_series, caveats.about_thp).run(
        options, progress)


def run_compare_populate(options: Options, progress: Progress) -> Outcome:
    """Compare the populate strategies; raises as Job.run()."""
    return Job(_populate_series, _populate_results, ComparePopulateReport, _about_populate).run(options, progress)


def run_explain(options: Options, progress: Progress) -> Outcome:
    """Gather the evidence of each mapping and conclude from it; raises as Job.run()."""
    return Job(_explain_series, _explain_results, ExplainReport, _about_explained).run(options, progress)


def _measure(
    options: Options, progress: Progress, make: Callable[[Options, Target, str, Access, int], S],
) -> tuple[Measurement[S], Clock]:
    writing = any(access != "read" for access in options.accesses)
    targets, unusable = find_targets(options.devices, writing=writing, floor=options.baseline)
    targets = [target for target in targets if target.role != "floor" or target.driver in options.floor]
    pairs = select_kinds(targets, options.buffer)
    measurement = Measurement(options, progress, lambda *what: make(options, *what))
    measurement.notes += [caveats.not_measured(error) for error in unusable]
    measurement.watch = Watch(targets)
    if options.repeats is not None:
        measurement.plan = plan(options.repeats, emulated=cpu_is_emulated())
    with only_one_measurement():
        pin(options.cpu)
        clock = calibrate()
        measurement.run(pairs)
    return measurement, clock


def _repetition(measurement: Measurement[S]) -> Repetition:
    chosen = measurement.plan
    sought = chosen is not None and chosen.precision_percent is not None
    return Repetition(
        warm_up=chosen.warm_up if chosen is not None else 0, runs=measurement.rounds, stopped=measurement.stopped,
        elapsed_s=round(measurement.elapsed_s, 3),
        precision_percent=chosen.precision_percent if chosen is not None else None,
        time_budget_s=chosen.time_budget_s if chosen is not None and sought else None,
    )


def _about_series(
    series: FaultSeries, found: list[FaultLatencyResult], clock: Clock, environment: Environment,
) -> list[Caveat]:
    label = series.target.label
    notes: list[Caveat] = []
    if found and "warm" in series.parameters.phases and "warm" not in series.phases:
        notes.append(caveats.no_warm_phase(label))
    for result in found:
        expected = series.phases[result.phase].expected
        counted = sum(int(faults.sum(dtype=np.int64)) for faults in expected.faults)
        notes += caveats.about_fault_result(label, result, counted, clock)
        notes += objections(series.target.buffer_label(series.kind), result, environment.arch)
    return notes


def _notes(
    measurement: Measurement[S], results: Sequence[Measured], environment: Environment, clock: Clock,
) -> list[Caveat]:
    """The caveats of the whole report. Raises where no target but a baseline that runs along has a result."""
    measured = {(result.target.node, result.target.driver) for result in results}
    wanted = {(s.target.node, s.target.driver) for s in measurement.series if s.target.role != "floor"}
    if not measured & wanted:
        if measurement.interrupted:
            raise KeyboardInterrupt
        if measurement.failures:
            raise measurement.failures[0]
        first = measurement.notes[0]
        raise DrmbenchError("drmbench", "measure", reason=first.message, remedy=first.remedy)
    runs = min(result.runs for result in results)
    notes = list(measurement.notes)
    if measurement.interrupted:
        notes.insert(0, caveats.interrupted(runs))
    for series in measurement.series:
        what = simulation_of(series.target.driver, series.target.description)
        if what is not None and series.target.kind == "drm":
            notes.append(caveats.simulated_driver(series.target.driver, what))
    if backwards := backward_intervals():
        notes.append(caveats.clock_went_backwards(backwards, clock.source))
    cpu = measurement.options.cpu
    machine = measurement.watch.machine(environment, clock, cpu) if measurement.watch is not None else None
    notes += caveats.about_environment(environment, clock, pinned=measurement.options.pinned, runs=runs,
                                       machine=machine)
    return notes


def _parameters(measurement: Measurement[S]) -> Parameters:
    options = measurement.options
    runs = options.runs if measurement.plan is None else measurement.plan.fewest
    return Parameters(
        devices=list(options.devices), buffer=options.buffer,
        size_bytes=options.size_bytes or options.default_size_bytes, access=list(options.accesses),
        order=options.order, runs=runs, seed=options.seed, cpu=options.cpu,
        phases=list(options.phases), strategies=list(options.strategies),
        layouts=list(options.layouts), threads=list(options.threads), processes=list(options.processes),
        size_sweep=list(options.size_sweep),
        operations=list(options.operations), sizes=list(options.sizes), live_buffers=list(options.live_buffers),
        cycles=options.cycles,
    )
