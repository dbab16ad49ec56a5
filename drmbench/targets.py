# SPDX-License-Identifier: MIT
"""From what the user typed (--device, --buffer) to the things that are measured."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drmbench import igt_filter
from drmbench.device import driver_version, list_devices, open_node, unlisted_device
from drmbench.drivers import DRM_BACKENDS
from drmbench.drivers.baselines import AnonBackend, FileBackend, MemfdBackend
from drmbench.drivers.dma_buf import DMA_HEAPS, UDMABUF, DmaHeapBackend, UdmabufBackend
from drmbench.drivers.prime import PrimeBackend, kinds_with_prime
from drmbench.errors import DrmbenchError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drmbench.device import DrmDevice
    from drmbench.drivers.protocol import Backend, DrmBackend

FLOOR = ("anon", "memfd")
"""The baselines that run along."""

LAB = "drmbench vm run -- drmbench ..."

# Drivers a reader may well ask for on a machine that lacks them; every other unknown word is a typing error.
KNOWN_DRIVERS = (
    "amdgpu", "ast", "bochs-drm", "cirrus", "etnaviv", "exynos", "hibmc", "i915", "ili9341", "imx-drm",
    "kirin", "lima", "mediatek", "meson", "mgag200", "mi0283qt", "msm", "nouveau", "panfrost", "panthor",
    "pl111", "qxl", "radeon", "rockchip", "simpledrm", "sun4i-drm", "tegra", "udl", "v3d", "vboxvideo",
    "vc4", "vgem", "virtio_gpu", "vkms", "vmwgfx", "xe",
)


Role = Literal["named", "found", "floor"]


@dataclass(frozen=True, slots=True)
class Target:
    """One back-end on one device, or a baseline.

    `open` gives the back-end inside a with block and closes everything after it; `kinds` are its buffer
    kinds, the default first. `role`: named by the user, found by looking, or a baseline that runs along.
    `on_fd` makes the back-end on a descriptor of `node` that the caller opened, None where there is no node.
    """

    kind: Literal["drm", "baseline"]
    node: str | None
    driver: str
    description: str
    kinds: tuple[str, ...]
    role: Role
    open: Callable[[], contextlib.AbstractContextManager[Backend]]
    on_fd: Callable[[int], Backend] | None = None

    @property
    def label(self) -> str:
        """What stands before a colon: "vkms card0", "memfd", "file:/some/path"."""
        if self.driver == "file":
            return f"file:{self.node}"
        return self.driver if self.node is None else f"{self.driver} {os.path.basename(self.node)}"

    def buffer_label(self, kind: str) -> str:
        """The same with the buffer kind, where there is a choice: "radeon renderD128 gem:vram"."""
        return f"{self.label} {kind}" if self.kind == "drm" else self.label


def node_for(device: DrmDevice, backend: type[DrmBackend]) -> str | None:
    """The node of the device that the back-end works on, None where there is no such node."""
    if backend.node == "primary":
        return device.primary
    return device.render if backend.node == "render" else device.render or device.primary


def _backends_of(device: DrmDevice) -> list[tuple[str, type[DrmBackend]]]:
    """(node, back-end) for each uAPI that the device offers on a node we can open.

    Raises DrmbenchError where a node that a back-end needs cannot be opened.
    """
    found: list[tuple[str, type[DrmBackend]]] = []
    for backend in DRM_BACKENDS:
        node = node_for(device, backend)
        if node is not None and device.driver is not None:
            with open_node(node) as fd:
                if backend.offered(fd, device.driver.name):
                    found.append((node, backend))
    return found


def _drm_targets(device: DrmDevice, *, role: Role) -> list[Target]:
    if device.driver is None:
        if device.problem is not None:
            raise device.problem
        raise DrmbenchError(device.sysfs, "open", errno=errno.ENODEV)
    driver = device.driver
    found = [
        Target("drm", node, driver.name, driver.description, kinds_with_prime(backend), role,
               _opener(node, _with_prime(backend)), _with_prime(backend))
        for node, backend in _backends_of(device)
    ]
    if not found:
        raise UnsupportedError(
            f"{driver.name} {device.nodes[0]}", "back-ends", errno=errno.EOPNOTSUPP,
            reason="the driver has no dumb buffers and no uAPI that drmbench knows",
        )
    return found


def _with_prime(backend: type[DrmBackend]) -> Callable[[int], Backend]:
    return lambda fd: PrimeBackend(backend(fd), fd)


def _opener(
    node: str, backend: Callable[[int], Backend],
) -> Callable[[], contextlib.AbstractContextManager[Backend]]:
    @contextlib.contextmanager
    def opened() -> Iterator[Backend]:
        with open_node(node) as fd:
            yield backend(fd)

    return opened


def _baseline(spec: str, *, role: Role, writing: bool) -> Target | None:
    if spec == "anon":
        return Target("baseline", None, "anon", "MAP_SHARED|MAP_ANONYMOUS", AnonBackend.kinds, role,
                      lambda: contextlib.nullcontext(AnonBackend()))
    if spec == "memfd":
        return Target("baseline", None, "memfd", "memfd_create, MAP_SHARED", MemfdBackend.kinds, role,
                      lambda: contextlib.nullcontext(MemfdBackend()))
    if spec.startswith("file:"):
        path = spec.removeprefix("file:")
        if not path:
            raise UsageError("file:", "--device", reason="no path follows the colon", remedy="file:/some/file")
        return Target("baseline", path, "file", "MAP_SHARED of a file", FileBackend.kinds, role,
                      lambda: contextlib.nullcontext(FileBackend(path, writable=writing)))
    return _dma_buf(spec, role=role)


def _dma_buf(spec: str, *, role: Role) -> Target | None:
    if spec == "udmabuf":
        return Target("baseline", UDMABUF, spec, "dma-buf over a memfd", UdmabufBackend.kinds, role,
                      _opener(UDMABUF, UdmabufBackend), UdmabufBackend)
    if spec.startswith("dma-heap:") and "/" not in spec:
        node = f"{DMA_HEAPS}/{spec.removeprefix('dma-heap:')}"
        return Target("baseline", node, spec, "dma-buf of a DMA heap", DmaHeapBackend.kinds, role,
                      _opener(node, DmaHeapBackend), DmaHeapBackend)
    return None


def _named_node(path: str, devices: list[DrmDevice]) -> list[DrmDevice]:
    node = os.path.realpath(path)
    known = [device for device in devices if node in device.nodes]
    if known:
        return known
    # A node that udev does not list may still be one: ask the file itself.
    with open_node(path) as fd:
        version = driver_version(fd, path)
    return [unlisted_device(node, version)]


def _named_driver(name: str, devices: list[DrmDevice]) -> list[DrmDevice]:
    here = [device for device in devices if device.driver is not None and device.driver.name == name]
    if here:
        return here
    present = sorted({device.driver.name for device in devices if device.driver is not None})
    if name in KNOWN_DRIVERS:
        listed = f"here: {', '.join(present)}" if present else "here is no DRM device at all"
        raise UnsupportedError(name, "--device", errno=errno.ENODEV, reason=f"no device of this driver; {listed}",
                               remedy=f"sudo modprobe {name}, or {LAB}")
    near = difflib.get_close_matches(name, [*present, *FLOOR, *KNOWN_DRIVERS], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "drmbench devices lists what is here"
    raise UsageError(name, "--device", errno=errno.ENODEV, reason="no such node, driver or baseline", remedy=hint)


def matching_devices(spec: str, devices: list[DrmDevice]) -> list[DrmDevice]:
    """The devices that a --device argument names, none for a baseline. Raises DrmbenchError where nothing matches."""
    if _baseline(spec, role="named", writing=False) is not None:
        return []
    if igt_filter.is_filter(spec):
        found = igt_filter.matching(spec, devices)
        if not found:
            raise UnsupportedError(spec, "--device", errno=errno.ENODEV, reason="no device matches this filter",
                                   remedy="drmbench devices lists what is here")
        return found
    return _named_node(spec, devices) if "/" in spec else _named_driver(spec, devices)


def _resolve(spec: str, devices: list[DrmDevice], *, writing: bool) -> list[Target]:
    baseline = _baseline(spec, role="named", writing=writing)
    if baseline is not None:
        return [baseline]
    return [target for device in matching_devices(spec, devices) for target in _drm_targets(device, role="named")]


def requested_specs(options: Sequence[str]) -> list[str]:
    """--device, else DRMBENCH_DEVICE, else IGT_DEVICE (both may hold several, split at ";"), else []."""
    if options:
        return list(options)
    for variable in ("DRMBENCH_DEVICE", "IGT_DEVICE"):
        specs = [part.strip() for part in os.environ.get(variable, "").split(";") if part.strip()]
        if specs:
            return specs
    return []


def find_targets(
    options: Sequence[str], *, writing: bool, floor: bool,
) -> tuple[list[Target], list[DrmbenchError]]:
    """What to measure, and the nodes that nobody named and that cannot be used, each with its reason.

    `options` are the --device arguments, `floor` adds the baselines anon and memfd. Raises UsageError for a
    spec that makes no sense, UnsupportedError (exit 77) where there is no usable DRM device, DrmbenchError
    where a device that was asked for cannot be opened.
    """
    specs = requested_specs(options)
    only_baselines = bool(specs) and all(
        _baseline(spec, role="named", writing=writing) is not None for spec in specs
    )
    devices = [] if only_baselines else list_devices()
    targets: list[Target] = []
    unusable: list[DrmbenchError] = []
    for spec in specs:
        targets += _resolve(spec, devices, writing=writing)
    if not specs:
        for device in devices:
            try:
                targets += _drm_targets(device, role="found")
            except DrmbenchError as error:
                unusable.append(error)
        if not targets:
            raise _nothing_usable(unusable)
    if floor:
        targets += [_floor(name) for name in FLOOR]
    return _without_repeats(targets), unusable


def _floor(name: str) -> Target:
    target = _baseline(name, role="floor", writing=True)
    if target is None:
        raise ValueError(name)
    return target


def _without_repeats(targets: list[Target]) -> list[Target]:
    unique: dict[tuple[str | None, str, tuple[str, ...]], Target] = {}
    for target in targets:
        unique.setdefault((target.node, target.driver, target.kinds), target)
    return list(unique.values())


def _nothing_usable(unusable: list[DrmbenchError]) -> DrmbenchError:
    if unusable:
        return unusable[0]
    return UnsupportedError(
        "/dev/dri", "devices", errno=errno.ENODEV, reason="there is no DRM device here",
        remedy=f"--device memfd measures a baseline, and {LAB} boots real drivers",
    )


def select_kinds(targets: list[Target], buffer: str | None) -> list[tuple[Target, str]]:
    """(target, buffer kind) for --buffer: None is each target's default, "all" every kind, "a,b" these two.

    The baselines that only run along keep their own kind. Raises UsageError for a kind that no back-end
    has, UnsupportedError where no target that matters has it.
    """
    pairs: list[tuple[Target, str]] = []
    wanted = set() if buffer is None else {kind.strip() for kind in buffer.split(",")}
    for target in targets:
        if buffer is None or target.role == "floor":
            pairs.append((target, target.kinds[0]))
        else:
            pairs += [(target, kind) for kind in target.kinds if wanted & {"all", kind}]
    found = {kind for target, kind in pairs if target.role != "floor"}
    for kind in sorted(wanted - {"all"} - found):
        raise _no_such_kind(targets, kind)
    if not found and buffer is not None:
        raise _no_such_kind(targets, buffer)
    return pairs


def _no_such_kind(targets: list[Target], buffer: str) -> DrmbenchError:
    offered = sorted({kind for target in targets if target.role != "floor" for kind in target.kinds})
    native = {kind for backend in DRM_BACKENDS for kind in kinds_with_prime(backend)}
    every = {*offered, "anon", "memfd", "file", "udmabuf", "dma-heap", *native}
    if buffer in every:
        return UnsupportedError(buffer, "--buffer", errno=errno.EOPNOTSUPP,
                                reason="no chosen device has this buffer kind",
                                remedy=f"try {', '.join(offered)}")
    near = difflib.get_close_matches(buffer, [*every, "all"], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(every))} and all"
    return UsageError(buffer, "--buffer", reason="no such buffer kind", remedy=hint)
