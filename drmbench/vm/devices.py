# SPDX-License-Identifier: MIT
"""The lab's devices: what to load and what to tell QEMU so that a real DRM driver finds hardware."""

from __future__ import annotations

from dataclasses import dataclass

from drmbench.vm.names import nearest

DEFAULT_DEVICES = ("vkms", "vgem")


@dataclass(frozen=True, slots=True)
class LabDevice:
    """One DRM driver in a virtual machine, as a row of DEVICES.

    name        what --device takes
    driver      DRM driver name, as DRM_IOCTL_VERSION reports it
    modules     for modprobe, in order; the alternatives of one step are separated by "|"
    sysfs       names under which /sys/class/drm/cardN/device or its driver link shows the device
    qemu        extra QEMU options
    cmdline     extra kernel command line
    simulated   True where the driver has no hardware model behind it
    built       True where Debian leaves the driver out and `vm fetch` builds it
    """

    name: str
    driver: str
    modules: tuple[str, ...]
    sysfs: tuple[str, ...]
    about: str
    qemu: tuple[str, ...] = ()
    cmdline: tuple[str, ...] = ()
    simulated: bool = False
    built: bool = False


# Without a framebuffer console no driver sets a mode behind our back; radeon on QEMU's RV100 oopses in its first.
_NO_FBDEV = ("drm_kms_helper.fbdev_emulation=0",)

DEVICES = (
    LabDevice("vkms", "vkms", ("vkms",), ("vkms",), "virtual display, GEM shmem", simulated=True, built=True),
    LabDevice("vgem", "vgem", ("vgem",), ("vgem",), "virtual GEM, GEM shmem", simulated=True),
    LabDevice("bochs", "bochs-drm", ("bochs",), ("bochs-drm", "bochs"), "QEMU's standard display, VRAM",
              ("-device", "bochs-display")),
    LabDevice("cirrus", "cirrus", ("cirrus|cirrus-qemu",), ("cirrus", "cirrus-qemu"), "QEMU's Cirrus, GEM shmem",
              ("-device", "cirrus-vga")),
    LabDevice("qxl", "qxl", ("qxl",), ("qxl",), "QEMU's SPICE display, TTM", ("-device", "qxl")),
    LabDevice("virtio-gpu", "virtio_gpu", ("virtio_gpu",), ("virtio_gpu", "virtio-pci"), "paravirtual GPU, GEM shmem",
              ("-device", "virtio-gpu-pci")),
    LabDevice("radeon", "radeon", ("radeon",), ("radeon",), "the real driver on QEMU's RV100, TTM",
              ("-device", "ati-vga,model=rv100,vgamem_mb=64")),
)


def find_devices(names: tuple[str, ...]) -> tuple[LabDevice, ...]:
    """The rows called `names`, each once, in the order given; none means DEFAULT_DEVICES.

    Raises UsageError with the nearest names for one that the lab does not have.
    """
    rows = {row.name: row for row in DEVICES}
    chosen = names or DEFAULT_DEVICES
    for name in chosen:
        if name not in rows:
            raise nearest("device", name, list(rows), "drmbench vm list shows them")
    return tuple(rows[name] for name in dict.fromkeys(chosen))


def qemu_options(devices: tuple[LabDevice, ...]) -> list[str]:
    """Options that put the hardware of `devices` into the machine."""
    return [option for device in devices for option in device.qemu]


def kernel_options(devices: tuple[LabDevice, ...]) -> list[str]:
    """Kernel command line that `devices` need."""
    return [*_NO_FBDEV, *(option for device in devices for option in device.cmdline)]
