# SPDX-License-Identifier: MIT
"""What goes to the process that looks after one board, and what comes back from it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

State = Literal["finished", "failed", "unsupported", "taken", "unreachable", "lost", "timed-out", "interrupted"]


class Job(msgspec.Struct, frozen=True):
    """One board's share of a fleet run.

    command     drmbench's words on the board, without the program
    remote      the program there, or "" where the wheelhouse is brought
    wheels      paths of wheels to choose from; digest names them
    connect_s   until SSH must answer; limit_s how long deploying and running may take, each
    """

    place: str
    address: str
    username: str
    port: int
    password: str | None
    extra: dict[str, Any]
    command: list[str]
    remote: str
    wheels: list[str]
    digest: str
    key_file: str
    connect_s: float
    limit_s: float


class Answer(msgspec.Struct, frozen=True):
    """How it ended; `output` are the last lines that were seen, `document` what drmbench printed, if anything."""

    state: State
    reason: str = ""
    exit_status: int | None = None
    output: list[str] = []
    document: bytes = b""
    connect_ns: int = 0
    deploy_ns: int = 0
    run_ns: int = 0
