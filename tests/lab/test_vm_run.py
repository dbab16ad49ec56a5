# SPDX-License-Identifier: MIT
"""`drmbench vm` on real kernels: six boots, some ten seconds each under software emulation."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drmbench.vm.cache import CachedKernel, kernel_folder
from drmbench.vm.devices import DEVICES
from drmbench.vm.fetch import fetch

DRMBENCH = [sys.executable, "-m", "drmbench"]
LIMIT_S = 300


@pytest.fixture(scope="session")
def cached() -> CachedKernel:
    """The default kernel, fetched where it is not cached yet."""
    fetch("debian-6.1")
    kernel = CachedKernel.read(kernel_folder("debian-6.1"))
    assert kernel is not None
    return kernel


def vm_run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DRMBENCH, "vm", "run", *words], cwd=folder, env=surroundings(folder), text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=LIMIT_S)


def surroundings(folder: Path) -> dict[str, str]:
    """Our environment with TMPDIR in `folder`, by which leftovers of this very test are told."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path.rstrip(os.pathsep)}


def leftovers(folder: Path) -> list[str]:
    """Processes that mention `folder`, and temporary directories of the lab in it."""
    found = [str(path) for path in folder.glob("drmbench-vm-*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


REPORT = r"""
printf '%s|' "$@"
echo
echo "$DRMBENCH_VM_KERNEL"
echo "$DRMBENCH_VM_ACCEL_USED"
pwd
for card in /sys/class/drm/card[0-9]; do basename "$(readlink -f $card/device)"; done
ls /sys/class/net /sys/class/block
echo to stderr >&2
echo '{"made": "in the guest"}' > report.json
touch /usr/drmbench-was-here
echo '<4>BUG: made up by a test' > /dev/kmsg
exit 3
"""
ODD_WORDS = ("two words", "it's", "new\nline", "é", "")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory,
           cached: CachedKernel) -> tuple[Path, CachedKernel, subprocess.CompletedProcess[str]]:
    """One run from a directory with an odd name that looks at everything a command can see."""
    folder = tmp_path_factory.mktemp("it's an, odd é name")
    ran = vm_run(folder, "--", "sh", "-c", REPORT, "sh", *ODD_WORDS, "--json", "report.json")
    return folder, cached, ran


Report = tuple[Path, CachedKernel, subprocess.CompletedProcess[str]]


def test_exit_status_is_the_commands_own(report: Report) -> None:
    _folder, _kernel, ran = report
    assert ran.returncode == 3, ran.stderr


def test_argv_directory_devices_and_facts_reach_the_command(report: Report) -> None:
    folder, kernel, ran = report
    words, rest = ran.stdout.split("|--json|report.json|\n")
    assert tuple(words.split("|")) == ODD_WORDS
    lines = rest.splitlines()
    assert lines[0] == f"debian-6.1 {kernel.release} ({kernel.version})"
    assert lines[1] in {"kvm", "tcg"}
    assert lines[2:5] == [str(folder), "vkms", "vgem"]


def test_the_guest_has_no_network_and_no_disks(report: Report) -> None:
    _folder, _kernel, ran = report
    tail = ran.stdout.split("vgem\n")[1].split()
    assert tail == ["/sys/class/block:", "/sys/class/net:", "lo"]


def test_stderr_is_apart_and_the_kernels_trouble_is_one_line_more(report: Report) -> None:
    _folder, _kernel, ran = report
    assert ran.stderr.splitlines() == [
        "to stderr", "drmbench: vm: warning: the guest's kernel reported: BUG: made up by a test"]


def test_a_file_of_json_lands_here_and_nothing_else_does(report: Report) -> None:
    folder, _kernel, _ran = report
    assert (folder / "report.json").read_text() == '{"made": "in the guest"}\n'
    assert not Path("/usr/drmbench-was-here").exists()
    assert leftovers(folder) == []


VERSION = r"""
import ctypes, fcntl, struct
for number in range(16):
    try:
        node = open(f"/dev/dri/card{number}", "rb+", buffering=0)
    except OSError:
        break
    name = ctypes.create_string_buffer(64)
    # struct drm_version: three ints, then length and address of name, date, description
    request = struct.pack("@iiiLPLPLP", 0, 0, 0, 64, ctypes.addressof(name), 0, 0, 0, 0)
    fcntl.ioctl(node, 0xC0000000 | len(request) << 16 | ord("d") << 8, request)
    print(name.value.decode())
"""


def test_every_device_of_the_table_is_driven_by_its_driver(tmp_path: Path, cached: CachedKernel) -> None:
    assert cached.release
    wanted = [word for device in DEVICES for word in ("--device", device.name)]
    ran = vm_run(tmp_path, *wanted, "--", sys.executable, "-c", VERSION)
    assert ran.returncode == 0, ran.stderr
    assert sorted(ran.stdout.split()) == sorted(device.driver for device in DEVICES)


def test_a_panic_ends_the_run_at_once_and_is_named(tmp_path: Path, cached: CachedKernel) -> None:
    assert cached.release
    ran = vm_run(tmp_path, "--", "sh", "-c", "echo before; echo c > /proc/sysrq-trigger; sleep 1000")
    assert ran.returncode == 1
    assert ran.stdout == "before\n"
    *console, last = ran.stderr.splitlines()
    assert last.startswith("drmbench: vm: guest: kernel panic while the command ran: sysrq triggered crash: see")
    assert any("Kernel panic - not syncing" in line for line in console)
    assert leftovers(tmp_path) == []


def test_a_command_that_hangs_ends_at_the_timeout(tmp_path: Path, cached: CachedKernel) -> None:
    assert cached.release
    start = time.monotonic()
    ran = vm_run(tmp_path, "--timeout", "25", "--", "sleep", "1000")
    assert ran.returncode == 1
    assert "drmbench: vm: guest: ETIMEDOUT: not finished after 25 s" in ran.stderr.splitlines()[-1]
    assert time.monotonic() - start < 40
    assert leftovers(tmp_path) == []


def test_a_driver_that_does_not_load_is_its_own_error(tmp_path: Path, cached: CachedKernel) -> None:
    """A kernel by path whose vkms.ko is garbage: only the guest's modprobe can tell."""
    real = kernel_folder("debian-6.1")
    modules = tmp_path / "lib/modules" / cached.release
    (modules / "extra").mkdir(parents=True)
    (modules / "extra/vkms.ko").write_bytes(b"not a module")
    (modules / "kernel").symlink_to(real / "lib/modules" / cached.release / "kernel")
    for table in (real / "lib/modules" / cached.release).glob("modules.*"):
        shutil.copy(table, modules)
    image = tmp_path / cached.image
    image.parent.mkdir()
    image.symlink_to(real / cached.image)
    ran = vm_run(tmp_path, "--kernel", str(image), "--device", "vkms", "--", "echo", "never")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[-1].startswith("drmbench: vm: modprobe vkms: modprobe: ERROR: could not insert")
    assert leftovers(tmp_path) == []


def test_sigterm_takes_the_machine_along(tmp_path: Path, cached: CachedKernel) -> None:
    assert cached.release
    process = subprocess.Popen([*DRMBENCH, "vm", "run", "--", "sh", "-c", "echo up; sleep 1000"], cwd=tmp_path,
                               env=surroundings(tmp_path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1
    assert err == "drmbench: interrupted: nothing was finished\n"
    assert leftovers(tmp_path) == []


def test_a_file_that_is_no_kernel_is_refused_before_anything_boots(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_text("#!/bin/sh\n")
    start = time.monotonic()
    ran = vm_run(tmp_path, "--kernel", "./bzImage", "--", "true")
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "no bzImage, vmlinux or arm64 Image" in ran.stderr
    assert time.monotonic() - start < 5
