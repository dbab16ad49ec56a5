# SPDX-License-Identifier: MIT
"""Build-time: hands cffi the C contract and every uAPI layout; cffi writes the C of drmbench._native."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffibuilder = FFI()
ffibuilder.cdef((HERE / "contract.h").read_text())
ffibuilder.cdef((HERE / "libdrm.cdef").read_text())
ffibuilder.cdef((HERE / "syscalls.cdef").read_text())
for layouts in sorted((HERE.parent / "uapi").glob("*.cdef")):
    ffibuilder.cdef(layouts.read_text())
ffibuilder.set_source(
    "drmbench._native",
    """
    #include "drmbench.h"
    #include "layouts.h"
    #include <sys/ioctl.h>
    #include <sys/mman.h>
    #include <sys/prctl.h>
    #include <sys/uio.h>
    #include <unistd.h>
    """,
)
