# SPDX-License-Identifier: MIT
"""From options to a VerifyReport: which cases on which buffers, each judged, with what could mislead."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from drmbench import caveats
from drmbench.buffer import TooLargeError
from drmbench.conformance.case import DEFAULT_TIME_LIMIT_S
from drmbench.conformance.isolation import Place, run_apart
from drmbench.conformance.kernel_log import KernelLog
from drmbench.conformance.known import load_known
from drmbench.conformance.results import entries_for, outdated, result_of, target_info
from drmbench.conformance.selection import select
from drmbench.conformance.subject import Subject, open_file
from drmbench.conformance.turns import turns
from drmbench.conformance.verdict import Judgement, judged
from drmbench.conformance.watcher import Planned, Unwatched
from drmbench.environment import describe_environment, simulation_of
from drmbench.errors import EXIT_ERROR, EXIT_OK, EXIT_UNSUPPORTED, DrmbenchError, UnsupportedError
from drmbench.measurement import check_memory, unexpected
from drmbench.model import SCHEMA_VERSION, VerifyParameters, VerifyReport
from drmbench.targets import find_targets, select_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drmbench.conformance.case import Case, Need
    from drmbench.conformance.isolation import Ended
    from drmbench.conformance.watcher import Watcher
    from drmbench.measurement import Progress
    from drmbench.model import Caveat, Environment, KnownBehaviour, TargetInfo, VerifyResult
    from drmbench.targets import Target

DEFAULT_SIZE_BYTES = 256 << 10
_EMULATED_TIME_FACTOR = 6.0
_COPIES = 8


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What `drmbench verify` was asked for; `globs` empty are all cases.

    by_case   run a case on every target before the next case, instead of every case on a target
    wanted    which buffers to run on, of those that `devices` and `buffer` name
    """

    devices: tuple[str, ...] = ()
    buffer: str | None = None
    size_bytes: int = DEFAULT_SIZE_BYTES
    globs: tuple[str, ...] = ()
    by_case: bool = False
    wanted: Callable[[TargetInfo], bool] = lambda _target: True


