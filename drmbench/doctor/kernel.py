# SPDX-License-Identifier: MIT
"""Checks of the kernel: what it was built and started with, and what it lets this user see."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from drmbench.doctor.check import Check, Seen
from drmbench.kernel_files import Unreadable

if TYPE_CHECKING:
    from drmbench.doctor.check import Machine

_HOLES = "/sys/devices/system/cpu/vulnerabilities"
# Each makes every allocation, lock or access slower, by its option of the kernel's configuration.
_HEAVY = {
    "KASAN": "KASAN", "KCSAN": "KCSAN", "KMSAN": "KMSAN", "PROVE_LOCKING": "lockdep", "LOCK_STAT": "LOCK_STAT",
    "DEBUG_PAGEALLOC_ENABLE_DEFAULT": "DEBUG_PAGEALLOC", "DEBUG_KMEMLEAK": "kmemleak", "SLUB_DEBUG_ON": "SLUB_DEBUG_ON",
    "DEBUG_VM_PGTABLE": "DEBUG_VM_PGTABLE", "PAGE_TABLE_CHECK_ENFORCED": "PAGE_TABLE_CHECK",
    "DEBUG_OBJECTS": "DEBUG_OBJECTS", "DEBUG_ATOMIC_SLEEP": "DEBUG_ATOMIC_SLEEP",
}
_BOOT_SWITCHES = {
    "debug_pagealloc=on": "DEBUG_PAGEALLOC", "page_poison=1": "page_poison", "page_owner=on": "page_owner",
    "slub_debug": "slub_debug", "slab_debug": "slab_debug", "page_table_check=on": "PAGE_TABLE_CHECK",
}


def _config(machine: Machine) -> str:
    """The kernel's configuration. Raises Unreadable where no copy of it is kept."""
    release = machine.environment.kernel
    places = ["/proc/config.gz", f"/lib/modules/{release}/config", f"/boot/config-{release}",
              f"/lib/modules/{release}/build/.config"]
    for path in places if "/" not in release else places[:1]:
        try:
            return machine.files.text(path)
        except Unreadable:
            continue
    raise Unreadable(f"/proc/config.gz and /boot/config-{release}", "no copy of the kernel's configuration is kept")


def _options(machine: Machine) -> set[str]:
    return set(re.findall(r"^CONFIG_(\w+)=y$", _config(machine), re.MULTILINE))


def _command_line(machine: Machine) -> list[str]:
    try:
        return machine.files.line("/proc/cmdline").split()
    except Unreadable:
        return []


def _debugging(machine: Machine) -> Seen:
    words = _command_line(machine)
    found = {name for switch, name in _BOOT_SWITCHES.items() if any(w.split(",")[0].startswith(switch) for w in words)}
    if machine.files.has("/proc/lockdep_stats"):
        found.add("lockdep")
    try:
        found |= {name for option, name in _HEAVY.items() if option in _options(machine)}
    except Unreadable as reason:
        if not found:
            return Seen("unknown", str(reason))
    if found:
        return Seen("warning", f"a kernel for debugging: {', '.join(sorted(found))}", "boot a kernel without them")
    return Seen("ok", "no costly debugging is built in")


def _zeroing(machine: Machine) -> Seen:
    words = _command_line(machine)
    on = "init_on_alloc=1" in words or (
        "init_on_alloc=0" not in words and "INIT_ON_ALLOC_DEFAULT_ON" in _options(machine))
    if on:
        return Seen("note", "the kernel zeroes all memory that it allocates", "boot with init_on_alloc=0")
    return Seen("ok", "the kernel zeroes what must be zero")


def _preemption(machine: Machine) -> Seen:
    build = machine.environment.kernel_build
    if "PREEMPT_RT" in build:
        return Seen("note", "PREEMPT_RT", "boot a kernel without PREEMPT_RT")
    match = re.search(r"PREEMPT\w*", build)
    return Seen("ok", match[0] if match else "the kernel is not preempted")


def _holes(machine: Machine) -> list[tuple[str, str]]:
    return [(name, machine.files.line(f"{_HOLES}/{name}")) for name in machine.files.names(_HOLES)]


def _kpti(machine: Machine) -> Seen:
    state = machine.files.line(f"{_HOLES}/meltdown")
    if "PTI" in state:
        return Seen("note", "page tables are switched on each entry (KPTI)", "boot with pti=off, to compare only")
    return Seen("ok", f"no KPTI: {state}")


def _mitigations(machine: Machine) -> Seen:
    names = [name for name, state in _holes(machine) if state.startswith("Mitigation")]
    if not names:
        return Seen("ok", "none is in use")
    return Seen("note", f"in use: {', '.join(names)}", "boot with mitigations=off, to compare only")


def _perf(machine: Machine) -> Seen:
    level = machine.files.number("/proc/sys/kernel/perf_event_paranoid")
    if level <= 1 or os.geteuid() == 0:
        return Seen("ok", f"perf_event_paranoid is {level}")
    return Seen("note", f"perf_event_paranoid is {level}", "sudo sysctl kernel.perf_event_paranoid=1")


def _tracefs(machine: Machine) -> Seen:
    reasons = []
    for path in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        try:
            if "available_tracers" in machine.files.names(path):
                return Seen("ok", f"{path} can be read")
            reasons.append(f"{path}: not mounted")
        except Unreadable as reason:
            reasons.append(str(reason))
    remedy = "sudo mount -t tracefs nodev /sys/kernel/tracing" if "not mounted" in reasons[0] else "run as root"
    return Seen("note", reasons[0], remedy)


def _drm_debug(machine: Machine) -> Seen:
    path = "/sys/module/drm/parameters/debug"
    if not machine.files.has(path):
        return Seen("ok", "the drm module is not loaded, or keeps it to itself")
    value = machine.files.line(path)
    if value.strip("0x") == "":
        return Seen("ok", "drm.debug is off")
    return Seen("warning", f"drm.debug is {value}", f"echo 0 | sudo tee {path}")


CHECKS = (
    Check("kernel-debug", ("fault_ns", "stages_ns"), "allocations, locks and faults cost a multiple of the usual",
          _debugging, in_results=True),
    Check("drm-debug", ("stages_ns",), "ioctls print to the kernel's log", _drm_debug, in_results=True),
    Check("kpti", ("fault_ns.p50",), "each fault pays for two switches of page tables", _kpti),
    Check("mitigations", ("fault_ns.p50", "stages_ns"), "each entry into the kernel costs more", _mitigations),
    Check("init-on-alloc", ("stages_ns", "fault_ns of the first mapping"), "pages that would not need it are zeroed, "
          "where they are allocated", _zeroing),
    Check("preemption", ("fault_ns.p99", "fault_ns.max"), "spinlocks sleep, so that a fault may wait for others",
          _preemption),
    Check("perf-event-paranoid", ("what perf and a kernel trace show beside the numbers",), "no kernel samples and "
          "no counters for you; drmbench's fault counts do not need it", _perf),
    Check("tracefs", ("what a kernel trace shows beside the numbers",), "no function graph of a fault; drmbench's "
          "fault counts do not need it", _tracefs),
)
