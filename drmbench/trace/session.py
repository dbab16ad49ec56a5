# SPDX-License-Identifier: MIT
"""One tracing session: function_graph for this thread, recorded between record() and its end, then all put back.

Where this kernel's function_graph works in an instance (6.11 and later), the session has one of its own; else it
is the global tracer, which is refused where anybody uses it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from drmbench.errors import DrmbenchError
from drmbench.trace.keeper import Keeper, Undo
from drmbench.trace.tracefs import Tracefs, refusal
from drmbench.trace.usage import FUNCTION_GRAPH, refuse_a_busy_tracer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_BUFFER_KB = 8192
_EVENT = "events/exceptions/page_fault_user"

# What the text must and must not contain; a kernel has some of them.
_OPTIONS = {
    "context-info": True, "markers": True, "funcgraph-abstime": True, "funcgraph-cpu": True, "funcgraph-proc": True,
    "funcgraph-duration": True, "funcgraph-overhead": True, "funcgraph-tail": True, "funcgraph-retval": True,
    "funcgraph-retval-hex": False, "funcgraph-retval-trim": False, "funcgraph-irqs": False, "funcgraph-overrun": False,
    "funcgraph-args": False, "funcgraph-retaddr": False, "function-fork": False, "event-fork": False, "raw": False,
    "hex": False, "bin": False, "block": False, "verbose": False, "latency-format": False, "stacktrace": False,
    "userstacktrace": False, "pause-on-trace": False,
}
# Filters of somebody else's last session, which would hide what we look for.
_EMPTIED = ("set_ftrace_notrace", "set_ftrace_notrace_pid", "set_event_notrace_pid")
_EMPTIED_FOR_ALL = ("set_graph_function", "set_graph_notrace")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is recorded, and on which CPU this thread is held meanwhile.

    functions  line in available_filter_functions, from 1 -> function
    depth      calls inside one another, 0 for as many as ftrace follows
    addresses  record the tracepoint exceptions:page_fault_user too, where the kernel has it
    """

    functions: dict[int, str]
    cpu: int
    depth: int = 0
    addresses: bool = True


