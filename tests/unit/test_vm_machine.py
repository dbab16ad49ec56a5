# SPDX-License-Identifier: MIT
"""A run from start to end with a stand-in for vng, a shell script that lives or dies as a guest would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from drmbench.errors import DrmbenchError
from drmbench.vm import guest
from drmbench.vm.console import Console, first_trouble
from drmbench.vm.machine import LabError, Outcome, boot
from drmbench.vm.processes import run_whole

# Runs the guest's script here, as the guest would; the host's kernel log is not its to write to.
LOCAL_GUEST = 'sed "s,/dev/kmsg,/dev/null," "$1/guest.sh" > "$1/local.sh"; sh "$1/local.sh"; sleep 30'


@dataclass
class Lab:
    """A scratch directory with an exchange folder, and a way to boot it."""

    scratch: Path

    @property
    def exchange(self) -> Path:
        return self.scratch / "exchange"

    def boot(self, body: str, timeout_s: float = 10) -> Outcome:
        script = self.scratch / "vng"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        return boot([str(script), str(self.exchange)], self.exchange, self.scratch, timeout_s)

    def command(self, *words: str) -> None:
        self.exchange.joinpath("guest.sh").write_text(guest.guest_script([], ()))
        text = guest.command_script(words, self.scratch, {"PATH": os.environ["PATH"]})
        self.exchange.joinpath("command.sh").write_text(text)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "exchange").mkdir()
    return Lab(tmp_path)


def test_streams_and_status_are_the_commands_own(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    lab.command("sh", "-c", "echo to stdout; echo to stderr >&2; exit 3")
    assert lab.boot(LOCAL_GUEST).status == 3
    out, err = capfd.readouterr()
    assert out == "to stdout\n"
    assert err == "to stderr\n"


def test_a_command_that_is_not_there_is_127(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    lab.command("no-such-command")
    assert lab.boot(LOCAL_GUEST).status == 127
    assert "no-such-command" in capfd.readouterr().err


def test_output_is_streamed_while_the_command_runs(lab: Lab) -> None:
    lab.command("sh", "-c", "echo early; sleep 60")
    body = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from drmbench.vm.machine import boot
        scratch = Path({str(lab.scratch)!r})
        boot([str(scratch / "vng"), str(scratch / "exchange")], scratch / "exchange", scratch, 50)
    """)
    (lab.scratch / "vng").write_text(f"#!/bin/sh\n{LOCAL_GUEST}\n")
    (lab.scratch / "vng").chmod(0o755)
    process = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"early\n"
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert no_process_mentions(str(lab.scratch))


def test_a_killed_drmbench_leaves_no_machine_and_no_directory(lab: Lab) -> None:
    body = textwrap.dedent(f"""
        from pathlib import Path
        from drmbench.vm.machine import boot
        scratch = Path({str(lab.scratch)!r})
        boot([str(scratch / "vng")], scratch / "exchange", scratch, 50)
    """)
    (lab.scratch / "vng").write_text(f"#!/bin/sh\ntouch {lab.scratch}/started\nsh -c 'sleep 77; : {lab.scratch}'\n")
    (lab.scratch / "vng").chmod(0o755)
    process = subprocess.Popen([sys.executable, "-c", body])
    wait_until((lab.scratch / "started").exists)
    wait_until(lambda: not no_process_mentions("read -r _", str(lab.scratch)))  # the guard watches
    process.kill()
    process.wait()
    wait_until(lambda: not lab.scratch.exists())
    wait_until(lambda: no_process_mentions(str(lab.scratch)))


def wait_until(condition: object, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def no_process_mentions(*texts: str) -> bool:
    """Whether no process but this one has all of `texts` on its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if all(text.encode() in words for text in texts) and path.parent.name != str(os.getpid()):
            return False
    return True


def test_children_of_a_command_that_takes_too_long_end_with_it(tmp_path: Path) -> None:
    with pytest.raises(DrmbenchError, match="ETIMEDOUT"):
        run_whole(["sh", "-c", f"sleep 60 & : {tmp_path}; wait; : {tmp_path}"], timeout_s=0.3)
    assert no_process_mentions(str(tmp_path))


def test_a_command_run_whole_gives_both_streams_and_its_status() -> None:
    done = run_whole(["sh", "-c", "echo out; echo err >&2; exit 4"])
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 4)


def test_a_guest_that_hangs_ends_at_the_timeout(lab: Lab) -> None:
    start = time.monotonic()
    with pytest.raises(LabError, match="ETIMEDOUT: not finished after 1 s, before the guest's init ran: raise"):
        lab.boot("echo last words; sleep 60", timeout_s=1)
    assert time.monotonic() - start < 5
    assert no_process_mentions(str(lab.scratch))


def test_a_command_that_hangs_is_told_from_a_boot_that_hangs(lab: Lab) -> None:
    lab.command("sleep", "60")
    with pytest.raises(LabError, match="while the command ran"):
        lab.boot(LOCAL_GUEST, timeout_s=2)


def test_a_panic_is_named_and_the_console_goes_along(lab: Lab) -> None:
    console = "[ 1.0] \\033[1mOops\\r\\n[ 1.1] Kernel panic - not syncing: no init\\r\\n"
    body = f"echo booted > $1/stage; printf '{console}'; exit 1"
    with pytest.raises(LabError, match="kernel panic while the guest set up its mounts: no init") as caught:
        lab.boot(body)
    assert caught.value.console == ["[ 1.0] Oops", "[ 1.1] Kernel panic - not syncing: no init"]


def test_a_machine_that_ends_without_a_status_is_lost(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"ended before the guest's init ran \(vng exit status 9\)") as caught:
        lab.boot("echo qemu-system-x86_64: bad option; exit 9")
    assert caught.value.console == ["qemu-system-x86_64: bad option"]


def test_a_driver_that_fails_is_its_own_error(lab: Lab) -> None:
    with pytest.raises(LabError, match="vm: modprobe vkms: modprobe: FATAL: no vkms"):
        lab.boot('printf "modprobe vkms\\nmodprobe: FATAL: no vkms\\n" > $1/failure; sleep 30')


def test_an_empty_status_is_a_lab_error_not_success(lab: Lab) -> None:
    with pytest.raises(LabError, match="exit status arrived as ''"):
        lab.boot("touch $1/status; sleep 30")


def test_console_keeps_only_its_last_lines_and_a_partial_one() -> None:
    console = Console()
    for number in range(1000):
        console.feed(f"line {number}\r\n".encode())
    console.feed(b"half \xff\x1b[2Ja line")
    console.finish()
    assert console.tail(2) == ["line 999", "half \ufffda line"]
    assert len(console.tail(10_000)) == 400


LOG = """\
[    0.1] WARNING: CPU: 0 PID: 1 at arch/x86/kernel/foo.c:1
[    5.0] drmbench: loading drivers
[    6.0] vkms: loading out-of-tree module taints kernel.
"""


def test_trouble_of_the_boot_is_not_the_commands() -> None:
    assert first_trouble(LOG, guest.LOG_MARK) is None


@pytest.mark.parametrize("line", [
    "WARNING: CPU: 0 PID: 99 at drivers/gpu/drm/drm_gem.c:5 x", "BUG: kernel NULL pointer dereference, address: 0",
    "Oops: 0002 [#1] PREEMPT SMP", "INFO: task python3:99 blocked for more than 120 seconds."])
def test_trouble_after_the_mark_is_reported_without_its_stamp(line: str) -> None:
    assert first_trouble(f"{LOG}[    7.0] {line}\n[    7.1] later\n", guest.LOG_MARK) == line
