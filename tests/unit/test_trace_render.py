# SPDX-License-Identifier: MIT
"""Traces as people see them: trees of 80 columns, Mermaid, pictures, two traces against each other, notes."""

from __future__ import annotations

import errno
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from explained import MEASURED
from explained import report as explained_report
from traced import TTM, VGEM, a_report, nested, recorded, report_of, step_of

from drmbench.errors import UsageError
from drmbench.model import FunctionChange, Report, TraceNode, TraceReport
from drmbench.render import FORMATS, document_of
from drmbench.render.html import render_html
from drmbench.render.pictures import chosen_svg, pictures_of
from drmbench.render.trace_tree import WIDTH, tree_lines
from drmbench.trace.compare import compare_traces
from drmbench.trace.notes import note_of, notes, plain
from drmbench.trace.tree import each_call

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"]\nend</svg><script>alert(1)</script>`;%%{init}'


def show(report: Report, format_name: str) -> str:
    return FORMATS[format_name](report, False)


def with_call(function: str, **changes: Any) -> TraceReport:
    """A report of one mmap that made this one call."""
    return report_of(msgspec.structs.replace(VGEM, steps=[step_of("mmap", [TraceNode(function, **changes)])]))


class TestTree:
    def test_a_recorded_trace(self) -> None:
        text = show(report_of(TTM), "tree")
        assert max(map(len, text.splitlines())) <= 80
        lines = text.splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith("handle_mm_fault"))
        assert lines[start - 1] == "fault at 0x7facea656000, page 0 of the mapping: a store, no entry yet"
        assert lines[start:start + 6] == [f"{name:<71}{time:>8}" for name, time in (
            ("handle_mm_fault", "470 us"), ("`-__handle_mm_fault", "450 us"), ("  `-do_fault", "438 us"),
            ("    `-__do_fault", "415 us"), ("      `-amdgpu_gem_fault [dbl_ttm]", "369 us"),
            ("        |-ttm_bo_vm_reserve [ttm]", "17.3 us"))]
        assert any(line.lstrip(" |`-").startswith("vmf_insert_pfn_prot x16") for line in lines)

    def test_a_fault_that_is_handled_twice_reads_as_one(self) -> None:
        root = VGEM.steps[1].calls[0]
        assert root.fault is not None
        again = msgspec.structs.replace(root, fault=msgspec.structs.replace(root.fault, attempt=2))
        lines = list(tree_lines([root, again]))
        assert [line for line in lines if "fault at" in line] == [
            "fault at 0x7fc48a252000, page 0 of the mapping: a store, no entry yet",
            "the same fault at 0x7fc48a252000, page 0 of the mapping: handled once more"]

    def test_every_function_of_the_trace_is_there_in_order(self) -> None:
        lines = list(tree_lines(VGEM.steps[0].calls))
        assert [line.lstrip(" |`-").split()[0] for line in lines] == [
            call.function for call in each_call(VGEM.steps[0].calls)]

    def test_the_permission_check_says_what_it_refuses_with(self) -> None:
        text = show(report_of(VGEM), "tree")
        assert re.search(r"drm_vma_node_is_allowed \[drm\] -> EACCES +3.95 us", text)
        assert re.search(r"drm_vma_offset_lookup_locked \[drm\] -> EINVAL", text)

    def test_what_was_returned_stands_instead(self) -> None:
        assert re.search(r"drm_gem_mmap \[drm\] = EACCES", show(with_call("drm_gem_mmap", module="drm", returned=-13),
                                                                 "tree"))

    @pytest.mark.parametrize("depth", [1, 17, 40, 90])
    def test_long_names_deep_down(self, depth: int) -> None:
        chain = nested(*["f"] * (depth - 1), f"{'g' * 60}_tail [{'m' * 50}]")
        (line,) = list(tree_lines([chain]))[-1:]
        assert len(line) == WIDTH
        assert line.endswith("1.00 us")
        assert "ggg" in line
        assert "..." in line

    def test_a_step_says_how_it_ended_and_what_tracing_cost(self) -> None:
        text = show(a_report(), "table")
        assert "mmap(NULL, 64 KiB, ...) = EACCES" in text
        assert "9.00 us untraced, 90.0 us traced, 10.0 times as long" in text
        assert "2 faults of other memory meanwhile, left out" in text
        assert "the trace was cut" in text
        assert "16 by the touch loop, 16 by the kernel (perf): the same" in " ".join(text.split())

    def test_counts_that_differ_are_no_footnote(self) -> None:
        report = a_report()
        assert report.results[0].check is not None
        check = msgspec.structs.replace(report.results[0].check, kernel_faults=17, equal=False, differing=[3])
        result = msgspec.structs.replace(report.results[0], check=check)
        text = " ".join(show(msgspec.structs.replace(report, results=[result]), "table").split())
        assert "THEY DIFFER pages of which they differ: 3" in text

    def test_in_markdown_the_tree_is_code(self) -> None:
        text = show(with_call("f```g"), "markdown")
        assert "\n````\nf```g" in text


