# SPDX-License-Identifier: MIT
"""The lab's kernels: which Debian packages each is made of."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_KERNEL = "debian-6.1"
HOST_KERNEL = "host"


@dataclass(frozen=True, slots=True)
class LabKernel:
    """One fetchable kernel, as a row of KERNELS.

    name      what --kernel takes
    arch      Debian architecture of the packages
    series    upstream series, which names linux-source-SERIES and linux-kbuild-SERIES
    suites    Debian suites to look in: the main archive's, then the security archive's
    image     regular expression of the image packages; group 1 is the ABI ("6.1.0-56")
    modules   DRM drivers that Debian leaves out: source folder in the kernel -> make variables
    """

    name: str
    arch: str
    series: str
    suites: tuple[str, ...]
    security_suites: tuple[str, ...]
    image: str
    modules: tuple[tuple[str, tuple[str, ...]], ...]


KERNELS = (
    LabKernel(
        name="debian-6.1",
        arch="amd64",
        series="6.1",
        suites=("bookworm",),
        security_suites=("bookworm-security",),
        image=r"linux-image-(6\.1\.0-[0-9]+)-amd64",
        modules=(("drivers/gpu/drm/vkms", ("CONFIG_DRM_VKMS=m",)),),
    ),
)


def kernel_names() -> list[str]:
    """Everything that --kernel takes by name."""
    return [*(row.name for row in KERNELS), HOST_KERNEL]


def find_recipe(name: str) -> LabKernel | None:
    """The row called `name`, or None."""
    return next((row for row in KERNELS if row.name == name), None)