@dataclass(slots=True)
class Verification:
    """A run of the suite, one place after the other."""

    options: VerifyOptions
    log: KernelLog
    known: Sequence[KnownBehaviour]
    environment: Environment
    watcher: Watcher
    results: list[VerifyResult] = field(default_factory=list)
    notes: list[Caveat] = field(default_factory=list)
    interrupted: bool = False
    _dropped: list[tuple[Target, DrmbenchError]] = field(default_factory=list)
    _working: list[Target] = field(default_factory=list)

    def run(self, pairs: Sequence[tuple[Target, str]], cases: Sequence[Case], progress: Progress) -> None:
        """Every case on every (target, buffer kind), then those that come last; Ctrl-C keeps what is finished."""
        factor = _EMULATED_TIME_FACTOR if self.environment.emulated else 1.0
        places = [Place(target, kind, self.options.size_bytes, factor) for target, kind in pairs]
        wanted = [place for place in places if self.options.wanted(target_info(place))]
        if not wanted:
            raise UnsupportedError("verify", "targets", reason="none of those that are here is wanted")
        try:
            needs = list({need.name: need for case in cases for need in case.needs}.values())
            usable = [found for found in (self._usable(place, needs) for place in wanted) if found is not None]
            self._working = [place.target for place in usable]
            ahead = turns(usable, cases, by_case=self.options.by_case)
            plan = [Planned(turn.case.name, target_info(turn.place)) for turn in ahead]
            self.watcher.planned(self.environment, plan, [str(failure) for failure in self.failures])
            progress.start(len(ahead))
            for turn, planned in zip(ahead, plan, strict=True):
                progress.now(f"{turn.place.target.buffer_label(turn.place.kind)}: {turn.case.name}")
                self.watcher.started(planned)
                place, ended = turn.run(self.log)
                self._note(turn.case, place, ended)
                progress.advance()
        except KeyboardInterrupt:
            self.interrupted = True

    def _usable(self, place: Place, needs: Sequence[Need]) -> Place | None:
        """The place with what is known of the needs there; None where no buffer of this kind can be made and mapped.

        Both are tried in a process of its own.
        """
        label = place.target.buffer_label(place.kind)
        try:
            # Cases hold a few buffers and their copies at once.
            check_memory(place.target, place.size_bytes * _COPIES)
            ended = run_apart(lambda: _try(place, needs), DEFAULT_TIME_LIMIT_S * place.time_factor, self.log)
            judgement = ended.judgement
            if judgement.verdict != "pass" or ended.kernel_log:
                raise _unusable(label, judgement, ended.kernel_log)
        except DrmbenchError as error:
            self._dropped.append((place.target, error))
            self.notes.append(caveats.not_measured(error))
            return None
        return replace(place, needs=judgement.value)

    @property
    def failures(self) -> list[DrmbenchError]:
        """The errors of what was named and could not be used."""
        return unexpected(self._dropped, self._working, self.options.buffer)

    def _note(self, case: Case, place: Place, ended: Ended) -> None:
        entries = entries_for(self.known, case, place, os.uname().release)
        result = result_of(case, place, ended, entries)
        self.results.append(result)
        self.watcher.ended(result)
        if result.verdict == "pass":
            label = place.target.buffer_label(place.kind)
            self.notes += [outdated(label, entry) for entry in entries]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, why named targets are missing from it, and whether Ctrl-C cut it short."""

    report: VerifyReport
    failures: list[DrmbenchError]
    interrupted: bool

    @property
    def exit_status(self) -> int:
        """0: every executed case passed or is known; 77: all were skipped; else 1, as where none was executed."""
        verdicts = {result.verdict for result in self.report.results}
        if self.failures or self.interrupted or not verdicts or verdicts & {"fail", "broken"}:
            return EXIT_ERROR
        return EXIT_UNSUPPORTED if verdicts == {"skip"} else EXIT_OK


def run_verify(
    options: VerifyOptions, cases: Sequence[Case], progress: Progress, watcher: Watcher | None = None,
) -> Outcome:
    """Run the selected ones of `cases`, tell `watcher`, and build the report of those that finished.

    Raises UsageError for a glob without a match, DrmbenchError where no target can be used, KeyboardInterrupt
    where nothing had finished.
    """
    chosen = select(cases, options.globs)
    targets, unusable = find_targets(options.devices, writing=True, floor=False)
    pairs = select_kinds(targets, options.buffer)
    environment = describe_environment(None)
    gc.freeze()  # each case's process would copy the pages of every object that its collector looks at
    with KernelLog() as log:
        suite = Verification(options, log, load_known(), environment, watcher or Unwatched())
        suite.notes += [caveats.not_measured(error) for error in unusable]
        if log.problem:
            suite.notes.append(caveats.kernel_log_unread(log.problem))
        suite.run(pairs, chosen, progress)
    if not suite.results:
        raise _nothing_ran(suite)
    suite.notes += _simulations(targets)
    if suite.interrupted:
        suite.notes.insert(0, caveats.verify_interrupted(len(suite.results)))
    parameters = VerifyParameters(list(options.devices), options.buffer, options.size_bytes, list(options.globs))
    notes = caveats.without_repeats(suite.notes)
    missing = [str(failure) for failure in suite.failures]
    report = VerifyReport(SCHEMA_VERSION, environment, parameters, suite.results, notes, missing)
    return Outcome(report, suite.failures, suite.interrupted)


def _simulations(targets: Sequence[Target]) -> Iterator[Caveat]:
    for target in targets:
        what = simulation_of(target.driver, target.description) if target.kind == "drm" else None
        if what is not None:
            yield caveats.simulated_driver(target.driver, what)


def _try(place: Place, needs: Sequence[Need]) -> Judgement:
    def made() -> dict[str, str]:
        with open_file(place.target) as file:
            subject = Subject(place.target, place.kind, place.size_bytes, file, place.time_factor)
            with subject.mapped():
                pass
            found = {need.name: judged(partial(need.missing, subject)) for need in needs}
            # One that could not be found out is looked for by each case, which says so.
            return {name: each.value for name, each in found.items() if each.verdict == "pass"}

    return judged(made)


def _unusable(label: str, judgement: Judgement, kernel_log: list[str]) -> DrmbenchError:
    cls = TooLargeError if judgement.too_large else DrmbenchError
    if kernel_log:
        return cls(label, "make and map a buffer", reason=f"the kernel complains: {kernel_log[0]}")
    if judgement.verdict == "broken":
        return cls(label, "make and map a buffer", reason=judgement.reason)
    return cls(label, judgement.what, reason=judgement.actual, remedy="try another --buffer or --size")


def _nothing_ran(suite: Verification) -> BaseException:
    if suite.interrupted:
        return KeyboardInterrupt()
    if suite.failures:
        return suite.failures[0]
    left_out = [note for note in suite.notes if note.id == "not-measured"]
    reason = left_out[-1].message if left_out else "no case was run"
    return DrmbenchError("verify", "run", reason=reason, remedy="drmbench verify --list shows what there is")