class TestMermaid:
    def test_a_box_for_each_function_and_an_arrow_from_its_caller(self) -> None:
        lines = show(report_of(TTM), "mermaid").splitlines()
        assert lines[0] == "flowchart LR"
        calls = [call for step in TTM.steps for call in each_call(step.calls)]
        boxes = dict(re.findall(r'^    (n\d+)[\[(]+"(.*)"[\])]+$', "\n".join(lines), re.MULTILINE))
        arrows = re.findall(r'^    (n\d+) -->(?:\|".*"\|)? (n\d+)$', "\n".join(lines), re.MULTILINE)
        assert len(boxes) == len(calls) + len(TTM.steps)
        assert len({end for _start, end in arrows}) == len(arrows) == len(calls)
        named = {(boxes[a].split("<br/>")[0], boxes[b].split("<br/>")[0]) for a, b in arrows}
        assert ("ttm_bo_vm_fault_reserved", "vmf_insert_pfn_prot x16") in named
        assert ("vmf_insert_pfn_prot x16", "insert_pfn x16") in named
        assert lines.count("  end") == 2

    def test_the_same_report_gives_the_same_ids(self) -> None:
        assert show(report_of(TTM, VGEM), "mermaid") == show(report_of(TTM, VGEM), "mermaid")

    def test_names_are_text(self) -> None:
        text = show(with_call(HOSTILE, module=HOSTILE), "mermaid")
        (box,) = [line for line in text.splitlines() if "script" in line]
        assert re.fullmatch(r'    n\d+\["[^"`<>%{}]*(<br/>[^"`<>%{}]*)*"\]', box)

    def test_only_of_traces(self) -> None:
        with pytest.raises(UsageError, match="no report of drmbench trace"):
            show(explained_report(MEASURED["vkms 6.1"][1]), "mermaid")


class TestPictures:
    def test_a_line_and_a_bar_for_each_function(self) -> None:
        sheet = ET.fromstring(chosen_svg(report_of(VGEM), "calls"))  # noqa: S314 (made here a moment ago)
        shown = [e for e in sheet.iter(f"{SVG}text") if "data-function" in e.attrib]
        calls = [call for step in VGEM.steps for call in each_call(step.calls)]
        assert [(e.get("data-function"), e.get("data-module")) for e in shown] == [
            (call.function, call.module) for call in calls]
        bars = [e for e in sheet.iter(f"{SVG}rect") if "data-ns" in e.attrib]
        assert [int(e.get("data-ns", "")) for e in bars] == [call.duration_ns for call in calls]
        whole = max(float(e.get("width", "")) for e in bars)
        longest = max(int(e.get("data-ns", "")) for e in bars)
        for bar in bars[:len(list(each_call(VGEM.steps[0].calls)))]:
            share = int(bar.get("data-ns", "")) / longest
            assert float(bar.get("width", "")) == pytest.approx(max(0.5, whole * share), abs=0.02)

    def test_svg_is_the_picture(self) -> None:
        assert show(report_of(VGEM), "svg") == chosen_svg(report_of(VGEM), None)

    def test_a_step_without_calls_has_none(self) -> None:
        empty = msgspec.structs.replace(VGEM, steps=[step_of("touch", [])])
        assert pictures_of(report_of(empty)) == [("vgem card0 dumb", [])]

    def test_endless_trees_end(self) -> None:
        wide = msgspec.structs.replace(VGEM, steps=[step_of("mmap", [TraceNode("f")] * 3000)])
        sheet = chosen_svg(report_of(wide), "calls")
        assert sheet.count("data-function") == 200
        assert "and 2800 more calls" in sheet

    def test_names_are_text(self) -> None:
        report = with_call(HOSTILE, module=HOSTILE, duration_ns=1)
        tags: list[str] = []
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, _attributes: tags.append(tag)  # type: ignore[method-assign]
        parser.feed(render_html(report, document_of(report)))
        assert {"pre", "svg", "text"} <= set(tags)
        assert "script" not in tags
        assert not list(ET.fromstring(chosen_svg(report, "calls")).iter(f"{SVG}script"))  # noqa: S314 (as above)


