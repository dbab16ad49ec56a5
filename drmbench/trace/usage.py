# SPDX-License-Identifier: MIT
"""Whether the tracer can be used at all, and whether somebody uses it: it is refused then, never stolen."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError, UnsupportedError
from drmbench.trace.tracefs import Tracefs

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTION_GRAPH = "function_graph"
NO_TRACER = "nop"
_ENABLED = Path("/proc/sys/kernel/ftrace_enabled")


def check_tracing(tracefs: Tracefs, enabled: Path = _ENABLED) -> None:
    """Raise what stands in the way, before anything is changed.

    UnsupportedError where the kernel has no function_graph; DrmbenchError where we may not, or it is switched off.
    """
    if FUNCTION_GRAPH not in tracefs.read("available_tracers").split():
        raise UnsupportedError("trace", FUNCTION_GRAPH, errno=errno.ENOSYS, reason="this kernel has no such tracer",
                               remedy="a kernel with CONFIG_FUNCTION_GRAPH_TRACER has")
    if not tracefs.has("set_ftrace_filter"):
        raise UnsupportedError("trace", "set_ftrace_filter", errno=errno.ENOSYS,
                               reason="this kernel cannot choose functions",
                               remedy="a kernel with CONFIG_DYNAMIC_FTRACE can")
    if enabled.exists() and enabled.read_text(encoding="ascii").strip() == "0":
        raise DrmbenchError("trace", "ftrace", errno=errno.EBUSY, reason="function tracing is switched off",
                            remedy="sysctl kernel.ftrace_enabled=1")
    tracefs.prove_writable("current_tracer")


def refuse_a_busy_tracer(tracefs: Tracefs, *, shared_only: bool) -> None:
    """Raise DrmbenchError(EBUSY) where somebody traces; `shared_only`: only what instances share counts."""
    for user in _users(tracefs, shared_only=shared_only):
        raise DrmbenchError("trace", "tracer", errno=errno.EBUSY, reason=f"somebody uses it: {user}",
                            remedy="drmbench takes it from nobody: stop the other one, or wait")


def _users(tracefs: Tracefs, *, shared_only: bool) -> Iterator[str]:
    """Who traces, and where: in words."""
    tracers = {path.parent: Tracefs(path.parent).read("current_tracer")
               for path in sorted(tracefs.root.glob("instances/*/current_tracer"))}
    yield from (f"{place} runs {tracer}" for place, tracer in tracers.items() if tracer == FUNCTION_GRAPH)
    tracer = tracefs.read("current_tracer")
    if tracer == FUNCTION_GRAPH or (tracer != NO_TRACER and not shared_only):
        yield f"current_tracer is {tracer}"
    if shared_only:
        return
    events = tracefs.read("set_event").split() if tracefs.has("set_event") else []
    if events:
        yield f"set_event has {', '.join(events[:3])}"
    if any(":" in word for word in tracefs.words("set_ftrace_filter")):
        yield "set_ftrace_filter has commands"
    entries = sum(_entries(tracefs, path) for path in sorted(tracefs.root.glob("per_cpu/cpu*/stats")))
    if entries:
        yield f"{tracefs.root}/trace holds {entries} events, which a new tracer would wipe out"


def _entries(tracefs: Tracefs, stats: Path) -> int:
    found = re.search(r"^entries: (\d+)", tracefs.read(str(stats.relative_to(tracefs.root))), re.MULTILINE)
    return int(found[1]) if found is not None else 0
