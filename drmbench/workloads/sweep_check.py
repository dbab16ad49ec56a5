# SPDX-License-Identifier: MIT
"""Proof that a sweep moves every byte: what it read, stored or copied, compared by other code than its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drmbench.conformance import memory
from drmbench.native import Stage, TouchFaultError
from drmbench.sweep import sweep

if TYPE_CHECKING:
    from drmbench.buffer import Mapping
    from drmbench.model import SweepAccess, SweepName

_END_BYTES = 4 << 20
_WORD = 8
_READ_SEED = 0xBA5E


class ContentError(Exception):
    """A sweep left, or found, other bytes than it must."""


class CheckedMapping:
    """A mapping whose first and last 4 MiB (all of it up to 8 MiB) are compared after each sweep over them.

    Every proof uses a pattern of its own, so that nothing left by an earlier sweep passes for its work.
    """

    def __init__(self, mapping: Mapping, outside: int, *, stores: bool) -> None:
        self.mapping = mapping
        self._outside = outside
        size_bytes = mapping.size_bytes
        whole = size_bytes <= 2 * _END_BYTES
        self._regions = [(0, size_bytes)] if whole else [(0, _END_BYTES), (size_bytes - _END_BYTES, _END_BYTES)]
        self._stores = stores
        self._sums: list[int] | None = None

    @property
    def checked_bytes(self) -> int:
        """How much of the mapping that is."""
        return sum(size_bytes for _start, size_bytes in self._regions)

    def prove(self, operation: SweepName, access: SweepAccess, number: int) -> Stage:
        """Sweep over the regions and compare; `number` (1 or more) is that of the proof. The Stage of the sweeps.

        Raises ContentError, and TouchFaultError for a signal.
        """
        total = Stage()
        try:
            for index in range(len(self._regions)):
                total += self._prove(operation, access, number, index)
        except memory.SignalError as fault:
            raise TouchFaultError(fault.signal_number, fault.address, fault.bytes_done) from None
        return total

    def _prove(self, operation: SweepName, access: SweepAccess, number: int, index: int) -> Stage:
        start, size_bytes = self._regions[index]
        address, outside = self.mapping.address + start, self._outside + start
        value = number if operation == "fill" else number << 32 | start // _WORD
        if operation == "copy-to":
            memory.fill(outside, size_bytes, number, start)
        elif operation == "copy-from" and self._stores:
            memory.fill(address, size_bytes, number, start)
            self._sums = None
        expected = self._sum(index) if operation == "read" else 0
        found, stage = sweep(operation, access, address, size_bytes, outside=outside, value=value)
        if operation in {"write", "fill", "copy-to"}:
            self._sums = None
        wrong = self._first_wrong(operation, start, size_bytes, value if operation != "copy-to" else number)
        if found != expected:
            wrong = 0
        if wrong is not None:
            raise ContentError(f"{operation} by {access} moved other bytes from byte {start + wrong} on")
        return stage

    def _first_wrong(self, operation: str, start: int, size_bytes: int, value: int) -> int | None:
        """Where in the region a sweep with this value, or copy of the pattern of this seed, went wrong first."""
        address, outside = self.mapping.address + start, self._outside + start
        if operation == "write":
            return _first_other(address, size_bytes, value)
        if operation == "fill":
            return memory.other_than(value, address, size_bytes)
        if operation == "copy-to":
            return memory.difference(address, size_bytes, value, start)
        if operation == "copy-from":
            return None if memory.read(outside, size_bytes) == memory.read(address, size_bytes) else 0
        return None

    def _sum(self, index: int) -> int:
        """What the words of a region add up to, modulo 2**64, from a copy of them."""
        if self._sums is None:
            if self._stores:
                for start, size_bytes in self._regions:
                    memory.fill(self.mapping.address + start, size_bytes, _READ_SEED, start)
            self._sums = [
                int(np.frombuffer(memory.read(self.mapping.address + start, size_bytes), np.uint64).sum())
                for start, size_bytes in self._regions
            ]
        return self._sums[index]


def _first_other(address: int, size_bytes: int, value: int) -> int | None:
    """The first byte of the first word that is not value + its number; None where all are."""
    words = np.frombuffer(memory.read(address, size_bytes), np.uint64)
    wrong = np.flatnonzero(words != np.arange(words.size, dtype=np.uint64) + np.uint64(value))
    return int(wrong[0]) * _WORD if wrong.size else None
