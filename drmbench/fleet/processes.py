# SPDX-License-Identifier: MIT
"""The boards' processes, started from one that has labgrid loaded, and watched without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import msgspec

from drmbench.fleet.board import look_after
from drmbench.fleet.job import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from drmbench.fleet.job import Job

_GRACE_S = 25.0
_MARGIN_S = 60.0


def prepare() -> multiprocessing.context.ForkServerContext:
    """The context whose server has imported everything a board needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["drmbench.fleet.preloaded"])
    return context


async def run_board(
    context: multiprocessing.context.ForkServerContext, job: Job, on_stage: Callable[[str], None],
) -> Answer:
    """What became of one board; its process and its SSH connections are gone when this returns or is cancelled."""
    ours, theirs = context.Pipe()
    process = context.Process(target=look_after, args=(msgspec.json.encode(job), theirs), daemon=True)
    with ours:
        try:
            process.start()
            theirs.close()
            # Deploying and running have their own limits; this one is for a process that is stuck itself.
            limit_s = job.connect_s + 2 * job.limit_s + _MARGIN_S
            return await asyncio.wait_for(_received(ours, on_stage), limit_s)
        except TimeoutError:
            return Answer("timed-out", f"its process did not end within {limit_s:g} s")
        finally:
            await _end(process)


async def _received(connection: Connection, on_stage: Callable[[str], None]) -> Answer:
    while True:
        await _readable(connection.fileno())
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            return Answer("failed", "the process that looked after the board died")
        if message.startswith(b"{"):
            return msgspec.json.decode(message, type=Answer)
        on_stage(message.decode())


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


async def _end(process: ForkServerProcess) -> None:
    """SIGTERM, which also ends what runs on the board; SIGKILL to its group where that takes too long."""
    if process.pid is None:
        return
    if process.is_alive():
        process.terminate()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_readable(process.sentinel), _GRACE_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join(1.0)
    process.close()
