# SPDX-License-Identifier: MIT
"""Report -> KCIDB submission: the kernel as checkout and build, every number, verdict and verify case as a test.

Schema 5.0, as kcidb-io has it; where kcidb-io is installed, what it calls its latest, upgraded and validated by it.

A test's id is a hash of kernel release and build, architecture, CPU model, number of CPUs, virtualization and the
test's path, which has the parameters. So another run of the same on the same kernel and machine has the same ids and
takes the place of the first, and on another kernel the same paths, by which a dashboard draws its lines. Machines that
are alike, or runs to be kept side by side, are told apart by DRMBENCH_KCIDB_RUN, the boards of a fleet by their place.
Where the kernel's builder has reported it already, DRMBENCH_KCIDB_BUILD is that build's id, and the tests belong to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from drmbench.errors import DrmbenchError, UsageError, one_line
from drmbench.model import FleetReport
from drmbench.render.common import machine
from drmbench.render.kcidb_tests import tests_of
from drmbench.store import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Environment, Report

DEFAULT_ORIGIN = "drmbench"
_VERSION = {"major": 5, "minor": 0}

Tree = dict[str, Any]
"""A JSON object."""


def render_kcidb(report: Report, origin: str | None = None) -> str:
    """The submission as indented JSON; `origin` is the CI system's name, else DRMBENCH_KCIDB_ORIGIN or "drmbench".

    Raises UsageError for a bad origin or build id and for other kinds of report, DrmbenchError where kcidb-io refuses.
    """
    own = _origin(origin)
    document: Tree = {"version": dict(_VERSION)}
    if isinstance(report, FleetReport):
        parts = [_submission(own, board.report, board.place) for board in report.boards if board.report is not None]
    else:
        parts = [_submission(own, report, "")]
    if not parts:
        raise DrmbenchError("kcidb", "submission", reason="no board brought a report back",
                            remedy="--format table says why")
    return encode(_checked(document | _joined(parts))).decode()


def _submission(own: str, report: Report, place: str) -> dict[str, list[Tree]]:
    """The objects of one machine, by their kind; `place` is its name in a fleet."""
    environment = report.environment
    given = _given_build()
    build_id = given or _id(own, "build", environment.kernel, environment.kernel_build, environment.arch)
    shared = {"build_id": build_id, "origin": own, "environment": _environment(environment, place),
              **_start(environment)}
    objects: dict[str, list[Tree]] = {} if given else _kernel(own, build_id, environment)
    tests, known = [], {}
    for test in tests_of(report):
        test_id = _id(own, "test", *_machine(environment, place), test.path)
        tests.append({"id": test_id, **shared, "path": test.path, **test.fields})
        if test.known is not None:
            known[test_id] = test.known
    return objects | {"tests": tests} | (_triaged(own, known) if known else {})


def _joined(parts: Sequence[dict[str, list[Tree]]]) -> dict[str, list[Tree]]:
    """Of several machines: what two of them share, such as a kernel, is there once."""
    found: dict[str, dict[str, Tree]] = {}
    for part in parts:
        for kind, objects in part.items():
            for each in objects:
                found.setdefault(kind, {}).setdefault(each["id"], each)
    return {kind: list(objects.values()) for kind, objects in found.items()}


def check_environment() -> None:
    """Raises UsageError where DRMBENCH_KCIDB_ORIGIN or DRMBENCH_KCIDB_BUILD cannot be used."""
    _origin(None)
    _given_build()


def _origin(given: str | None) -> str:
    name = given or os.environ.get("DRMBENCH_KCIDB_ORIGIN") or DEFAULT_ORIGIN
    if not re.fullmatch("[a-z0-9_]+", name):
        raise UsageError("kcidb", f"origin {name}", reason="it is no name of a CI system",
                         remedy="use lower-case letters, digits and _ only")
    return name


def _given_build() -> str | None:
    build = os.environ.get("DRMBENCH_KCIDB_BUILD") or None
    if build is not None and not re.fullmatch("[a-z0-9_]+:[ -~]*", build):
        raise UsageError("DRMBENCH_KCIDB_BUILD", build, reason="it is no id of a build", remedy="ORIGIN:TEXT")
    return build


def _id(origin: str, *parts: str) -> str:
    """Stable: nothing but the parts is in it."""
    return f"{origin}:drmbench-{parts[0]}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


def _machine(environment: Environment, place: str) -> tuple[str, ...]:
    return (environment.kernel, environment.kernel_build, environment.arch, environment.cpu_model,
            str(environment.cpus), environment.virtualization, os.environ.get("DRMBENCH_KCIDB_RUN", ""), place)


def _start(environment: Environment) -> Tree:
    try:
        date = datetime.fromisoformat(environment.date)
    except ValueError:
        return {}
    return {"start_time": date.isoformat()} if date.tzinfo is not None else {}


def _environment(environment: Environment, place: str) -> Tree:
    name = f"{place}: " if place else ""
    return {"comment": one_line(f"{name}{machine(environment)}, {environment.cpus} x {environment.cpu_model}"),
            "misc": {name: part for name, part in {**msgspec.to_builtins(environment), "place": place or None}.items()
                     if part is not None}}


def _kernel(origin: str, build_id: str, environment: Environment) -> dict[str, list[Tree]]:
    """What a report knows of the kernel: release and build, but no commit."""
    misc = {"kernel": environment.kernel, "kernel_build": environment.kernel_build}
    checkout_id = _id(origin, "checkout", environment.kernel)
    name = one_line(f"Linux {environment.kernel}")
    return {
        "checkouts": [{"id": checkout_id, "origin": origin, "valid": True, "comment": name,
                       "misc": {"kernel": environment.kernel}}],
        "builds": [{"id": build_id, "checkout_id": checkout_id, "origin": origin,
                    "architecture": re.sub("[^a-z0-9_]", "_", environment.arch.lower()),
                    "comment": one_line(f"{name} {environment.kernel_build}"), "misc": misc}],
    }


def _triaged(origin: str, known: dict[str, Tree]) -> dict[str, list[Tree]]:
    """Breaches on drmbench's list: an issue each, and an incident for each test that met it."""
    issues: dict[str, Tree] = {}
    incidents = []
    for test_id, fields in known.items():
        issue_id = _id(origin, "known", json.dumps(fields, sort_keys=True))
        issues[issue_id] = {"id": issue_id, "version": 1, "origin": origin, "culprit": {"code": True}, **fields}
        incidents.append({"id": _id(origin, "incident", test_id, issue_id), "origin": origin, "issue_id": issue_id,
                          "issue_version": 1, "test_id": test_id, "present": True})
    return {"issues": list(issues.values()), "incidents": incidents}


def _checked(document: Tree) -> Tree:
    """Upgraded to the newest schema of kcidb-io and validated, where that is installed."""
    try:
        from jsonschema import ValidationError  # noqa: PLC0415 (what kcidb-io, which is optional, raises)
        from kcidb_io import schema  # noqa: PLC0415 (optional, and slow to import)
    except ImportError:
        return document
    try:
        upgraded: Tree = schema.LATEST.upgrade(document)
        schema.LATEST.validate(upgraded)
    except (ValidationError, AssertionError) as error:
        raise DrmbenchError("kcidb", "submission", reason=f"kcidb-io refuses it ({str(error).splitlines()[0]})",
                            remedy="the report may have been edited by hand; --format json shows it") from error
    return upgraded
