# SPDX-License-Identifier: MIT
"""Runs in the guest of test_kmod_devices.py: buffers of every driver by its own ioctls, one JSON object on stdout.

Needs nothing but the standard library, so that it judges the modules and not drmbench.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import re
import resource
import struct
import subprocess
import sys
from pathlib import Path

PAGE = mmap.PAGESIZE
PAGES = 1024
SIZE = PAGES * PAGE


def iowr(number: int, size: int) -> int:
    """_IOWR('d', number, size)."""
    return 3 << 30 | size << 16 | ord("d") << 8 | number


def ask(fd: int, number: int, data: bytes) -> bytes:
    """The struct that ioctl `number` makes of `data`."""
    buffer = bytearray(data)
    fcntl.ioctl(fd, iowr(number, len(data)), buffer)
    return bytes(buffer)


def version(fd: int) -> tuple[str, str]:
    """Driver name and description, by DRM_IOCTL_VERSION."""
    name, date, text = (ctypes.create_string_buffer(100) for _ in range(3))
    fields = struct.pack("<3i4xQQQQQQ", 0, 0, 0, 100, ctypes.addressof(name), 100, ctypes.addressof(date), 100,
                         ctypes.addressof(text))
    ask(fd, 0x00, fields)
    return name.value.decode(), text.value.decode()


def devices() -> dict[str, tuple[int, str]]:
    """Driver name -> open file of its primary node, and its description."""
    found = {}
    for node in sorted(Path("/dev/dri").glob("card*")):
        fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
        name, text = version(fd)
        found[name] = (fd, text)
    return found


def failure(call: object, *arguments: object) -> str:
    """Name of the errno that `call` ends with, "" where it succeeds."""
    try:
        call(*arguments)  # type: ignore[operator]
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def faults() -> int:
    """Minor and major faults of this thread so far."""
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_minflt + usage.ru_majflt


def vm_flags(address: int) -> list[str]:
    """VmFlags of the mapping at `address`."""
    text = Path("/proc/self/smaps").read_text()
    found = re.search(rf"^{address:08x}-.*?^VmFlags: ([^\n]*)", text, re.MULTILINE | re.DOTALL)
    return found[1].split() if found else []


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def map_at(fd: int, offset: int) -> int:
    """Address of SIZE bytes at `offset`; raises OSError."""
    address = LIBC.mmap(None, SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, offset)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return int(address)


def touch(address: int) -> dict[str, object]:
    """What the first write and then a second pass over a fresh mapping at `address` cost; unmaps it."""
    window = (ctypes.c_char * SIZE).from_address(address)
    places = range(0, SIZE, PAGE)
    before = faults()
    for place in places:
        window[place] = b"\x5a"
    first = faults() - before
    for place in places:
        window[place] = b"\xa5"
    second = faults() - before - first
    result = {"faults": first, "again": second, "flags": vm_flags(address)}
    LIBC.munmap(address, SIZE)
    return result


def measured(fd: int, offset: int) -> dict[str, object]:
    """touch() of the buffer at `offset`, twice: the second mapping is filled as the first was."""
    return {"first": touch(map_at(fd, offset)), "second": touch(map_at(fd, offset))}


def dumb(fd: int) -> dict[str, object]:
    """A dumb buffer of 1024 x 1024 pixels of 32 bits."""
    handle = struct.unpack("<4I2IQ", ask(fd, 0xB2, struct.pack("<4I2IQ", 1024, 1024, 32, 0, 0, 0, 0)))[4]
    offset = struct.unpack("<2IQ", ask(fd, 0xB3, struct.pack("<2IQ", handle, 0, 0)))[2]
    return measured(fd, offset)


def close_handle(fd: int, handle: int) -> None:
    """GEM_CLOSE."""
    fcntl.ioctl(fd, 1 << 30 | 8 << 16 | ord("d") << 8 | 0x09, struct.pack("<2I", handle, 0))


def etnaviv(fd: int) -> dict[str, object]:
    """CACHED, WC and UNCACHED buffers, and what the ROM says of the chip."""
    model = struct.unpack("<2IQ", ask(fd, 0x40, struct.pack("<2IQ", 0, 1, 0)))[2]
    found: dict[str, object] = {"model": f"GC{model:x}"}
    for name, flag in (("cached", 0x10000), ("wc", 0x20000), ("uncached", 0x40000)):
        handle = struct.unpack("<Q2I", ask(fd, 0x42, struct.pack("<Q2I", SIZE, flag, 0)))[2]
        offset = struct.unpack("<2IQ", ask(fd, 0x43, struct.pack("<2IQ", handle, 0, 0)))[2]
        found[name] = measured(fd, offset)
    return found


def amdgpu_create(fd: int, domains: int, flags: int, size: int = SIZE) -> int:
    """AMDGPU_GEM_CREATE: a handle."""
    return int(struct.unpack("<I28x", ask(fd, 0x40, struct.pack("<4Q", size, 0, domains, flags)))[0])


def amdgpu_offset(fd: int, handle: int) -> int:
    """AMDGPU_GEM_MMAP: a fake offset."""
    return int(struct.unpack("<Q", ask(fd, 0x41, struct.pack("<2I", handle, 0)))[0])


def amdgpu(fd: int) -> dict[str, object]:
    """Every domain and the flags that change how one maps."""
    found: dict[str, object] = {}
    for name, domains, flags in (("vram", 4, 1), ("gtt", 2, 0), ("gtt-uswc", 2, 4), ("cpu", 1, 0)):
        found[name] = measured(fd, amdgpu_offset(fd, amdgpu_create(fd, domains, flags)))
    found["no-cpu-access"] = failure(amdgpu_offset, fd, amdgpu_create(fd, 4, 2))
    for name, domain in (("gds", 8), ("gws", 16), ("oa", 32)):
        found[name] = failure(amdgpu_offset, fd, amdgpu_create(fd, domain, 0, PAGE))
    found["bad-domain"] = failure(amdgpu_create, fd, 1 << 20, 0)
    found["no-handle"] = failure(amdgpu_offset, fd, 9999)
    handle = amdgpu_create(fd, 4, 1)
    offset = amdgpu_offset(fd, handle)
    close_handle(fd, handle)
    found["closed"] = failure(map_at, fd, offset)
    found["libdrm"] = libdrm_amdgpu(fd)
    return found


def libdrm_amdgpu(fd: int) -> str:
    """"ok" where the unmodified library initialises, allocates and maps; what failed where not."""
    try:
        library = ctypes.CDLL("libdrm_amdgpu.so.1")
    except OSError:
        return "absent"
    major, minor = ctypes.c_uint32(), ctypes.c_uint32()
    device, buffer, address = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    if library.amdgpu_device_initialize(fd, ctypes.byref(major), ctypes.byref(minor), ctypes.byref(device)):
        return "amdgpu_device_initialize"
    wanted = struct.pack("<QQI4xQ", SIZE, 0, 4, 1)
    if library.amdgpu_bo_alloc(device, wanted, ctypes.byref(buffer)):
        return "amdgpu_bo_alloc"
    if library.amdgpu_bo_cpu_map(buffer, ctypes.byref(address)):
        return "amdgpu_bo_cpu_map"
    ctypes.memset(address, 0x5A, SIZE)
    library.amdgpu_bo_cpu_unmap(buffer)
    library.amdgpu_bo_free(buffer)
    library.amdgpu_device_deinitialize(device)
    return "ok"


def xe_create(fd: int, placement: int, caching: int, size: int = SIZE) -> int:
    """XE_GEM_CREATE: a handle."""
    data = struct.pack("<QQ4IH3H2Q", 0, size, placement, 0, 0, 0, caching, 0, 0, 0, 0, 0)
    return int(struct.unpack_from("<I", ask(fd, 0x41, data), 28)[0])


def xe_offset(fd: int, handle: int) -> int:
    """XE_GEM_MMAP_OFFSET: a fake offset."""
    return int(struct.unpack_from("<Q", ask(fd, 0x42, struct.pack("<Q2IQ2Q", 0, handle, 0, 0, 0, 0)), 16)[0])


def xe(fd: int) -> dict[str, object]:
    """The memory regions, and a buffer in each."""
    size = struct.unpack_from("<I", ask(fd, 0x40, struct.pack("<Q2IQ2Q", 0, 1, 0, 0, 0, 0)), 12)[0]
    answer = (ctypes.c_char * size)()
    ask(fd, 0x40, struct.pack("<Q2IQ2Q", 0, 1, size, ctypes.addressof(answer), 0, 0))
    count = struct.unpack_from("<I", answer)[0]
    found: dict[str, object] = {"regions": [list(struct.unpack_from("<2HIQ", answer, 8 + 88 * index))
                                            for index in range(count)]}
    for name, placement, caching in (("system", 1, 1), ("system-wc", 1, 2), ("vram", 2, 2)):
        found[name] = measured(fd, xe_offset(fd, xe_create(fd, placement, caching)))
    found["vram-wb"] = failure(xe_create, fd, 2, 1)
    found["vram-4k"] = failure(xe_create, fd, 2, 2, PAGE)
    found["no-handle"] = failure(xe_offset, fd, 9999)
    return found


def i915_offset(fd: int, handle: int, mode: int) -> int:
    """I915_GEM_MMAP_OFFSET: a fake offset."""
    return int(struct.unpack_from("<Q", ask(fd, 0x64, struct.pack("<2IQ2Q", handle, 0, 0, mode, 0)), 8)[0])


def i915(fd: int) -> dict[str, object]:
    """One buffer in every caching mode, which must all show the same bytes."""
    handle = struct.unpack("<Q2I", ask(fd, 0x5B, struct.pack("<Q2I", SIZE, 0, 0)))[1]
    found: dict[str, object] = {}
    for name, mode in (("wc", 1), ("wb", 2), ("uc", 3)):
        found[name] = measured(fd, i915_offset(fd, handle, mode))
    found["gtt"] = failure(i915_offset, fd, handle, 0)
    found["fixed"] = failure(i915_offset, fd, handle, 4)
    found["no-handle"] = failure(i915_offset, fd, 9999, 1)
    legacy = ask(fd, 0x5E, struct.pack("<2I4Q", handle, 0, 0, SIZE, 0, 0))
    address = struct.unpack_from("<Q", legacy, 24)[0]
    found["content"] = ctypes.string_at(address + 5 * PAGE, 1).hex()
    found["legacy"] = touch(address)
    return found


def unload() -> list[str]:
    """Remove what of the lab's modules is loaded, in order; the complaints of rmmod."""
    complaints = []
    for module in ("drmbench_vivante", "etnaviv", "drmbench_spi", "mi0283qt", "ili9341", "drm_mipi_dbi",
                   "drm_dma_helper", "drmbench_amdgpu", "drmbench_xe", "drmbench_i915", "drmbench_ttm"):
        if Path("/sys/module", module).is_dir():
            done = subprocess.run(["rmmod", module], capture_output=True, text=True, check=False, timeout=60)
            complaints += [done.stderr.strip()] if done.returncode else []
    return complaints


