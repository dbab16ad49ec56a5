# SPDX-License-Identifier: MIT
"""Checks of the CPU: how fast it runs, who else runs on it, which clock it has, whether it is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drmbench.doctor.check import Check, Seen
from drmbench.kernel_files import Unreadable, cpu_list

if TYPE_CHECKING:
    from drmbench.doctor.check import Machine

_CPU = "/sys/devices/system/cpu"
_TIMES = ("fault_ns", "hit_ns", "stages_ns", "ns_per_page")
_BUSY = 0.2
_SLOW_CLOCKS = frozenset({"hpet", "acpi_pm", "jiffies", "refined-jiffies"})


def _emulated(machine: Machine) -> Seen:
    if machine.environment.emulated:
        return Seen("warning", "this CPU is emulated", "compare times only as ratios within this run")
    return Seen("ok", "this CPU is not emulated")


def _virtual(machine: Machine) -> Seen:
    name = machine.environment.virtualization
    if name == "none":
        return Seen("ok", "no hypervisor shows itself")
    return Seen("note", f"a virtual machine: {name}", "measure on the bare machine")


def _governor(machine: Machine) -> Seen:
    governor = machine.environment.governor
    if governor in {"performance", "none"}:
        return Seen("ok", governor if governor != "none" else "no frequency scaling here")
    return Seen("warning", f"the frequency governor is {governor}", "sudo cpupower frequency-set -g performance")


def _turbo(machine: Machine) -> Seen:
    for path, off in ((f"{_CPU}/intel_pstate/no_turbo", 1), (f"{_CPU}/cpufreq/boost", 0)):
        if machine.files.has(path):
            if machine.files.number(path) == off:
                return Seen("ok", "turbo is off")
            return Seen("note", "turbo is on", f"echo {off} | sudo tee {path}")
    return Seen("unknown", f"neither {_CPU}/intel_pstate/no_turbo nor {_CPU}/cpufreq/boost is there")


def _smt(machine: Machine) -> Seen:
    if machine.files.number(f"{_CPU}/smt/active"):
        return Seen("note", "SMT is on: two threads share a core", f"echo off | sudo tee {_CPU}/smt/control")
    return Seen("ok", f"no two threads share a core (SMT: {machine.files.line(f'{_CPU}/smt/control')})")


def _isolation(machine: Machine) -> Seen:
    isolated = cpu_list(machine.files.line(f"{_CPU}/isolated"))
    tickless = cpu_list(_optional(machine, f"{_CPU}/nohz_full"))
    remedy = "boot with isolcpus=domain,managed_irq,N nohz_full=N, then --cpu N"
    if not isolated:
        return Seen("note", "no CPU is isolated", remedy)
    if machine.cpu is None:
        return Seen("note", f"isolated, but not asked for: CPU {_numbers(isolated)}", f"--cpu {min(isolated)}")
    if machine.cpu not in isolated:
        return Seen("note", f"CPU {machine.cpu} is not isolated, {_numbers(isolated)} is", f"--cpu {min(isolated)}")
    if machine.cpu not in tickless:
        return Seen("note", f"CPU {machine.cpu} is isolated, but has its timer tick", remedy)
    return Seen("ok", f"CPU {machine.cpu} is isolated and without a timer tick")


def _optional(machine: Machine, path: str) -> str:
    try:
        return machine.files.line(path)
    except Unreadable:
        return ""


def _numbers(cpus: set[int]) -> str:
    first = sorted(cpus)[:8]
    return ", ".join(str(cpu) for cpu in first) + (", ..." if len(cpus) > len(first) else "")


def _load(machine: Machine) -> Seen:
    path = "/proc/loadavg"
    match = re.match(r"(\d{1,9}(?:\.\d{1,9})?) ", machine.files.line(path))
    if match is None:
        raise Unreadable(path, "it has no number in it")
    load = float(match[1])
    # Those of the machine; a pinned thread may use one only.
    cpus = len(cpu_list(_optional(machine, f"{_CPU}/online"))) or machine.environment.cpus
    found = f"load average {load:.2f} on {cpus} CPU{'s' if cpus > 1 else ''}"
    # One is drmbench itself.
    if load >= 1 + cpus / 2:
        return Seen("warning", found, "measure when nothing else runs: top shows who does")
    return Seen("note" if load >= 0.5 else "ok", found)


def _busy(machine: Machine) -> Seen:
    if machine.before is None or machine.after is None:
        return Seen("unknown", "nobody looked twice")
    shares = machine.after.busy_since(machine.before)
    if not shares:
        raise Unreadable("/proc/stat", "no CPU's time went on")
    busy = {cpu for cpu, share in shares.items() if share > _BUSY}
    listed = ", ".join(f"{cpu} ({100 * shares[cpu]:.0f} %)" for cpu in sorted(busy)[:6])
    idle = sorted(set(shares) - busy)
    remedy = f"--cpu {idle[-1]}" if idle else "stop what runs: top shows it"
    if machine.cpu in busy or len(busy) > len(shares) / 2:
        return Seen("warning", f"busy while nothing was measured: CPU {listed}", remedy)
    return Seen("note", f"busy: CPU {listed}", remedy) if busy else Seen("ok", "no CPU is busy")


def _clocksource(machine: Machine) -> Seen:
    name = machine.files.line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if name in _SLOW_CLOCKS and not machine.environment.emulated:
        return Seen("warning", f"the kernel's clock is {name}", "dmesg | grep -i -e tsc -e clocksource says why")
    return Seen("note" if name in _SLOW_CLOCKS else "ok", f"the kernel's clock is {name}")


def _invariant(machine: Machine) -> Seen:
    if machine.clock.invariant:
        return Seen("ok", f"the {machine.clock.source} ticks at a constant rate")
    return Seen("warning", f"the {machine.clock.source} may not tick at a constant rate",
                "DRMBENCH_CLOCK=clock_gettime uses the kernel's clock")


CHECKS = (
    Check("emulated-cpu", _TIMES, "counts are exact, times are not", _emulated, in_results=True),
    Check("no-invariant-tsc", _TIMES, "all times may be too long or too short by the same factor", _invariant,
          in_results=True),
    Check("governor", _TIMES, "the CPU runs slowly at first, so early runs take longer", _governor, in_results=True),
    Check("turbo", ("ns_per_page_runs", "fault_ns"), "the frequency depends on heat and on the other cores, so runs "
          "and machines differ", _turbo),
    Check("smt", ("fault_ns.p50", "fault_ns.p99"), "work on the sibling thread slows each fault down", _smt),
    Check("cpu-isolation", ("fault_ns.p99", "fault_ns.p999", "fault_ns.max"), "timer ticks and other tasks fall into "
          "some touches", _isolation),
    Check("load", ("fault_ns.p99", "fault_ns.max", "stages_ns"), "others compete for CPUs, caches, memory and mm "
          "locks", _load, in_results=True),
    Check("busy-cpus", ("fault_ns.p99", "fault_ns.max", "stages_ns"), "what is measured there waits for its turn",
          _busy),
    Check("clocksource", ("clock.overhead_ns", "stages_ns"), "the kernel does not trust the TSC, which drmbench "
          "times with, or has none", _clocksource, in_results=True),
    Check("virtualization", ("fault_ns.p50", "stages_ns"), "a first touch may also fault in the hypervisor's page "
          "tables, which no count shows", _virtual),
)
