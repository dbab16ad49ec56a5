# SPDX-License-Identifier: MIT
"""From options to a StressReport: each target in turn, with what could mislead."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from drmbench import caveats
from drmbench.conformance.isolation import run_apart
from drmbench.conformance.kernel_log import KernelLog
from drmbench.conformance.known import covers, load_known
from drmbench.conformance.verdict import judged
from drmbench.environment import describe_environment, simulation_of
from drmbench.errors import EXIT_ERROR, EXIT_OK, DrmbenchError, UnsupportedError
from drmbench.measurement import check_memory, unexpected
from drmbench.model import SCHEMA_VERSION, StressParameters, StressReport
from drmbench.store import destination
from drmbench.stress.campaign import Campaign, Clock, Wanted
from drmbench.stress.limits import limits_for, live_limit_bytes
from drmbench.stress.port import Port, find_port, present
from drmbench.stress.probe import probe
from drmbench.stress.program import Replay
from drmbench.stress.traits import Traits
from drmbench.stress.trial import Lab
from drmbench.stress.worker import Site
from drmbench.targets import find_targets, select_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.measurement import Progress
    from drmbench.model import Caveat, KnownBehaviour, StressResult
    from drmbench.store import Destination, StandardOutput
    from drmbench.stress.inquest import Finding
    from drmbench.targets import Target

_EMULATED_TIME_FACTOR = 6.0
_PROBE_LIMIT_S = 20.0
_FRESH = "content/fresh"


@dataclass(frozen=True, slots=True)
class StressOptions:
    """What `drmbench stress` was asked for; `seconds` for each target, 0 to replay once."""

    devices: tuple[str, ...]
    buffer: str | None
    size_bytes: int
    seconds: float
    threads: int
    seed: int
    replay: Replay | None = None
    replay_path: str | None = None
    save_path: str | None = None
    unbind: bool = False


@dataclass(slots=True)
class Stress:
    """A run over all targets; `unsaved` says which replays could not be written."""

    options: StressOptions
    log: KernelLog
    known: Sequence[KnownBehaviour]
    time_factor: float
    progress: Progress
    file: Destination | StandardOutput | None
    results: list[StressResult] = field(default_factory=list)
    notes: list[Caveat] = field(default_factory=list)
    ports: dict[str | None, Port | DrmbenchError] = field(default_factory=dict)
    unsaved: list[DrmbenchError] = field(default_factory=list)
    interrupted: bool = False
    _dropped: list[tuple[Target, DrmbenchError]] = field(default_factory=list)
    _working: list[Target] = field(default_factory=list)

    @property
    def failures(self) -> list[DrmbenchError]:
        """The errors of what was named and could not be used, and of what could not be saved."""
        return [*unexpected(self._dropped, self._working, self.options.buffer), *self.unsaved]

    def run(self, pairs: Sequence[tuple[Target, str]]) -> None:
        """One target after the other; Ctrl-C keeps what was found."""
        self.progress.start(max(1, int(self.options.seconds)) * len(pairs))
        if self.options.unbind:  # before the first driver goes: later on the targets' nodes may be others
            self.ports = {target.node: _port_or_refusal(target) for target, _kind in pairs}
        try:
            for target, kind in pairs:
                self._stress(target, kind)
                if self.interrupted:
                    return
        except KeyboardInterrupt:
            self.interrupted = True

    def _stress(self, target: Target, kind: str) -> None:
        try:
            site = self._site(target, kind)
        except DrmbenchError as error:
            self._dropped.append((target, error))
            self.notes.append(caveats.not_measured(error))
            return
        self._working.append(target)
        label, options = target.buffer_label(kind), self.options
        wanted = Wanted(options.seed, options.threads, options.seconds,
                        None if options.replay is None else options.replay.program)
        campaign = Campaign(Lab(site, self.log, self.time_factor), wanted, Clock(self.progress, label),
                            lambda finding: self._save(site, finding))
        self.results.append(campaign.run())
        self.notes += campaign.notes
        self.interrupted |= campaign.interrupted
        self.notes += self._left_out(label, site.traits)

    def _left_out(self, label: str, traits: Traits) -> list[Caveat]:
        notes = [] if traits.splits else [caveats.splits_left_out(label)]
        return notes if traits.fresh_is_zero else [*notes, caveats.fresh_not_compared(label)]

    def _site(self, target: Target, kind: str) -> Site:
        """Look at the target in a process of its own, as it may crash or hang. Raises DrmbenchError."""
        port = self.ports.get(target.node)
        if isinstance(port, DrmbenchError):
            raise port
        target = present(target, port)
        limits = limits_for(self.options.size_bytes, self.options.threads, self.options.replay)
        live_bytes = live_limit_bytes(limits, self.options.threads, self.options.replay)
        check_memory(target, live_bytes)
        ended = run_apart(
            lambda: judged(lambda: probe(target, kind, live_bytes, unbind=port is not None)),
            _PROBE_LIMIT_S * self.time_factor, self.log,
        )
        judgement = ended.judgement
        if judgement.verdict != "pass" or ended.kernel_log:
            reason = judgement.reason or judgement.actual or f"the kernel complains: {ended.kernel_log[0]}"
            cls = UnsupportedError if judgement.verdict == "skip" else DrmbenchError
            raise cls(target.buffer_label(kind), judgement.what or "stress", reason=reason,
                      remedy="try another --device, --buffer or --size")
        traits = msgspec.convert(judgement.value, type=Traits)
        stale = any(covers(entry, case=_FRESH, driver=target.driver, buffer=kind, kernel=os.uname().release)
                    for entry in self.known)
        return Site(target, kind, msgspec.structs.replace(traits, fresh_is_zero=not stale), limits, port)

    def _save(self, site: Site, finding: Finding) -> str:
        """Write the replay where --save says, the first one at least, or beside us; "" where that cannot be."""
        failed, target = finding.failed, site.target
        replay = Replay(
            program=finding.program, buffer_pages=site.limits.buffer_pages, live_pages=site.limits.live_pages,
            seed=self.options.seed, driver=target.driver, buffer=site.kind, kernel=os.uname().release,
            what=failed.what, expected=failed.expected, actual=failed.actual, reproduced=finding.reproduced,
        )
        document = msgspec.to_builtins(replay)
        file, self.file = self.file, None
        path = f"stress-{re.sub(r'[^A-Za-z0-9._-]', '-', target.driver)}-{self.options.seed}.json"
        try:
            if file is not None:
                file.save(document)
                return self.options.save_path or ""
            with destination(path) as own:
                own.save(document)
        except DrmbenchError as error:
            self.unsaved.append(error)
        except OSError as error:  # a current directory that is gone
            self.unsaved.append(DrmbenchError(path, "write", errno=error.errno))
        else:
            return path
        return ""


def _port_or_refusal(target: Target) -> Port | DrmbenchError:
    try:
        return find_port(target)
    except DrmbenchError as error:
        return error


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, what could not be used or written, and whether Ctrl-C cut it short."""

    report: StressReport
    failures: list[DrmbenchError]
    interrupted: bool

    @property
    def exit_status(self) -> int:
        """0: nothing failed; 1: something did, or a named target could not be used."""
        failed = any(result.failure is not None for result in self.report.results)
        return EXIT_ERROR if failed or self.failures or self.interrupted else EXIT_OK


