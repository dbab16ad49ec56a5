# SPDX-License-Identifier: MIT
"""The devices of arm64 guests, and the CPU models that tell what a dirty bit in hardware saves."""

from __future__ import annotations

from drmbench.vm.devices import LabDevice
from drmbench.vm.names import nearest

DEFAULT_CPU = "cortex-a53"
# The first has no hardware management of the dirty bit (FEAT_HAFDBS), so the first store to a page that was
# mapped clean faults once more; the second has.
CPU_MODELS = (DEFAULT_CPU, "cortex-a76")

KIRIN = "kirin"
ARM64_DEVICES = (
    LabDevice(KIRIN, "kirin",
              ("drm_dma_helper", "display-connector", "simple-bridge", "panel-simple", "dw_drm_dsi", "kirin-drm"),
              ("kirin-drm",), "the real driver of the HiKey board, GEM DMA helper", cmdline=("cma=128M",),
              simulation="display engine is hidden RAM"),
    LabDevice("etnaviv", "etnaviv", ("etnaviv", "drmbench_vivante"), ("etnaviv",), "the real driver on a Vivante ROM",
              ("-device", "pci-testdev,romfile={rom}"), rom="gc2000", simulation="registers are a ROM"),
    LabDevice("vgem", "vgem", ("vgem",), ("vgem",), "virtual GEM, GEM shmem"),
    LabDevice("virtio-gpu", "virtio_gpu", ("virtio_gpu",), ("virtio_gpu", "virtio-pci"), "paravirtual GPU, GEM shmem",
              ("-device", "virtio-gpu-pci")),
)
DEFAULT_DEVICES = (KIRIN,)
ALL = "all"


def find_arm64_devices(names: tuple[str, ...]) -> tuple[LabDevice, ...]:
    """The rows called `names`, each once, in the order given; none means DEFAULT_DEVICES, "all" every row.

    Raises UsageError with the nearest names for one that arm64 guests do not have.
    """
    rows = {row.name: row for row in ARM64_DEVICES}
    chosen = tuple(rows) if ALL in names else names or DEFAULT_DEVICES
    for name in chosen:
        if name not in rows:
            raise nearest("arm64 device", name, [*rows, ALL], "drmbench vm list shows them")
    return tuple(rows[name] for name in dict.fromkeys(chosen))


def check_cpu_model(name: str) -> str:
    """`name`, or DEFAULT_CPU for ""; raises UsageError with the nearest names for another model."""
    if name and name not in CPU_MODELS:
        raise nearest("CPU model", name, list(CPU_MODELS), "only cortex-a76 has a hardware dirty bit")
    return name or DEFAULT_CPU