class TestAgainst:
    def test_another_driver(self) -> None:
        (comparison,) = compare_traces(report_of(TTM), report_of(VGEM))
        assert comparison.steps == ["mmap", "touch"]
        changes = {change.function: change for change in comparison.changes}
        assert changes["ttm_bo_vm_reserve"] == FunctionChange("touch", "ttm_bo_vm_reserve", "ttm", 0, 1)
        assert changes["drm_gem_get_pages"] == FunctionChange("mmap", "drm_gem_get_pages", "drm", 1, 0)
        assert changes["vmf_insert_pfn_prot"] == FunctionChange("touch", "vmf_insert_pfn_prot", "", 1, 16)
        assert "drm_gem_mmap" not in changes
        text = show(msgspec.structs.replace(report_of(TTM), comparisons=[comparison]), "tree")
        assert max(map(len, text.splitlines())) <= 80
        assert re.search(r"^touch +changed +vmf_insert_pfn_prot +1 +16$", text, re.MULTILINE)
        assert re.search(r"^touch +gained +ttm_bo_vm_reserve \[ttm\] +0 +1$", text, re.MULTILINE)
        assert re.search(r"^mmap +lost +drm_gem_get_pages \[drm\] +1 +0$", text, re.MULTILINE)

    def test_itself(self) -> None:
        (comparison,) = compare_traces(report_of(VGEM), report_of(VGEM))
        assert (comparison.changes, comparison.same) == (
            [], sum(len({call.function for call in each_call(step.calls)}) for step in VGEM.steps))

    def test_the_same_driver_is_compared_where_it_is_there(self) -> None:
        found = compare_traces(report_of(VGEM, TTM), report_of(TTM, VGEM))
        assert [c.other_target.driver for c in found] == [c.target.driver for c in found] == ["vgem", "amdgpu"]

    def test_a_function_that_was_renamed(self) -> None:
        (comparison,) = compare_traces(with_call("drm_gem_dma_mmap", module="drm_dma_helper"),
                                       with_call("drm_gem_cma_mmap", module="drm_kms_helper"))
        assert comparison.changes == [
            FunctionChange("mmap", "drm_gem_dma_mmap", "drm_dma_helper", 1, 1, "drm_gem_cma_mmap")]
        text = show(msgspec.structs.replace(a_report(), comparisons=[comparison]), "tree")
        assert "renamed" in text
        assert "drm_gem_cma_mmap -> drm_gem_dma_mmap" in " ".join(text.split())

    def test_copies_that_a_compiler_made_are_the_function(self) -> None:
        (comparison,) = compare_traces(with_call("do_fault"), with_call("do_fault.isra.0"))
        assert comparison.changes == []

    def test_a_step_that_was_cut_is_not_compared(self) -> None:
        cut = msgspec.structs.replace(VGEM, steps=[msgspec.structs.replace(step, complete=False)
                                                   for step in VGEM.steps])
        (comparison,) = compare_traces(report_of(VGEM), report_of(cut))
        assert (comparison.steps, comparison.changes) == ([], [])
        assert "no step was traced in both" in show(
            msgspec.structs.replace(report_of(VGEM), comparisons=[comparison]), "tree")


class TestNotes:
    def test_each_name_stands_in_one_note(self) -> None:
        names = [name for note in {id(n): n for n in notes().values()}.values() for name in note.names]
        assert len(names) == len(set(names))
        assert len({id(n) for n in notes().values()}) >= 50

    def test_errnos_exist_and_texts_are_short(self) -> None:
        for note in notes().values():
            assert all(hasattr(errno, name) for name, _when in note.errno)
            assert 5 < len(note.text) <= 125, note.names
            assert note.text.isprintable()
            assert re.fullmatch(r"[\w/-]+(\.[ch]|/)", note.file)

    @pytest.mark.parametrize(("name", "source"), [
        ("do_fault.isra.0", "do_fault"), ("f.constprop.0.isra.0", "f"), ("g.part.3", "g"), ("h.cold", "h"),
        ("k.llvm.123456", "k"), ("plain", "plain"), ("__x64_sys_mmap", "__x64_sys_mmap"),
    ])
    def test_names_of_a_compiler(self, name: str, source: str) -> None:
        assert plain(name) == source

    def test_most_of_a_recorded_trace_is_known(self) -> None:
        calls = [call.function for result in (VGEM, TTM) for step in result.steps for call in each_call(step.calls)]
        unknown = {name for name in calls if note_of(name) is None}
        assert unknown == {"dbl_io_mem_reserve"}

    def test_the_words_are_shown_once(self) -> None:
        text = " ".join(show(report_of(VGEM, VGEM), "markdown").split())
        assert text.count("whether this open file holds a handle of the buffer; EACCES: it does not") == 1


def test_recorded_is_what_is_on_the_disk() -> None:
    assert recorded("trace-vgem.txt", 192, VGEM.target) == VGEM
