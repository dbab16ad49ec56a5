# SPDX-License-Identifier: MIT
"""What `drmbench verify` reports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import AtLeastOne, Caveat, Count, Environment, Size, TargetInfo

CaseVerdict = Literal["pass", "fail", "known", "broken", "skip"]


class KnownBehaviour(msgspec.Struct, frozen=True):
    """An entry of drmbench's list of known breaches; `first` and `before` are kernel versions or empty."""

    case: str
    driver: str
    what: str
    actual: str
    why: str
    source: str
    buffer: str = ""
    first: str = ""
    before: str = ""


class VerifyResult(msgspec.Struct, frozen=True):
    """One case on one buffer kind of one target.

    verdict     pass; fail: the kernel broke the rule; known: it did so as drmbench's list says it does;
                broken: the harness itself failed; skip: a need is not met here
    what        what was done when the rule was broken; expected and actual belong to it
    reason      why it was skipped or broke
    kernel_log  what the kernel complained of meanwhile, which fails the case
    observed    where the rule leaves the kernel a choice: what it chose
    """

    case: str
    target: TargetInfo
    verdict: CaseVerdict
    rule: str
    source: str
    what: str
    expected: str | None
    actual: str | None
    reason: str
    kernel_log: list[str]
    duration_ns: Count
    known: KnownBehaviour | None = None
    observed: str = ""


class VerifyParameters(msgspec.Struct, frozen=True):
    """What was asked for; `cases` are globs."""

    devices: list[str]
    buffer: str | None
    size_bytes: Size
    cases: list[str]


class VerifyReport(msgspec.Struct, frozen=True, tag_field="command", tag="verify"):
    """What `drmbench verify` found; `missing` says why targets that the user named have no results."""

    schema_version: Literal[1]
    environment: Environment
    parameters: VerifyParameters
    results: Annotated[list[VerifyResult], AtLeastOne]
    caveats: list[Caveat]
    missing: list[str] = []