PROBES = {"etnaviv": etnaviv, "mi0283qt": dumb, "ili9341": dumb, "amdgpu": amdgpu, "xe": xe, "i915": i915}


def faulty(parameters: str) -> dict[str, object]:
    """What a double of amdgpu with `parameters` shows of a small VRAM and then takes back."""
    subprocess.run(["modprobe", "drmbench_amdgpu", "vram_mib=16", *parameters.split()], check=True, timeout=60)
    fd, _text = devices()["amdgpu"]
    offset = amdgpu_offset(fd, amdgpu_create(fd, 4, 0))
    address = map_at(fd, offset)
    window = (ctypes.c_char * SIZE).from_address(address)
    found: dict[str, object] = {"fresh": window[3 * PAGE].hex(), "no-handle": failure(amdgpu_offset, fd, 9999)}
    window[0] = b"\x11"
    window[PAGE] = b"\x22"
    found["first-page"] = window[0].hex()
    found["faults"] = touch(address)["faults"]
    os.close(fd)
    subprocess.run(["rmmod", "drmbench_amdgpu"], check=True, timeout=60)
    return found


def main() -> None:
    """Probe what is there, then unload it; the first touch() takes the faults of Python's own code."""
    touch(LIBC.mmap(None, SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0))
    found: dict[str, object] = {"simulated": os.environ.get("DRMBENCH_VM_SIMULATED", "")}
    opened = devices()
    for name, (fd, text) in opened.items():
        found[name] = {"description": text, **(PROBES[name](fd) if name in PROBES else {})}
    for fd, _text in opened.values():
        os.close(fd)
    if "--unload" in sys.argv:
        found["unload"] = unload()
        for parameters in ("fault=none", "fault=wrong_errno", "fault=stale_data", "fault=neighbour_page",
                           "visible_mib=4"):
            found[parameters] = faulty(parameters)
    log = subprocess.run(["dmesg"], capture_output=True, text=True, check=False, timeout=60).stdout
    found["trouble"] = [line for line in log.splitlines()
                        if re.search(r"WARNING:|BUG:|Oops|general protection|x86/PAT:.*freeing", line)]
    json.dump(found, sys.stdout, indent=1)


main()
