# SPDX-License-Identifier: MIT
"""What `drmbench doctor` reports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import AtLeastOne, Caveat, Environment

Severity = Literal["warning", "note", "unknown", "ok"]


class Finding(msgspec.Struct, frozen=True):
    """One thing of this machine that changes a number, or would.

    id        stays the same between versions; a caveat made from a finding has it too
    severity  warning: numbers mislead or spread because of it; note: know it when you compare with another
              machine; unknown: it cannot be read, `found` says why
    found     what is set here
    affects   the numbers that it changes, by the names that reports give them
    effect    what it does to them
    remedy    the command that would change it, "" where nothing needs to be done; nobody ran it
    target    the device that it is about, "" for the machine
    """

    id: str
    severity: Severity
    found: str
    affects: list[str]
    effect: str
    remedy: str
    target: str = ""


class DoctorParameters(msgspec.Struct, frozen=True):
    """What was asked for; `cpu` is the one that would be measured on."""

    devices: list[str]
    cpu: int | None


class DoctorReport(msgspec.Struct, frozen=True, tag_field="command", tag="doctor"):
    """What `drmbench doctor` found, warnings first."""

    schema_version: Literal[1]
    environment: Environment
    parameters: DoctorParameters
    results: Annotated[list[Finding], AtLeastOne]
    caveats: list[Caveat] = []
