# SPDX-License-Identifier: MIT
"""From options to a Report: targets, calibration, measurement, results, caveats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from msgspec import structs

from drmbench import caveats
from drmbench.calibration import calibrate, pin
from drmbench.environment import describe_environment, simulation_of
from drmbench.errors import DrmbenchError
from drmbench.measurement import DEFAULT_SIZE_BYTES, Measurement, Options, Progress, Series
from drmbench.measuring_lock import only_one_measurement
from drmbench.model import (
    SCHEMA_VERSION,
    ComparePopulateReport,
    ComparePopulateResult,
    FaultLatencyReport,
    FaultLatencyResult,
    Parameters,
)
from drmbench.oracle import mechanism_of, objections, populate_objections
from drmbench.results import fault_results, populate_results
from drmbench.targets import find_targets, select_kinds
from drmbench.workloads.fault import FaultParameters, FaultSeries
from drmbench.workloads.populate import PopulateParameters, PopulateSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.model import Access, Caveat, Environment, Report
    from drmbench.native import Clock
    from drmbench.targets import Target

S = TypeVar("S", bound=Series)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, why named targets are missing from it, and whether Ctrl-C cut it short."""

    report: Report
    failures: list[DrmbenchError]
    interrupted: bool


def run_fault_latency(options: Options, progress: Progress) -> Outcome:
    """Measure first touches, and build the report of what finished.

    Raises DrmbenchError where nothing could be measured, KeyboardInterrupt where nothing had finished.
    """
    def make(target: Target, kind: str, access: Access, size_bytes: int) -> FaultSeries:
        return FaultSeries(target, kind, FaultParameters(
            size_bytes, access, options.order, options.phases, options.seed,
        ))

    measurement, clock = _measure(options, progress, make)
    environment = describe_environment(options.cpu)
    results: list[FaultLatencyResult] = []
    for series in measurement.series:
        found = [structs.replace(r, mechanism=mechanism_of(r)) for r in fault_results(series, clock)]
        results += found
        measurement.notes += _about_series(series, found, clock)
    notes = _notes(measurement, results, environment, clock)
    notes += caveats.about_thp(environment, results)
    report = FaultLatencyReport(
        SCHEMA_VERSION, environment, _parameters(options), results, caveats.without_repeats(notes),
    )
    return Outcome(report, measurement.failures, measurement.interrupted)


def run_compare_populate(options: Options, progress: Progress) -> Outcome:
    """Compare the populate strategies, and build the report of what finished.

    Raises DrmbenchError where nothing could be measured, KeyboardInterrupt where nothing had finished.
    """
    def make(target: Target, kind: str, access: Access, size_bytes: int) -> PopulateSeries:
        return PopulateSeries(target, kind, PopulateParameters(
            size_bytes, access, options.order, options.strategies, options.seed,
        ))

    measurement, clock = _measure(options, progress, make)
    environment = describe_environment(options.cpu)
    results: list[ComparePopulateResult] = []
    for series in measurement.series:
        found = populate_results(series, clock)
        results += found
        for result in found:
            measurement.notes += populate_objections(series.target.buffer_label(series.kind), result)
    notes = _notes(measurement, results, environment, clock)
    report = ComparePopulateReport(
        SCHEMA_VERSION, environment, _parameters(options), results, caveats.without_repeats(notes),
    )
    return Outcome(report, measurement.failures, measurement.interrupted)


def _measure(
    options: Options, progress: Progress, make: Callable[[Target, str, Access, int], S],
) -> tuple[Measurement[S], Clock]:
    writing = any(access != "read" for access in options.accesses)
    targets, unusable = find_targets(options.devices, writing=writing, floor=options.baseline)
    pairs = select_kinds(targets, options.buffer)
    measurement = Measurement(options, progress, make)
    measurement.notes += [caveats.not_measured(error) for error in unusable]
    with only_one_measurement():
        pin(options.cpu)
        clock = calibrate()
        measurement.run(pairs)
    return measurement, clock


def _about_series(series: FaultSeries, found: list[FaultLatencyResult], clock: Clock) -> list[Caveat]:
    label = series.target.label
    notes = []
    if found and "warm" in series.parameters.phases and "warm" not in series.phases:
        notes.append(caveats.no_warm_phase(label))
    for result in found:
        expected = series.phases[result.phase].expected
        counted = sum(int(faults.sum(dtype=np.int64)) for faults in expected.faults)
        notes += caveats.about_fault_result(label, result, counted, clock)
        notes += objections(series.target.buffer_label(series.kind), result)
    return notes


def _notes(
    measurement: Measurement[S], results: Sequence[FaultLatencyResult | ComparePopulateResult],
    environment: Environment, clock: Clock,
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
    pinned = measurement.options.cpu is not None
    notes += caveats.about_environment(environment, clock, pinned=pinned, runs=runs)
    return notes


def _parameters(options: Options) -> Parameters:
    return Parameters(
        devices=list(options.devices), buffer=options.buffer,
        size_bytes=options.size_bytes or DEFAULT_SIZE_BYTES, access=list(options.accesses),
        order=options.order, runs=options.runs, seed=options.seed, cpu=options.cpu,
        phases=list(options.phases), strategies=list(options.strategies),
    )
