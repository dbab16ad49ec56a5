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
    suites    Debian suites to look in: the main archive's, then the security archive's
    image     regular expression of the image packages; group 1 is the ABI ("6.1.0-56")
    source    regular expression of the source packages; group 1 is the upstream series ("6.1")
    tools     suite whose compiler builds modules where this system's own tools are too old for it
    """

    name: str
    arch: str
    suites: tuple[str, ...]
    security_suites: tuple[str, ...]
    image: str
    source: str
    tools: str


KERNELS = (
    LabKernel(
        name="debian-5.10",
        arch="amd64",
        suites=("bullseye",),
        security_suites=("bullseye-security",),
        image=r"linux-image-(5\.10\.0-[0-9]+)-amd64",
        source=r"linux-source-(5\.10)",
        tools="bullseye",
    ),
    LabKernel(
        name="debian-6.1",
        arch="amd64",
        suites=("bookworm",),
        security_suites=("bookworm-security",),
        image=r"linux-image-(6\.1\.0-[0-9]+)-amd64",
        source=r"linux-source-(6\.1)",
        tools="bookworm",
    ),
    LabKernel(
        # bookworm's build of trixie's kernel, whose tools run on either; the security archive has the newest.
        name="debian-6.12",
        arch="amd64",
        suites=("bookworm", "bookworm-backports"),
        security_suites=("bookworm-security",),
        image=r"linux-image-(6\.12\.[0-9.]+\+deb12[0-9.]*)-amd64",
        source=r"linux-source-(6\.12)",
        tools="bookworm",
    ),
    LabKernel(
        name="debian-newest",
        arch="amd64",
        suites=("trixie-backports",),
        security_suites=(),
        image=r"linux-image-([0-9]+\.[0-9.]+\+deb13[0-9.]*)-amd64",
        source=r"linux-source-([0-9]+\.[0-9]+)",
        tools="trixie",
    ),
)


def kernel_names() -> list[str]:
    """Everything that --kernel takes by name."""
    return [*(row.name for row in KERNELS), HOST_KERNEL]


def find_recipe(name: str) -> LabKernel | None:
    """The row called `name`, or None."""
    return next((row for row in KERNELS if row.name == name), None)
