# SPDX-License-Identifier: MIT
"""What machine this is, as far as it changes what the numbers mean."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version

from drmbench import native
from drmbench.errors import one_line
from drmbench.kernel_files import THIS_MACHINE, KernelFiles, Unreadable
from drmbench.model import Environment

_EMULATOR = "qemu-tcg"
_HYPERVISORS = {
    "": "none",
    "KVMKVMKVM": "kvm",
    "TCGTCGTCGTCG": _EMULATOR,
    "Microsoft Hv": "hyper-v",
    "VMwareVMware": "vmware",
    "XenVMMXenVMM": "xen",
    "bhyve bhyve ": "bhyve",
    "ACRNACRNACRN": "acrn",
}
_THP = "/sys/kernel/mm/transparent_hugepage"


def _read(files: KernelFiles, path: str) -> str:
    try:
        return files.line(path)
    except Unreadable:
        return ""


def _chosen(files: KernelFiles, path: str) -> str:
    try:
        return files.choice(path)
    except Unreadable:
        return "unavailable"


def _cpu_model(files: KernelFiles) -> str:
    try:
        text = files.text("/proc/cpuinfo")
    except Unreadable:
        text = ""
    fields = dict(re.findall(r"^([^\t:\n]+?)\s*:\s*(.*)$", text, re.MULTILINE))
    if "model name" in fields:
        return one_line(fields["model name"])
    if "CPU part" in fields:
        return one_line(f"implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}")
    return platform.processor() or "unknown"


def _virtualization(files: KernelFiles, signature: str) -> str:
    accelerator = os.environ.get("DRMBENCH_VM_ACCEL_USED", "")
    if signature == "" and accelerator == "tcg":
        return _EMULATOR
    if signature == "" and "QEMU" in _read(files, "/sys/class/dmi/id/sys_vendor"):
        return "qemu"
    return _HYPERVISORS.get(signature, one_line(signature))


def memory_available_bytes() -> int | None:
    """MemAvailable of /proc/meminfo, or None where the kernel does not say."""
    match = re.search(r"MemAvailable:\s*(\d+) kB", _read(THIS_MACHINE, "/proc/meminfo"))
    return int(match[1]) * 1024 if match else None


def cpu_is_emulated(files: KernelFiles = THIS_MACHINE) -> bool:
    """Whether instructions are emulated in software, so that times mean little."""
    return _virtualization(files, native.hypervisor_signature()) == _EMULATOR


def describe_environment(cpu: int | None, files: KernelFiles = THIS_MACHINE) -> Environment:
    """Kernel, CPU, clock-relevant settings; `cpu` is the one measured on, for its governor."""
    uname = os.uname()
    governor = _read(files, f"/sys/devices/system/cpu/cpu{cpu or 0}/cpufreq/scaling_governor")
    virtualization = _virtualization(files, native.hypervisor_signature())
    return Environment(
        kernel=uname.release,
        kernel_build=one_line(uname.version),
        arch=uname.machine,
        cpu_model=_cpu_model(files),
        page_size_bytes=os.sysconf("SC_PAGE_SIZE"),
        virtualization=virtualization,
        emulated=virtualization == _EMULATOR,
        thp=_chosen(files, f"{_THP}/enabled"),
        thp_shmem=_chosen(files, f"{_THP}/shmem_enabled"),
        governor=governor or "none",
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        drmbench=version("drmbench"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        lab_kernel=os.environ.get("DRMBENCH_VM_KERNEL"),
    )


def simulation_of(driver: str, description: str) -> str | None:
    """What of a DRM driver is made up here, or None: the lab says so, or the driver calls itself a test double."""
    for pair in os.environ.get("DRMBENCH_VM_SIMULATED", "").split(","):
        name, _, what = pair.partition("=")
        if name == driver:
            return one_line(what)
    return one_line(description) if "test double" in description.lower() else None
