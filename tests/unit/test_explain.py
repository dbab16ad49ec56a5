# SPDX-License-Identifier: MIT
"""`drmbench explain`: the conclusion follows from the evidence, and the screen shows both."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from explained import MEASURED, SHMEM, TTM, evidence, report

from drmbench.model import AfterClose, ExplainResult
from drmbench.oracle import conclude, explain_objections
from drmbench.render import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

SIZE = str(64 * mmap.PAGESIZE)


def names(result: ExplainResult) -> list[str]:
    """The mechanisms that fit."""
    return [mechanism.name for mechanism in result.conclusion.mechanisms]


def closest(result: ExplainResult) -> list[str]:
    """The mechanisms with the least against them, where none fits."""
    return [mechanism.name for mechanism in result.conclusion.closest]


class TestKnownDrivers:
    """Evidence as it was measured on real kernels."""

    @pytest.mark.parametrize("where", MEASURED)
    def test_one_mechanism_is_named_with_its_source(self, where: str) -> None:
        name, result = MEASURED[where]
        assert names(result) == [name]
        assert result.conclusion.mechanisms[0].source in result.conclusion.text
        assert result.conclusion.text.startswith(f"Mapped as by {name} (")
        assert not list(explain_objections("x", result))

    @pytest.mark.parametrize("where", MEASURED)
    def test_the_evidence_is_told_and_rules_the_others_out(self, where: str) -> None:
        _name, result = MEASURED[where]
        others = {family for clue in result.conclusion.clues for family in clue.rules_out}
        assert {"GEM shmem", "TTM", "GEM DMA helper", "own fault handler", "whole object", "dma-buf pages",
                "dma-buf heap", "kernel shmem"} - others == {result.conclusion.mechanisms[0].name.split(",")[0]}
        for clue in result.conclusion.clues:
            assert not clue.rules_out or clue.name == "node" or clue.found in result.conclusion.text

    def test_neither_the_driver_name_nor_an_older_conclusion_counts(self) -> None:
        name, result = MEASURED["etnaviv 6.12"]
        renamed = msgspec.structs.replace(result, target=msgspec.structs.replace(result.target, driver="vkms"))
        assert [m.name for m in conclude(renamed, "x86_64").mechanisms] == [name]
        told = msgspec.structs.replace(result, conclusion=MEASURED["vkms 6.1"][1].conclusion)
        assert [m.name for m in conclude(told, "x86_64").mechanisms] == [name]


class TestChangedEvidence:
    """The same driver with one thing changed gets another conclusion."""

    @pytest.mark.parametrize(("window", "faults"), [(8, 128), (32, 32), (1, 1024)])
    def test_another_prefault_than_ttm_has(self, window: int, faults: int) -> None:
        result = evidence("pf io de dd sd", faults, faults, 0, window, 1024, **TTM)
        assert names(result) == []
        assert closest(result) == ["TTM"]
        assert f"a fault maps {window} page" in result.conclusion.text
        (caveat,) = explain_objections("x", result)
        assert caveat.id == "unknown-mechanism"

    def test_all_pages_forward_is_not_the_whole_object(self) -> None:
        result = evidence("pf io de dd sd", 1, 1, 0, 1024, 1024, **TTM)
        assert (names(result), closest(result)) == ([], ["TTM"])
        assert "whole object" in {family for clue in result.conclusion.clues for family in clue.rules_out}

    def test_map_private_alone_tells_etnaviv_from_shmem(self) -> None:
        common: dict[str, Any] = {"arrives": None, "links": None}
        assert names(evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private="EINVAL", **common)) == ["GEM shmem"]
        assert names(evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private="accepted", **common)) == [
            "own fault handler"]

    def test_where_the_pages_come_in_alone_tells_them_apart_too(self) -> None:
        for arrives, name in (("mmap", "GEM shmem"), ("first touch", "own fault handler")):
            assert names(evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private=None, arrives=arrives)) == [name]

    def test_both_are_named_where_nothing_tells_them_apart(self) -> None:
        result = evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private=None, arrives=None, links=None)
        assert names(result) == ["GEM shmem", "own fault handler"]
        assert "GEM shmem or own fault handler" in result.conclusion.text
        assert "Nothing that was seen tells GEM shmem and own fault handler apart." in result.conclusion.text

    def test_what_contradicts_itself_has_no_mechanism(self) -> None:
        result = evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, private="EINVAL", arrives="first touch", links=[])
        assert names(result) == []
        assert set(closest(result)) <= {"GEM shmem", "own fault handler", "whole object"}
        assert "No mechanism known to drmbench does all of this." in result.conclusion.text

    def test_a_linked_helper_counts_only_where_links_can_be_seen(self) -> None:
        seen = evidence("pf io de dd sd", 64, 64, 0, 16, 1024, private="EINVAL", links=[])
        assert names(seen) == []
        assert names(evidence("pf io de dd sd", 64, 64, 0, 16, 1024, private="EINVAL", links=None)) == ["TTM"]

    def test_a_child_that_faults_anew(self) -> None:
        assert names(evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, **{**SHMEM, "child": 1024})) == []

    def test_dirty_bits_are_no_excuse_on_x86(self) -> None:
        told = {"private": "accepted", "arrives": "before mmap", "links": ["drm_dma_helper"]}
        kirin: dict[str, Any] = dict(told)
        assert names(evidence("pf io de dd sd", 1024, 0, 1024, None, 1024, arch="aarch64", **kirin)) == []
        assert names(evidence("pf io de dd sd", 1024, 0, 1024, None, 1024, arch="x86_64", **kirin)) == []


class TestSentences:
    def test_huge_pages_need_an_aligned_address(self) -> None:
        huge = evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, huge=(2, 1024), **SHMEM)
        assert "4 MiB at an address aligned to 2 MiB take 2 faults, 512 pages each, and 1024" in huge.conclusion.text

    def test_a_prefault_of_512_pages_is_not_huge(self) -> None:
        result = evidence("pf de dd sd", 1024, 1024, 0, 1, 1024, huge=(2, 2), **SHMEM)
        assert "No huge mappings" in result.conclusion.text

    def test_no_difference_is_no_huge_page(self) -> None:
        assert "No huge mappings: 4 MiB take 1024 faults" in evidence(
            "pf de dd sd", 1024, 1024, 0, 1, 1024, huge=(1024, 1024), **SHMEM).conclusion.text

    def test_what_looks_the_same_from_user_space_is_said(self) -> None:
        assert "rockchip" in MEASURED["mi0283qt 6.1"][1].conclusion.text

    @pytest.mark.parametrize("after", [AfterClose(None, None, "SIGBUS"), AfterClose(5, "lost")])
    def test_a_mapping_that_does_not_outlive_its_descriptor(self, after: AfterClose) -> None:
        result = msgspec.structs.replace(MEASURED["vkms 6.1"][1], after_close=after)
        (caveat,) = explain_objections("x", result)
        assert caveat.id == "mapping-lost"


class TestScreen:
    def test_two_stand_side_by_side_within_80_columns(self) -> None:
        shown = FORMATS["table"](report(MEASURED["vkms 6.1"][1], MEASURED["qxl 6.1"][1]), False)
        assert max(len(line) for line in shown.splitlines()) <= 80
        (row,) = [line for line in shown.splitlines() if line.startswith("write  ")]
        assert row.split() == ["write", "1024,", "window", "1", "64,", "window", "16"]
        assert "bare page frames" in shown

    @pytest.mark.parametrize("count", [1, 2, 3, 5])
    def test_any_number_of_them(self, count: int) -> None:
        results = [result for _name, result in MEASURED.values()][:count]
        for name in ("table", "markdown", "csv"):
            assert FORMATS[name](report(*results), False)
        assert max(map(len, FORMATS["table"](report(*results), False).splitlines())) <= 80

    def test_a_hostile_name_stays_on_its_line(self) -> None:
        result = MEASURED["vkms 6.1"][1]
        target = msgspec.structs.replace(result.target, driver="x\x1b[2J\n\x07<script>")
        shown = FORMATS["table"](report(msgspec.structs.replace(result, target=target)), False)
        assert not any(c in shown for c in "\x1b\x07")


class TestCommand:
    """The whole command on memory of the kernel's own, which needs no device and no privilege."""

    @pytest.fixture(scope="class")
    def shown(self) -> dict[str, Any]:
        return {}

    def test_memfd_is_kernel_shmem(self, drmbench: Any) -> None:
        ran = drmbench("explain", "--device", "memfd", "--size", SIZE, "--runs", "1", "--json", "-")
        assert ran.status == 0, ran.err
        (result,) = ran.json["results"]
        assert [m["name"] for m in result["conclusion"]["mechanisms"]] == ["kernel shmem"]
        assert result["vma"]["backing"].startswith("/memfd:drmbench")
        assert result["vma"]["end"] - result["vma"]["start"] == int(SIZE)
        assert result["vma"]["rss_bytes"] == int(SIZE)
        assert result["after_close"]["data"] == "kept"
        assert result["private_mapping"] == "accepted"
        assert result["child"]["write_faults"] == 64
        assert [t["access"] for t in result["touches"]] == ["write", "write", "read", "read-then-write"]

    def test_a_buffer_that_is_its_mapping_has_no_second_one(self, drmbench: Any) -> None:
        ran = drmbench("explain", "--device", "anon", "--size", SIZE, "--runs", "1", "--json", "-")
        (result,) = ran.json["results"]
        assert (result["second_mapping"], result["after_close"], result["offset_bytes"]) == (None, None, None)

    def test_a_file_of_the_users_keeps_every_byte(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "data"
        content = bytes(range(256)) * (64 * mmap.PAGESIZE // 256)
        path.write_bytes(content)
        ran = drmbench("explain", "--device", f"file:{path}", "--size", SIZE, "--runs", "1", "--json", "-")
        assert ran.status == 0, ran.err
        assert path.read_bytes() == content
        (result,) = ran.json["results"]
        assert result["after_close"]["data"] is None
        assert "decided by its file system" in result["conclusion"]["text"]
        assert not [caveat for caveat in ran.json["caveats"] if caveat["id"] == "unknown-mechanism"]

    @pytest.mark.parametrize(("arguments", "status", "says"), [
        (("--device", "nonsense"), 2, "no such node, driver or baseline"),
        (("--device", "memfd", "--buffer", "nonsense"), 2, "no such buffer kind"),
        (("--device", "memfd", "--size", "5"), 2, "multiple"),
        (("--device", "memfd", "--runs", "0"), 2, "--runs"),
        (("--device", "file:/nonexistent"), 1, "ENOENT"),
        (("--device", "/dev/null"), 1, "no DRM node"),
        (("--device", "memfd", "--json", "/nonexistent/x"), 1, "ENOENT"),
    ])
    def test_nonsense_is_one_line(self, drmbench: Any, arguments: tuple[str, ...], status: int, says: str) -> None:
        ran = drmbench("explain", *arguments)
        assert (ran.status, ran.err.count("\n")) == (status, 1)
        assert says in ran.err

    def test_one_page_is_enough(self, drmbench: Any) -> None:
        ran = drmbench("explain", "--device", "memfd", "--size", str(mmap.PAGESIZE), "--runs", "1")
        assert ran.status == 0, ran.err
        assert "kernel shmem" in ran.out
