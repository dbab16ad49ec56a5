# SPDX-License-Identifier: MIT
"""`drmbench bandwidth` on memory that every machine has: that every byte is moved, and what is told of it."""

from __future__ import annotations

import csv
import io
import mmap
import os
import platform
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from drmbench import native, sweep
from drmbench.conformance import memory
from drmbench.model import SWEEP_ACCESSES, SWEEPS
from drmbench.sweep import ways

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = mmap.PAGESIZE
PAGES = 16
BYTES = PAGES * PAGE
ALL = ways(SWEEPS, stores=True)
READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


def of(operation: str) -> list[str]:
    """The ways of access of an operation here."""
    return [access for name, access in ALL if name == operation]


@pytest.fixture
def mapped() -> Iterator[int]:
    """Three mappings of BYTES in a row: a guard of known bytes, the mapping under test, a guard again."""
    address, _stage = native.timed_mmap(0, 3 * BYTES, READ_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    sweep.sweep("fill", "scalar", address, 3 * BYTES, value=0xEE)
    yield address + BYTES
    for guard in (address, address + 2 * BYTES):
        assert memory.other_than(0xEE, guard, BYTES) is None, "a sweep stored outside of its mapping"
    native.timed_munmap(address, 3 * BYTES)


@pytest.fixture
def outside() -> Iterator[int]:
    address, _stage = native.timed_mmap(0, BYTES, READ_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    yield address
    native.timed_munmap(address, BYTES)


class TestSweeps:
    """Each kernel touches every byte of its mapping and no other one; other code looks at them."""

    def test_this_cpu_has_what_its_architecture_promises(self) -> None:
        assert {"scalar", "vector16", "nontemporal"} <= set(of("read")) or platform.machine() not in {
            "x86_64", "aarch64",
        }
        assert set(of("fill")) - set(of("write")) == {"libc"}

    @pytest.mark.parametrize("access", of("read"))
    def test_read_adds_up_every_word(self, mapped: int, access: str) -> None:
        words = np.random.default_rng(7).integers(0, 2**64, BYTES // 8, dtype=np.uint64)
        memory.write(mapped, words.tobytes())
        found, stage = sweep.sweep("read", access, mapped, BYTES)
        assert found == int(words.sum())
        assert stage.faults == 0
        for place in (0, 1, BYTES // 16 + 1, BYTES // 8 - 1):  # a word left out shows
            memory.write(mapped + 8 * place, int(words[place] ^ np.uint64(1)).to_bytes(8, "little"))
            changed, _stage = sweep.sweep("read", access, mapped, BYTES)
            assert changed != found
            memory.write(mapped + 8 * place, words[place].tobytes())

    @pytest.mark.parametrize("access", of("write"))
    def test_write_stores_every_word(self, mapped: int, access: str) -> None:
        sweep.sweep("write", access, mapped, BYTES, value=2**63 + 5)
        words = np.frombuffer(memory.read(mapped, BYTES), np.uint64)
        assert (words == np.arange(BYTES // 8, dtype=np.uint64) + np.uint64(2**63 + 5)).all()

    @pytest.mark.parametrize("access", of("fill"))
    def test_fill_stores_every_byte(self, mapped: int, access: str) -> None:
        sweep.sweep("fill", access, mapped, BYTES, value=0xA7)
        assert memory.read(mapped, BYTES) == b"\xa7" * BYTES

    @pytest.mark.parametrize(("operation", "access"), [way for way in ALL if way[0].startswith("copy")])
    def test_copy_moves_every_byte(self, mapped: int, outside: int, operation: str, access: str) -> None:
        source, target = (outside, mapped) if operation == "copy-to" else (mapped, outside)
        memory.fill(source, BYTES, 3)
        sweep.sweep(operation, access, mapped, BYTES, outside=outside)
        assert memory.difference(target, BYTES, 3) is None
        assert memory.difference(source, BYTES, 3) is None

    @pytest.mark.parametrize(("operation", "access"), ALL)
    def test_the_size_is_obeyed(self, mapped: int, outside: int, operation: str, access: str) -> None:
        memory.fill(mapped, BYTES, 1)
        memory.fill(outside, BYTES, 2)
        sweep.sweep(operation, access, mapped, PAGE, outside=outside, value=9)
        assert memory.difference(mapped + PAGE, BYTES - PAGE, 1, PAGE) is None
        assert memory.difference(outside + PAGE, BYTES - PAGE, 2, PAGE) is None

    @pytest.mark.parametrize(("operation", "access"), ALL)
    def test_twice_takes_longer_than_once(self, mapped: int, outside: int, operation: str, access: str) -> None:
        once, often = (
            min(sweep.sweep(operation, access, mapped, BYTES, outside=outside, times=times)[1].ns for _ in range(9))
            for times in (1, 64)
        )
        assert often > 8 * once

    @pytest.mark.parametrize(("operation", "access"), ALL)
    def test_a_signal_is_an_error_with_its_address(self, outside: int, operation: str, access: str) -> None:
        address, _stage = native.timed_mmap(0, BYTES, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        try:
            with pytest.raises(native.TouchFaultError) as ended:
                sweep.sweep(operation, access, address, BYTES, outside=outside)
        finally:
            native.timed_munmap(address, BYTES)
        assert address <= ended.value.address < address + BYTES

    @pytest.mark.parametrize(("address", "size_bytes", "outside"), [(8, 0, 0), (0, 128, 0), (0, 256, 0), (0, 256, 8)])
    def test_places_and_sizes_that_no_vector_has(
        self, mapped: int, address: int, size_bytes: int, outside: int,
    ) -> None:
        with pytest.raises(OSError, match="Invalid argument"):
            sweep.sweep("copy-to", "scalar", mapped + address, BYTES + size_bytes, outside=outside)

    def test_what_the_cpu_has_not(self, mapped: int) -> None:
        with pytest.raises(OSError, match="not supported"):
            sweep.sweep("read", "libc", mapped, BYTES)


class TestStream:
    def test_its_arrays_come_out_right_and_wrong_ones_are_counted(self) -> None:
        address, _stage = native.timed_mmap(0, 3 * BYTES, READ_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        copy, triad, wrong = sweep.stream(address, address + BYTES, address + 2 * BYTES, BYTES)
        words = np.frombuffer(memory.read(address, 3 * BYTES), np.float64).reshape(3, -1)
        _copy, _triad, overlapping = sweep.stream(address, address + PAGE, address + 2 * BYTES, BYTES)
        native.timed_munmap(address, 3 * BYTES)
        assert wrong == 0
        assert [set(array.tolist()) for array in words] == [{5.0}, {2.0}, {1.0}]
        assert copy.ns > 0
        assert triad.ns > 0
        assert overlapping > 0


@pytest.fixture(scope="module")
def arguments() -> tuple[str, ...]:
    return ("bandwidth", "--device", "memfd", "--size", str(BYTES), "--runs", "3")


class TestReport:
    @pytest.fixture
    def found(self, drmbench: Any, arguments: tuple[str, ...]) -> dict[str, Any]:
        ran = drmbench(*arguments, "--json", "-")
        assert ran.status == 0, ran.err
        document = ran.json
        assert isinstance(document, dict)
        return document

    def test_every_operation_by_every_access_of_this_cpu(self, found: dict[str, Any]) -> None:
        for result in found["results"]:
            assert [(p["operation"], p["access"]) for p in result["passes"]] == ALL
            assert {p["access"] for p in result["passes"]} <= set(SWEEP_ACCESSES)

    def test_the_state_is_steady_and_the_content_was_compared(self, found: dict[str, Any]) -> None:
        for result in found["results"]:
            assert {p["faults"] for p in result["passes"]} == {0}
            assert result["checked_bytes"] == result["size_bytes"] == BYTES
            assert result["problems"] == {}

    def test_the_median_lies_between_the_runs(self, found: dict[str, Any]) -> None:
        for each in (p for result in found["results"] for p in result["passes"]):
            assert len(each["bytes_per_s_runs"]) == 3
            assert sorted(each["bytes_per_s_runs"])[1] == each["bytes_per_s"]
            assert each["bytes_per_s_min"] == min(each["bytes_per_s_runs"]) > 0
            assert each["bytes_per_s_max"] == max(each["bytes_per_s_runs"])

    def test_a_small_buffer_is_swept_more_than_once(self, found: dict[str, Any]) -> None:
        assert {p["times"] * p["bytes"] for result in found["results"] for p in result["passes"]} == {4 << 20}

    def test_anon_and_the_limits_of_the_machine_run_along(self, found: dict[str, Any]) -> None:
        memfd, anon = found["results"]
        assert (memfd["target"]["driver"], anon["target"]["driver"]) == ("memfd", "anon")
        assert memfd["stream"] is None
        assert anon["stream"]["wrong_elements"] == 0
        assert anon["stream"]["array_bytes"] >= BYTES
        assert anon["stream"]["triad_bytes_per_s"] > 0
        assert anon["caching"]["mode"] in ({None} if found["environment"]["emulated"] else {"WB"})
        assert memfd["caching"]["mode"] in {"WB", None}  # None on a machine too busy to tell

    def test_operations_can_be_chosen(self, drmbench: Any, arguments: tuple[str, ...]) -> None:
        ran = drmbench(*arguments, "--operations", "fill,read", "--no-baseline", "--json", "-")
        (result,) = ran.json["results"]
        assert {p["operation"] for p in result["passes"]} == {"read", "fill"}
        assert ran.json["parameters"]["operations"] == ["read", "fill"]
        assert "anon was not measured" in result["caching"]["text"] or ran.json["environment"]["emulated"]

    def test_an_operation_that_is_none(self, drmbench: Any, arguments: tuple[str, ...]) -> None:
        ran = drmbench(*arguments, "--operations", "read,dance")
        assert (ran.status, "dance is no operation" in ran.err) == (2, True)

    def test_a_page_that_comes_and_goes_is_a_caveat(
        self, drmbench: Any, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("drmbench.workloads.bandwidth.BandwidthSeries._touch_all", lambda *_arguments: None)
        ran = drmbench(*arguments, "--operations", "write", "--no-baseline", "--json", "-")
        assert sum(p["faults"] for p in ran.json["results"][0]["passes"]) == 3 * PAGES
        assert "not-steady" in {c["id"] for c in ran.json["caveats"]}

    def test_a_kernel_that_forgets_a_byte_is_found_out(
        self, drmbench: Any, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def lossy(operation: str, access: str, address: int, size_bytes: int, **others: int) -> Any:
            done = sweep.sweep(operation, access, address, size_bytes, **others)
            if (operation, access) == ("fill", "scalar"):
                memory.write(address + PAGE + 3, b"\0")
            return done

        monkeypatch.setattr("drmbench.workloads.sweep_check.sweep", lossy)
        ran = drmbench(*arguments, "--json", "-")
        result = ran.json["results"][0]
        assert result["problems"] == {"fill scalar": f"fill by scalar moved other bytes from byte {PAGE + 3} on"}
        assert ("fill", "scalar") not in {(p["operation"], p["access"]) for p in result["passes"]}
        assert "pass-left-out" in {c["id"] for c in ran.json["caveats"]}


class TestUserFile:
    def test_it_is_read_and_copied_from_and_stays_as_it_is(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "data.bin"
        content = os.urandom(BYTES)
        path.write_bytes(content)
        ran = drmbench("bandwidth", "--device", f"file:{path}", "--runs", "2", "--size", str(BYTES), "--json", "-")
        result = ran.json["results"][0]
        assert {p["operation"] for p in result["passes"]} == {"read", "copy-from"}
        assert "stores-left-out" in {c["id"] for c in ran.json["caveats"]}
        assert path.read_bytes() == content

    def test_to_be_filled_only_it_is_left_out(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "data.bin"
        path.write_bytes(bytes(BYTES))
        ran = drmbench("bandwidth", "--device", f"file:{path}", "--size", str(BYTES), "--operations", "fill")
        assert ran.status == 1
        assert "no such operation without stores" in ran.err


class TestShown:
    def test_the_table_says_it_in_80_columns(self, drmbench: Any, arguments: tuple[str, ...]) -> None:
        ran = drmbench(*arguments)
        assert ran.status == 0
        assert max(map(len, ran.out.splitlines())) <= 80
        assert "GiB/s" in ran.out
        assert "Caching: " in ran.out
        assert "as STREAM measures it" in ran.out
        assert "…" not in ran.out

    def test_csv_has_a_row_for_each_pass(self, drmbench: Any, arguments: tuple[str, ...]) -> None:
        ran = drmbench(*arguments, "--format", "csv", "--no-baseline")
        rows = list(csv.DictReader(io.StringIO(ran.out)))
        assert [(row["operation"], row["access"]) for row in rows] == ALL
        assert all(float(row["bytes_per_s"]) > 0 for row in rows)

    def test_the_picture_has_a_bar_for_each_pass(
        self, drmbench: Any, arguments: tuple[str, ...], tmp_path: Path,
    ) -> None:
        path = tmp_path / "bandwidth.svg"
        assert drmbench(*arguments, "--svg", f"bandwidth:{path}").status == 0
        bars = [shape for shape in ET.parse(path).iter() if shape.get("data-bytes-per-s")]  # noqa: S314 (made here)
        assert [(bar.get("data-operation"), bar.get("data-access")) for bar in bars] == [*ALL, *ALL]
