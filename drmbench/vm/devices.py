# SPDX-License-Identifier: MIT
"""The lab's devices: what to load and what to tell QEMU so that a real DRM driver finds hardware."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drmbench.vm.names import nearest

DEFAULT_DEVICES = ("vkms", "vgem")
ALL = "all"


@dataclass(frozen=True, slots=True)
class LabDevice:
    """One DRM driver in a virtual machine, as a row of DEVICES.

    name        what --device takes
    driver      DRM driver name, as DRM_IOCTL_VERSION reports it
    modules     for modprobe, in order; the alternatives of one step are separated by "|"
    sysfs       names under which /sys/class/drm/cardN/device or its driver link shows the device
    qemu        extra QEMU options
    cmdline     extra kernel command line
    built       True where Debian leaves the driver out and `vm fetch` builds it
    rom         name in roms.ROMS of the register file that "{rom}" in `qemu` stands for
    simulation  what of the hardware or the driver is made up, "" where nothing is
    """

    name: str
    driver: str
    modules: tuple[str, ...]
    sysfs: tuple[str, ...]
    about: str
    qemu: tuple[str, ...] = ()
    cmdline: tuple[str, ...] = ()
    built: bool = False
    rom: str = ""
    simulation: str = ""

    @property
    def simulated(self) -> bool:
        """True where a number from this device says nothing about the hardware that its driver is for."""
        return bool(self.simulation)


# Without a framebuffer console no driver sets a mode behind our back; radeon on QEMU's RV100 oopses in its first.
_NO_FBDEV = ("drm_kms_helper.fbdev_emulation=0",)
_NO_PANEL = "SPI bus swallows every transfer"

DEVICES = (
    LabDevice("vkms", "vkms", ("vkms",), ("vkms",), "virtual display, GEM shmem", built=True),
    LabDevice("vgem", "vgem", ("vgem",), ("vgem",), "virtual GEM, GEM shmem"),
    LabDevice("bochs", "bochs-drm", ("bochs|bochs-drm",), ("bochs-drm", "bochs"), "QEMU's standard display, VRAM",
              ("-device", "bochs-display")),
    LabDevice("cirrus", "cirrus", ("cirrus|cirrus-qemu",), ("cirrus", "cirrus-qemu"), "QEMU's Cirrus, GEM shmem",
              ("-device", "cirrus-vga")),
    LabDevice("qxl", "qxl", ("qxl",), ("qxl",), "QEMU's SPICE display, TTM", ("-device", "qxl")),
    LabDevice("virtio-gpu", "virtio_gpu", ("virtio_gpu",), ("virtio_gpu", "virtio-pci"), "paravirtual GPU, GEM shmem",
              ("-device", "virtio-gpu-pci")),
    LabDevice("radeon", "radeon", ("radeon",), ("radeon",), "the real driver on QEMU's RV100, TTM",
              ("-device", "ati-vga,model=rv100,vgamem_mb=64")),
    LabDevice("etnaviv", "etnaviv", ("etnaviv", "drmbench_vivante"), ("etnaviv",), "the real driver on a Vivante ROM",
              ("-device", "pci-testdev,romfile={rom}"), built=True, rom="gc2000", simulation="registers are a ROM"),
    LabDevice("mi0283qt", "mi0283qt", ("mi0283qt", "drmbench_spi"), ("mi0283qt",), "SPI panel, GEM DMA helper",
              cmdline=("drmbench_spi.mi0283qt=1",), built=True, simulation=_NO_PANEL),
    LabDevice("ili9341", "ili9341", ("ili9341", "drmbench_spi"), ("ili9341",), "SPI panel, GEM DMA helper",
              cmdline=("drmbench_spi.ili9341=1",), built=True, simulation=_NO_PANEL),
    LabDevice("amdgpu", "amdgpu", ("drmbench_amdgpu",), ("amdgpu",), "test double: amdgpu's uAPI on TTM",
              built=True, simulation="driver front is a test double on TTM"),
    LabDevice("xe", "xe", ("drmbench_xe",), ("xe",), "test double: xe's uAPI on TTM",
              built=True, simulation="driver front is a test double on TTM"),
    LabDevice("i915", "i915", ("drmbench_i915",), ("i915",), "test double: i915's uAPI on shmem",
              built=True, simulation="driver is a test double on shmem"),
)


def find_devices(names: tuple[str, ...]) -> tuple[LabDevice, ...]:
    """The rows called `names`, each once, in the order given; none means DEFAULT_DEVICES, "all" every row.

    Raises UsageError with the nearest names for one that the lab does not have.
    """
    rows = {row.name: row for row in DEVICES}
    chosen = names or DEFAULT_DEVICES
    if ALL in chosen:
        chosen = tuple(rows)
    for name in chosen:
        if name not in rows:
            raise nearest("device", name, [*rows, ALL], "drmbench vm list shows them")
    return tuple(rows[name] for name in dict.fromkeys(chosen))


def qemu_options(devices: tuple[LabDevice, ...], folder: Path = Path()) -> list[str]:
    """Options that put the hardware of `devices` into the machine; ROMs are the files of rom_path() in `folder`."""
    return [option.replace("{rom}", str(rom_path(device.rom, folder))) for device in devices for option in device.qemu]


def rom_path(name: str, folder: Path) -> Path:
    """The file in `folder` that QEMU takes the ROM called `name` from."""
    return folder / f"{name}.rom"


def kernel_options(devices: tuple[LabDevice, ...]) -> list[str]:
    """Kernel command line that `devices` need."""
    return [*_NO_FBDEV, *(option for device in devices for option in device.cmdline)]


def simulations(devices: tuple[LabDevice, ...]) -> str:
    """What the guest learns in $DRMBENCH_VM_SIMULATED: "DRIVER=what is made up" of each device, with commas between."""
    return ",".join(f"{device.driver}={device.simulation}" for device in devices if device.simulated)
