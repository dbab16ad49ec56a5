# SPDX-License-Identifier: MIT
"""Tracing is set up and put back: on a folder of files that looks like tracefs, however the session ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drmbench.errors import DrmbenchError, UnsupportedError
from drmbench.trace.call_path import call_path
from drmbench.trace.keeper import Keeper, Undo, undo_all
from drmbench.trace.session import Session, Wanted
from drmbench.trace.tracefs import Tracefs, find_tracefs, mounted_at
from drmbench.trace.usage import check_tracing, refuse_a_busy_tracer

EVENT = "events/exceptions/page_fault_user"
# As 6.1 shows them while nobody traces; a filter that is set stands for what a user left there.
IDLE = {
    "available_tracers": "blk function_graph function nop", "current_tracer": "nop", "tracing_on": "1",
    "trace": "", "trace_marker": "", "trace_clock": "[local] global counter uptime", "max_graph_depth": "0",
    "set_ftrace_filter": "do_mmap\ndrm_gem_mmap [drm]", "set_ftrace_notrace": "schedule", "set_ftrace_pid": "no pid",
    "set_graph_function": "do_fault", "set_event": "", "set_event_pid": "", "options/funcgraph-abstime": "0",
    "options/funcgraph-irqs": "1", "options/markers": "1", f"{EVENT}/enable": "0", f"{EVENT}/filter": "none",
    "per_cpu/cpu0/buffer_size_kb": "1408", "per_cpu/cpu0/stats": "entries: 0\noverrun: 3\n",
}
WANTED = Wanted({3: "handle_mm_fault", 8: "drm_gem_mmap"}, cpu=0, depth=7)
STARTED = """
import sys, time
from pathlib import Path
from drmbench.trace.session import Session, Wanted
from drmbench.trace.tracefs import Tracefs
with Session(Tracefs(Path(sys.argv[1])), Wanted({3: "handle_mm_fault"}, cpu=0)) as session, session.record():
    print("tracing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def tracefs(tmp_path: Path) -> Tracefs:
    for name, text in IDLE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n" if text else "")
    return Tracefs(tmp_path)


def state(tracefs: Tracefs) -> dict[str, str]:
    """Every file, as a reader would put it back."""
    found = {name: tracefs.read(name) for name in IDLE if name != "trace_marker"}
    for name in ("set_ftrace_filter", "set_ftrace_notrace", "set_graph_function", "set_ftrace_pid"):
        found[name] = " ".join(word.partition(" ")[0] for word in tracefs.words(name))
    found["trace_clock"] = "[local]" if "[local]" in found["trace_clock"] else found["trace_clock"]
    return found


class TestSettings:
    def test_this_thread_is_traced_and_nothing_else(self, tracefs: Tracefs) -> None:
        with Session(tracefs, WANTED) as session:
            assert not session.own_instance
            assert session.has_addresses
            assert tracefs.read("current_tracer") == "function_graph"
            assert tracefs.read("max_graph_depth") == "7"
            # A file knows no line numbers, so that the names were written in their place.
            assert tracefs.words("set_ftrace_filter") == ["drm_gem_mmap", "handle_mm_fault"]
            assert tracefs.words("set_ftrace_pid") == tracefs.words("set_event_pid") == [str(os.getpid())]
            assert tracefs.words("set_ftrace_notrace") == tracefs.words("set_graph_function") == []
            assert tracefs.read("options/funcgraph-abstime") == "1"
            assert tracefs.read("options/funcgraph-irqs") == "0"
            assert tracefs.read(f"{EVENT}/enable") == "1"
            assert tracefs.read("per_cpu/cpu0/buffer_size_kb") == "8192"

    def test_only_a_recording_records(self, tracefs: Tracefs) -> None:
        with Session(tracefs, WANTED) as session:
            assert tracefs.read("tracing_on") == "0"
            with session.record():
                assert tracefs.read("tracing_on") == "1"
                os.write(session.marker_fd, b"drmbench:mmap:begin")
            assert tracefs.read("tracing_on") == "0"
            assert session.lost_events() == 3

    def test_a_kernel_without_the_tracepoint(self, tracefs: Tracefs) -> None:
        (tracefs.root / EVENT / "enable").unlink()
        with Session(tracefs, WANTED) as session:
            assert not session.has_addresses


class TestPutBack:
    def test_after_the_session(self, tracefs: Tracefs) -> None:
        before = state(tracefs)
        with Session(tracefs, WANTED), pytest.raises(AssertionError):
            assert state(tracefs) == before
        assert state(tracefs) == before

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_after_an_exception(self, tracefs: Tracefs, error: type[BaseException]) -> None:
        before = state(tracefs)
        with pytest.raises(error), Session(tracefs, WANTED) as session, session.record():
            raise error
        assert state(tracefs) == before

    def test_where_setting_up_fails_half_way(self, tracefs: Tracefs) -> None:
        before = state(tracefs)
        marker = tracefs.root / "trace_marker"
        marker.unlink()
        with pytest.raises(DrmbenchError, match="trace_marker: open: ENOENT"), Session(tracefs, WANTED):
            pass
        marker.touch()
        assert state(tracefs) == before

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_after_a_signal(self, tracefs: Tracefs, number: int) -> None:
        before = state(tracefs)
        with subprocess.Popen([sys.executable, "-c", STARTED, str(tracefs.root)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as tracing:
            assert tracing.stdout is not None
            assert tracing.stdout.readline() == b"tracing\n"
            assert state(tracefs) != before
            tracing.send_signal(number)
            # The keeper holds nothing of ours: the pipe ends with the process.
            assert tracing.stdout.read() == b""
        deadline = time.monotonic() + 20
        while state(tracefs) != before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert state(tracefs) == before

    def test_where_the_keeper_was_killed(self, tracefs: Tracefs) -> None:
        before = state(tracefs)
        with Session(tracefs, WANTED) as session:
            os.kill(session._keeper.pid, signal.SIGKILL)
        assert state(tracefs) == before

    def test_what_cannot_be_put_back_is_an_error(self, tracefs: Tracefs) -> None:
        depth = tracefs.root / "max_graph_depth"
        refused = pytest.raises(DrmbenchError, match=r"putting tracing back: .*max_graph_depth: write: EISDIR")
        with refused, Session(tracefs, WANTED):
            depth.rename(tracefs.root / "renamed")
            depth.mkdir()
        assert tracefs.read("current_tracer") == "nop"

    def test_the_last_change_is_undone_first(self, tmp_path: Path) -> None:
        folder = tmp_path / "instance"
        folder.mkdir()
        (folder / "file").write_text("new")
        (tmp_path / "instance" / "file").unlink()
        assert undo_all([Undo("rmdir", str(folder), []), Undo("write", str(tmp_path / "gone"), ["x"])]) == [
            f"{tmp_path}/gone: write: ENOENT: No such file or directory: this kernel's tracefs does not have it",
        ]
        assert not folder.exists()

    def test_an_undone_journal_is_all_of_it(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("now\n")
        keeper = Keeper()
        keeper.will_change(Undo("write", str(path), ["first"]))
        keeper.will_change(Undo("write", str(path), ["second"]))
        assert keeper.undo() == []
        assert path.read_text() == "first\n"


class TestBusy:
    @pytest.mark.parametrize(("name", "text", "user"), [
        ("current_tracer", "function", "current_tracer is function"),
        ("set_event", "sched:sched_switch", "set_event has sched:sched_switch"),
        ("set_ftrace_filter", "schedule:traceoff:unlimited", "set_ftrace_filter has commands"),
        ("per_cpu/cpu0/stats", "entries: 12\noverrun: 0", "holds 12 events"),
    ])
    def test_a_tracer_that_somebody_uses_is_refused(
        self, tracefs: Tracefs, name: str, text: str, user: str,
    ) -> None:
        (tracefs.root / name).write_text(f"{text}\n")
        before = state(tracefs)
        with pytest.raises(DrmbenchError, match=f"EBUSY: somebody uses it: .*{user}"), Session(tracefs, WANTED):
            pass
        assert state(tracefs) == before

    def test_with_an_instance_of_our_own_only_function_graph_is_in_the_way(self, tracefs: Tracefs) -> None:
        (tracefs.root / "current_tracer").write_text("function\n")
        refuse_a_busy_tracer(tracefs, shared_only=True)
        other = tracefs.root / "instances" / "theirs"
        other.mkdir(parents=True)
        (other / "current_tracer").write_text("function_graph\n")
        with pytest.raises(DrmbenchError, match="theirs runs function_graph"):
            refuse_a_busy_tracer(tracefs, shared_only=True)


class TestWhatIsMissing:
    def test_a_kernel_without_function_graph(self, tracefs: Tracefs) -> None:
        check_tracing(tracefs, Path("/nowhere"))
        (tracefs.root / "available_tracers").write_text("function nop\n")
        with pytest.raises(UnsupportedError, match="CONFIG_FUNCTION_GRAPH_TRACER") as refused:
            check_tracing(tracefs, Path("/nowhere"))
        assert refused.value.exit_code == 77

    def test_tracing_that_is_switched_off(self, tracefs: Tracefs, tmp_path: Path) -> None:
        (tmp_path / "enabled").write_text("0\n")
        with pytest.raises(DrmbenchError, match=r"sysctl kernel\.ftrace_enabled=1"):
            check_tracing(tracefs, tmp_path / "enabled")

    def test_files_that_we_may_not_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_arguments: Any, **_named: Any) -> str:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_text", refused)
        with pytest.raises(DrmbenchError, match=r"available_tracers: read: EACCES: .*: run as root"):
            check_tracing(Tracefs(tmp_path))

    @pytest.mark.parametrize(("mounts", "place"), [
        ("tracefs /sys/kernel/tracing tracefs rw 0 0", "/sys/kernel/tracing"),
        ("t /sys/kernel/debug/tracing tracefs rw 0 0\nt /sys/kernel/tracing tracefs rw 0 0", "/sys/kernel/tracing"),
        ("t /a\\040b tracefs rw 0 0", "/a b"),
        ("debugfs /sys/kernel/debug debugfs rw 0 0", None),
    ])
    def test_where_it_is_mounted(self, mounts: str, place: str | None) -> None:
        assert mounted_at(mounts) == place

    @pytest.mark.parametrize(("kinds", "status", "words"), [
        ("nodev\ttracefs\n", 1, "sudo mount -t tracefs"), ("nodev\tproc\n", 77, "CONFIG_FTRACE"),
    ])
    def test_no_tracefs(self, monkeypatch: pytest.MonkeyPatch, kinds: str, status: int, words: str) -> None:
        monkeypatch.setattr(Path, "read_text", lambda path, **_: kinds if path.name == "filesystems" else "")
        with pytest.raises(DrmbenchError, match=words) as refused:
            find_tracefs()
        assert refused.value.exit_code == status


class TestCallPath:
    AVAILABLE = ("do_mmap\nhandle_mm_fault\nschedule\nvmf_insert_pfn\ndrm_gem_mmap [drm]\nttm_bo_vm_fault [ttm]\n"
                 "qxl_mmap [qxl]\ndrm_gem_shmem_mmap [drm_shmem_helper]\next4_mmap [ext4]\n")

    def test_the_way_to_the_driver_and_nothing_else(self) -> None:
        path = call_path(self.AVAILABLE, [("qxl", "qxl")])
        assert path.functions == {
            1: "do_mmap", 2: "handle_mm_fault", 4: "vmf_insert_pfn", 5: "drm_gem_mmap", 6: "ttm_bo_vm_fault",
            7: "qxl_mmap", 8: "drm_gem_shmem_mmap",
        }

    def test_what_this_kernel_does_not_show_is_named(self) -> None:
        untraceable = call_path(self.AVAILABLE, [("qxl", "qxl")]).untraceable
        assert {"exc_page_fault", "__do_fault"} <= set(untraceable)
        assert not {"do_mmap", "handle_mm_fault"} & set(untraceable)

    def test_a_kernel_with_everything_built_in(self) -> None:
        built_in = self.AVAILABLE.replace(" [drm]", "").replace(" [qxl]", "").replace("qxl_mmap", "my_gpu_mmap")
        assert {"drm_gem_mmap", "my_gpu_mmap"} <= set(call_path(built_in, [("my-gpu", None)]).functions.values())


def test_the_journal_is_plain_json() -> None:
    entry = Undo("write", "/x", ["a", "b"])
    assert Undo(*json.loads(json.dumps(entry))) == entry
