# SPDX-License-Identifier: MIT
"""Sweeps over mapped memory with Python types (csrc/native/bandwidth*.c), and STREAM's two loops (stream.c)."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

from drmbench._native import ffi, lib
from drmbench.native import Stage, TouchFaultError

if TYPE_CHECKING:
    from drmbench.model import SweepAccess, SweepName

_OPERATIONS: dict[SweepName, int] = {
    "read": lib.DRMBENCH_SWEEP_READ, "write": lib.DRMBENCH_SWEEP_WRITE, "fill": lib.DRMBENCH_SWEEP_FILL,
    "copy-to": lib.DRMBENCH_SWEEP_COPY_TO, "copy-from": lib.DRMBENCH_SWEEP_COPY_FROM,
}
_ACCESSES: dict[SweepAccess, int] = {
    "scalar": lib.DRMBENCH_SWEEP_SCALAR, "vector16": lib.DRMBENCH_SWEEP_VECTOR16,
    "vector32": lib.DRMBENCH_SWEEP_VECTOR32, "nontemporal": lib.DRMBENCH_SWEEP_NONTEMPORAL,
    "libc": lib.DRMBENCH_SWEEP_LIBC,
}
_LOADS = {"read", "copy-from"}


def ways(operations: tuple[str, ...], *, stores: bool) -> list[tuple[SweepName, SweepAccess]]:
    """(operation, access) of all that this CPU can do of `operations`; without `stores`, what changes no byte."""
    return [
        (operation, access)
        for operation in _OPERATIONS if operation in operations and (stores or operation in _LOADS)
        for access in _ACCESSES
        if lib.drmbench_sweep_possible(_OPERATIONS[operation], _ACCESSES[access])
    ]


def instructions(operation: str, access: str) -> str:
    """The instructions or functions that access the mapping: "movntdqa", "memcpy"."""
    if access == "libc":
        return "memset" if operation == "fill" else "memcpy"
    loads = operation in _LOADS
    names = {
        "x86_64": {"scalar": "mov", "vector16": "movdqa", "vector32": "vmovdqa",
                   "nontemporal": "movntdqa" if loads else "movntdq"},
        "aarch64": {"scalar": "ldr" if loads else "str", "vector16": "ldp" if loads else "stp",
                    "nontemporal": "ldnp" if loads else "stnp"},
    }
    return names.get(platform.machine(), {}).get(access, "load" if loads else "store")


def _stage(out: Any) -> Stage:  # noqa: ANN401 (cffi's struct has no Python type)
    return Stage(out.ns, out.minor_faults, out.major_faults)


def _check(status: int) -> None:
    if status < 0:
        raise OSError(-status, os.strerror(-status))


def sweep(
    operation: SweepName, access: SweepAccess, address: int, size_bytes: int, *,
    outside: int = 0, value: int = 0, times: int = 1,
) -> tuple[int, Stage]:
    """Sweep `times` times over `size_bytes` (a multiple of 256) at `address`; `outside` is the copy's other end.

    write stores value + i to word i, fill the byte `value`. Returns what a read's words add up to modulo 2**64,
    and the Stage of all sweeps. Raises TouchFaultError, and OSError where the CPU cannot do that.
    """
    request = ffi.new("struct drmbench_sweep *", {
        "address": address, "size_bytes": size_bytes, "outside": outside, "value": value, "times": times,
        "operation": _OPERATIONS[operation], "access": _ACCESSES[access],
    })
    total = ffi.new("uint64_t *")
    out, stop = ffi.new("struct drmbench_stage *"), ffi.new("struct drmbench_stop *")
    status = lib.drmbench_sweep_time(request, total, out, stop)
    if stop.signal_number:
        raise TouchFaultError(stop.signal_number, stop.address, stop.touches_done)
    _check(status)
    return int(total[0]), _stage(out)


def stream(a: int, b: int, c: int, size_bytes: int) -> tuple[Stage, Stage, int]:
    """STREAM's copy and triad over arrays of `size_bytes` each: their Stages, and how many elements came out wrong.

    The arrays are set before, so that no page faults while it is timed. Raises OSError(EINVAL) for an address or
    size that is no multiple of 64.
    """
    arrays = ffi.new("struct drmbench_stream *", {"a": a, "b": b, "c": c, "size_bytes": size_bytes})
    copy, triad = ffi.new("struct drmbench_stage *"), ffi.new("struct drmbench_stage *")
    _check(lib.drmbench_stream_time(arrays, copy, triad))
    return _stage(copy), _stage(triad), int(lib.drmbench_stream_wrong(arrays))