class Session:
    """Tracing, set up inside a with block and put back after it by a process that outlives this one.

    own_instance   whether only an instance was changed, beside the options that all instances share
    has_addresses  whether faults come with their address
    marker_fd      where markers are written
    Raises DrmbenchError, UnsupportedError where the kernel has no function_graph.
    """

    def __init__(self, tracefs: Tracefs, wanted: Wanted) -> None:
        self._top = tracefs
        self._wanted = wanted
        self.place = tracefs
        self.own_instance = False
        self.has_addresses = False
        self.marker_fd = -1

    def __enter__(self) -> Self:
        self._keeper = Keeper()
        try:
            self._set_up()
        except BaseException:
            self._put_back()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._put_back()

    def _put_back(self) -> None:
        if self.marker_fd >= 0:
            os.close(self.marker_fd)
            self.marker_fd = -1
        failures = self._keeper.undo()
        if failures:
            raise DrmbenchError("trace", "putting tracing back", reason="; ".join(failures),
                                remedy="look at current_tracer and set_ftrace_filter")

    def _set_up(self) -> None:
        own = self._instance()
        refuse_a_busy_tracer(self._top, shared_only=own is not None)
        self.own_instance = own is not None
        self.place = own or self._top
        self._change(self.place, "tracing_on", "0")
        self._change_shared()
        for name in _EMPTIED:
            self._change_words(self.place, name, [])
        self._change_words(self.place, "set_ftrace_pid", [str(threading.get_native_id())])
        self._change_clock()
        self._change_filter()
        self._keeper.will_change(Undo("write", str(self.place.root / "trace"), []))
        self._change(self.place, "current_tracer", FUNCTION_GRAPH)
        self._change_buffer()
        if self._wanted.addresses:
            self._change_event()
        try:
            self.marker_fd = os.open(self.place.root / "trace_marker", os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise refusal(self.place.root / "trace_marker", "open", error) from None

    def _instance(self) -> Tracefs | None:
        """An instance of our own, None where function_graph does not work in one."""
        path = self._top.root / "instances" / f"drmbench-{os.getpid()}"
        undo = Undo("rmdir", str(path), [])
        self._keeper.will_change(undo)
        try:
            path.mkdir()
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOSYS, errno.EOPNOTSUPP}:
                return None
            raise refusal(path, "mkdir", error) from None
        instance = Tracefs(path)
        if instance.has("available_tracers") and FUNCTION_GRAPH in instance.read("available_tracers").split():
            return instance
        with contextlib.suppress(OSError):
            path.rmdir()
        return None

    def _change_shared(self) -> None:
        """Settings of function_graph that exist once, whatever instance uses it."""
        self._change(self._top, "max_graph_depth", str(self._wanted.depth))
        for name in _EMPTIED_FOR_ALL:
            self._change_words(self._top, name, [])
        for name, wanted in _OPTIONS.items():
            self._change(self.place, f"options/{name}", str(int(wanted)))

    def _change(self, tracefs: Tracefs, name: str, wanted: str) -> None:
        if not tracefs.has(name):
            return
        before = tracefs.read(name)
        if before != wanted:
            self._keeper.will_change(Undo("write", str(tracefs.root / name), [before] if before else []))
            tracefs.write(name, wanted)

    def _change_words(self, tracefs: Tracefs, name: str, wanted: list[str]) -> None:
        if not tracefs.has(name):
            return
        before = _names(tracefs.words(name))
        if before != wanted:
            self._keeper.will_change(Undo("write", str(tracefs.root / name), before))
            tracefs.set_words(name, wanted)

    def _change_filter(self) -> None:
        """Choose functions by their line, which takes ftrace no search; by name where this kernel's lines differ."""
        name, wanted = "set_ftrace_filter", self._wanted.functions
        self._keeper.will_change(Undo("write", str(self.place.root / name), _names(self.place.words(name))))
        with contextlib.suppress(DrmbenchError):
            self.place.set_words(name, [str(number) for number in wanted])
        if set(_names(self.place.words(name))) != set(wanted.values()):
            self.place.set_words(name, sorted(set(wanted.values())))

    def _change_clock(self) -> None:
        """The times of the text are seconds only with a clock that counts them."""
        chosen = re.search(r"\[(\S+)\]", self.place.read("trace_clock"))
        if chosen is not None and chosen[1] != "local":
            self._keeper.will_change(Undo("write", str(self.place.root / "trace_clock"), [chosen[1]]))
            self.place.write("trace_clock", "local")

    def _change_buffer(self) -> None:
        """Room on our CPU; the first tracer has already made the buffers of all CPUs what they become by default."""
        name = f"per_cpu/cpu{self._wanted.cpu}/buffer_size_kb"
        before = self.place.read(name) if self.place.has(name) else ""
        if before.isdecimal() and int(before) < _BUFFER_KB:
            self._change(self.place, name, str(_BUFFER_KB))

    def _change_event(self) -> None:
        self.has_addresses = self.place.has(f"{_EVENT}/enable")
        if self.has_addresses:
            self._change_words(self.place, "set_event_pid", [str(threading.get_native_id())])
            self._change_event_filter()
            self._change(self.place, f"{_EVENT}/enable", "1")

    def _change_event_filter(self) -> None:
        name = f"{_EVENT}/filter"
        before = self.place.read(name) if self.place.has(name) else "none"
        if before != "none":
            self._keeper.will_change(Undo("write", str(self.place.root / name), [before]))
            self.place.write(name, "0")

    @contextlib.contextmanager
    def record(self) -> Iterator[None]:
        """Record what this thread does inside the block, and nothing before it. Raises DrmbenchError."""
        self.place.write("trace", "")
        self.place.write("tracing_on", "1")
        try:
            yield
        finally:
            self.place.write("tracing_on", "0")

    def text(self) -> str:
        """What was recorded, as the file `trace` shows it. Raises DrmbenchError."""
        return self.place.read("trace")

    def lost_events(self) -> int:
        """Events of the last recording that did not fit into the buffer. Raises DrmbenchError."""
        lost = 0
        for stats in sorted(Path(self.place.root).glob("per_cpu/cpu*/stats")):
            text = self.place.read(str(stats.relative_to(self.place.root)))
            lost += sum(int(number) for number in re.findall(r"^(?:overrun|dropped events): (\d+)", text, re.MULTILINE))
        return lost




def _names(lines: list[str]) -> list[str]:
    """What a filter shows as "drm_gem_mmap [drm]" is written to it as "drm_gem_mmap"."""
    return [line.partition(" ")[0] for line in lines]