def run_stress(
    options: StressOptions, progress: Progress, file: Destination | StandardOutput | None,
) -> Outcome:
    """Run on every target, and build the report; the first failure's replay goes to `file`.

    Raises DrmbenchError where no target can be used, KeyboardInterrupt where nothing was done.
    """
    targets, unusable = find_targets(options.devices, writing=True, floor=False)
    pairs = select_kinds(targets, options.buffer)
    environment = describe_environment(None)
    with KernelLog() as log:
        factor = _EMULATED_TIME_FACTOR if environment.emulated else 1.0
        run = Stress(options, log, load_known(), factor, progress, file)
        run.notes += [caveats.not_measured(error) for error in unusable]
        if log.problem:
            run.notes.append(caveats.kernel_log_unread(log.problem))
        run.run(pairs)
    if not run.results:
        raise _nothing_ran(run)
    for target in targets:
        what = simulation_of(target.driver, target.description) if target.kind == "drm" else None
        if what is not None:
            run.notes.append(caveats.simulated_driver(target.driver, what))
    if run.interrupted:
        run.notes.insert(0, caveats.stress_interrupted())
    limits = limits_for(options.size_bytes, options.threads, options.replay)
    parameters = StressParameters(
        list(options.devices), options.buffer, options.size_bytes, options.seconds, options.threads, options.seed,
        live_limit_bytes(limits, options.threads, options.replay), options.replay_path, options.unbind,
    )
    notes = caveats.without_repeats(run.notes)
    return Outcome(StressReport(SCHEMA_VERSION, environment, parameters, run.results, notes), run.failures,
                   run.interrupted)


def _nothing_ran(run: Stress) -> BaseException:
    if run.interrupted:
        return KeyboardInterrupt()
    if run.failures:
        return run.failures[0]
    left_out = [note for note in run.notes if note.id == "not-measured"]
    return DrmbenchError("stress", "run", reason=left_out[-1].message if left_out else "there is nothing to stress")

