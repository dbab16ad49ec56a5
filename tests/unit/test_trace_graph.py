# SPDX-License-Identifier: MIT
"""function_graph text becomes call trees: recorded samples, every layout of 5.10 to 7.x, and text that is damaged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drmbench.model import MOST_DEPTH, TraceNode
from drmbench.trace.graph import NOT_RECORDED, GraphTrace, parse_graph
from drmbench.trace.tree import collapsed, each_call, faults_of_mapping

DATA = Path(__file__).parents[1] / "data"
VGEM = (DATA / "trace-vgem.txt").read_text()
TTM = (DATA / "trace-ttm.txt").read_text()
BEGIN, END = "/* drmbench:mmap:begin */", "/* drmbench:mmap:end */"


def outline(nodes: list[TraceNode]) -> list[object]:
    """Names and nesting: ["f", ["g", "h"]] is f, which calls g and h."""
    found: list[object] = []
    for node in nodes:
        found.append(node.function + (f" x{node.calls}" if node.calls > 1 else "") + (" cut" if node.cut else ""))
        if node.children:
            found.append(outline(node.children))
    return found


def names(nodes: list[TraceNode]) -> list[str]:
    return [node.function for node in each_call(nodes)]


def mapped(*lines: str, thread: int | None = None) -> GraphTrace:
    """What is read of these lines between the markers of mmap."""
    return parse_graph([BEGIN, *lines, END], thread)


def roots(*lines: str, thread: int | None = None) -> list[TraceNode]:
    return mapped(*lines, thread=thread).sections["mmap"].roots


def calls(columns: str = "              |  ") -> list[str]:
    """f() calls g() and h(), each line with these columns before it."""
    return [f"{columns}f() {{", f"{columns}  g [drm]();", f"{columns}  h() {{", f"{columns}  }}", f"{columns}}}"]


class TestRecordedSamples:
    @pytest.mark.parametrize(("text", "thread"), [(VGEM, 192), (TTM, 195)])
    def test_every_line_is_read(self, text: str, thread: int) -> None:
        trace = parse_graph(text, thread)
        assert list(trace.sections) == ["mmap", "touch"]
        assert all(section.complete for section in trace.sections.values())
        assert (trace.lost_events, trace.unread_lines, trace.interrupts) == (0, 0, 0)
        found = [node for section in trace.sections.values() for node in each_call(section.roots)]
        lines = [line for line in text.splitlines() if line.endswith(("{", ");"))]
        assert [f"{n.function}{f' [{n.module}]' if n.module else ''}" for n in found] == [
            line.split("|")[-1].strip().split("(")[0] for line in lines]
        assert all(node.duration_ns is not None and not node.cut for node in found)

    def test_the_way_into_the_driver(self) -> None:
        (root,) = parse_graph(VGEM, 192).sections["mmap"].roots
        way, node = [], root
        while node.children:
            way.append(node.function)
            node = max(node.children, key=lambda child: child.duration_ns or 0)
        assert way == ["__x64_sys_mmap", "ksys_mmap_pgoff", "vm_mmap_pgoff", "do_mmap", "mmap_region", "mmap_file",
                       "drm_gem_mmap", "drm_gem_mmap_obj", "drm_gem_shmem_mmap", "drm_gem_shmem_get_pages_locked"]
        assert (node.function, node.module, node.duration_ns) == ("drm_gem_get_pages", "drm", 33_954_100)
        assert root.duration_ns == 37_999_860

    def test_the_fault_has_its_address(self) -> None:
        trace = parse_graph(VGEM, 192)
        start = 0x7FC48A252000
        (root,), others = faults_of_mapping(trace.sections["touch"].roots, start, 1 << 16, 4096)
        assert others == 0
        assert root.function == "handle_mm_fault"
        assert root.fault is not None
        assert (root.fault.address, root.fault.page, root.fault.error_code) == (start, 0, 6)
        moved = faults_of_mapping(trace.sections["touch"].roots, start - 0x5000, 1 << 16, 4096)[0][0].fault
        assert moved is not None
        assert moved.page == 5
        assert faults_of_mapping(trace.sections["touch"].roots, start + 4096, 1 << 16, 4096) == ([], 1)

    def test_ttm_inserts_sixteen_pages_for_one_touch(self) -> None:
        (root,) = collapsed(parse_graph(TTM, 195).sections["touch"].roots)
        assert outline([root]) == ["handle_mm_fault", ["__handle_mm_fault", ["do_fault", ["__do_fault", [
            "amdgpu_gem_fault", ["ttm_bo_vm_reserve", "ttm_bo_vm_fault_reserved", [
                "ttm_mem_io_reserve", ["dbl_io_mem_reserve"], "ttm_io_prot", ["ttm_prot_from_caching"],
                "ttm_tt_populate", "vmf_insert_pfn_prot x16", ["insert_pfn x16"]]]]]]]]
        inserts = next(node for node in each_call([root]) if node.function == "vmf_insert_pfn_prot")
        assert (inserts.shortest_ns, inserts.longest_ns) == (4977, 51678)
        assert inserts.duration_ns == 51678 + 6650 + 5478 + 5217 + 4977 + 5919 + 5718 + 5969 + 5819 + 5117 + 5168 \
            + 5308 + 6249 + 6370 + 6089 + 5859

    def test_of_another_thread_there_is_nothing(self) -> None:
        assert parse_graph(VGEM, 1).sections == {}


class TestLayouts:
    """The columns depend on the trace options."""

    @pytest.mark.parametrize("columns", [
        "              |  ",
        " 0)               |  ",
        "   33.657064 |   0)   ftouch-195   |               |  ",
        "   33.657064 |    ftouch-195   |               |  ",
        "   33.657064 |               |  ",
        "12345.657064 |  11)  <idle>-0      |               |  ",
        " 0)  a b-c-195  |               |  ",
        " 0)   ftouch-195   |  d..1. |               |  ",
        " 0)   ftouch-195   | ",
        "  ",
    ])
    def test_columns(self, columns: str) -> None:
        trace = mapped(*calls(columns))
        assert outline(trace.sections["mmap"].roots) == ["f", ["g", "h"]]
        assert trace.unread_lines == 0

    @pytest.mark.parametrize(("column", "ns"), [
        ("   3.425 us    |", 3_425), ("+ 37.196 us   |", 37_196), ("! 110.805 us  |", 110_805),
        ("# 1110.805 us |", 1_110_805), ("* 33954.10 us |", 33_954_100), ("@ 133954.1 us |", 133_954_100),
        ("$ 1339541 us  |", 1_339_541_000), ("$ 12.5 s      |", 12_500_000_000), ("  120 ns       |", 120),
        ("  1.5 ms       |", 1_500_000), ("               |", None),
    ])
    def test_durations(self, column: str, ns: int | None) -> None:
        (leaf, call) = roots(f" 0) {column}  g();", "               |  f() {", f" 0) {column}  }}")
        assert leaf.duration_ns == call.duration_ns == ns

    @pytest.mark.parametrize(("ending", "returned"), [
        ("", None), (" /* = 0x0 */", 0), (" /* = -13 */", -13), (" /* ret=0xfffffffffffffff3 */", -13),
        (" /* ret=-22 */", -22), (" (ret=-13)", -13), (" /* <-do_mmap ret=0x7f00 */", 0x7F00), (" (Overruns: 3)", None),
    ])
    def test_what_was_returned(self, ending: str, returned: int | None) -> None:
        leaf, call = roots(f" |  g [drm]();{ending}", " |  f() {", f" |  }}{ending}")
        assert (leaf.returned, call.returned) == (returned, returned)
        assert (leaf.function, leaf.module, leaf.cut) == ("g", "drm", False)

    def test_the_name_stands_at_the_end_as_well(self) -> None:
        for ending in ("/* f [drm] */", "/* f [drm] = 0x5 */", "/* f [drm] ret=0x5 */"):
            (call,) = roots(" |  f [drm]() {", f" |  }} {ending}")
            assert (call.function, call.module, call.cut) == ("f", "drm", False)
            assert call.returned == (None if ending == "/* f [drm] */" else 5)

    def test_arguments(self) -> None:
        leaf, call = roots(" |  g(a=0x1, b=(2));", " |  f [drm](filp=0xff, vma=0x1) { /* <-mmap_region */", " |  }")
        assert (leaf.function, call.function, call.module) == ("g", "f", "drm")

    def test_the_address_of_a_fault_may_be_an_argument(self) -> None:
        (root,) = roots(" |  handle_mm_fault(vma=0xff, address=0x7f0000001000, flags=0x254, regs=0x1) {", " |  }")
        assert root.fault is not None
        assert root.fault.address == 0x7F0000001000

    def test_a_fault_that_is_handled_twice_is_one(self) -> None:
        event = " |  /* page_fault_user: address=0x7f0000001000 ip=0x1 error_code=0x6 */"
        found = roots(event, " |  handle_mm_fault();", " |  handle_mm_fault();", event, " |  handle_mm_fault();")
        assert [root.fault.attempt for root in found if root.fault is not None] == [1, 2, 1]
        assert faults_of_mapping(found, 0, 4096, 4096) == ([], 2)
        assert collapsed(found) == found

    def test_compiler_made_names(self) -> None:
        assert names(roots(" |  f.isra.0 [drm]();", " |  g.constprop.0.llvm.12();")) == [
            "f.isra.0", "g.constprop.0.llvm.12"]


class TestOtherEvents:
    def test_interrupts_are_left_out(self) -> None:
        trace = mapped(
            " 0)               |  f() {", " 0)   ==========> |", " 0)               |    irq() {",
            " 0)   1.000 us    |      tick();", " 0)   9.000 us    |    }", " 0)   <========== |",
            " 0)   2.000 us    |    g();", " 0)   5.000 us    |  }")
        assert outline(trace.sections["mmap"].roots) == ["f", ["g"]]
        assert (trace.interrupts, trace.unread_lines) == (1, 0)

    def test_with_all_columns(self) -> None:
        lead = "   33.657064 |   0)   ftouch-195   |"
        trace = mapped(f"{lead}               |  f() {{", f"{lead}   ==========> |", f"{lead}               |    i();",
                       f"{lead}   <========== |", f"{lead}   1.0 us      |  }}")
        assert outline(trace.sections["mmap"].roots) == ["f"]

    def test_other_threads_are_left_out(self) -> None:
        rule = " ------------------------------------------"
        lines = (" 0)               |  f() {", rule, " 0)   mine-195    =>  kworke-33   ", rule, "",
                 " 0)   1.000 us    |  other();", rule, " 0)  kworke-33    =>   mine-195   ", rule, "",
                 " 1)   1.000 us    |    g();", " 0)   5.000 us    |  }")
        assert outline(roots(*lines, thread=195)) == ["f", ["g"]]
        assert outline(roots(" 0)  a-195  |   |  f();", " 0)  b-33  |   |  g();", thread=195)) == ["f"]

    def test_events_that_are_not_ours(self) -> None:
        trace = mapped(" |  f() {", " |    /* sched_wakeup: comm=x | pid=3 */", " |  }")
        assert (outline(trace.sections["mmap"].roots), trace.unread_lines) == (["f"], 0)

    @pytest.mark.parametrize(("line", "events"), [("CPU:0 [LOST 123 EVENTS]", 123), ("CPU:1 [LOST EVENTS]", 1)])
    def test_lost_events_are_counted(self, line: str, events: int) -> None:
        assert mapped(line).lost_events == events

    def test_garbage_is_counted(self) -> None:
        assert mapped("garbage", " |  f(", " |  f() {{", "\x00\x1b[2J", "x" * 10_000).unread_lines == 5


class TestCutTraces:
    """The ring buffer overwrites its oldest events, and may be full before the end."""

    def test_no_end(self) -> None:
        assert outline(roots(" |  f() {", " |    g() {", " |      h();")) == ["f cut", ["g cut", ["h"]]]

    def test_no_beginning(self) -> None:
        assert outline(roots(" |      h();", " |    }", " |  } /* f [drm] */", " |  k();")) == [
            "f cut", [f"{NOT_RECORDED} cut", ["h"]], "k"]

    def test_an_end_is_missing_in_between(self) -> None:
        assert outline(roots(" |  f() {", " |    g() {", " |      h();", " |    k();", " |  }")) == [
            "f", ["g cut", ["h"], "k"]]

    def test_another_function_ends_than_began(self) -> None:
        assert outline(roots(" |  f() {", " |    x();", " |  } /* g */")) == ["f cut", ["x"], "g cut"]

    def test_markers_that_are_missing(self) -> None:
        section = parse_graph(VGEM.split("drmbench:mmap:begin */\n")[1], 192).sections["mmap"]
        assert not section.complete
        assert "drm_gem_mmap" in names(section.roots)
        section = parse_graph(VGEM.rsplit("\n", 2)[0], 192).sections["touch"]
        assert not section.complete
        assert names(section.roots)[0] == "handle_mm_fault"

    def test_of_two_sections_the_complete_one_counts(self) -> None:
        trace = parse_graph([BEGIN, " |  f();", BEGIN, " |  g();", END, BEGIN, " |  h();", END])
        assert names(trace.sections["mmap"].roots) == ["g"]
        assert trace.sections["mmap"].complete

    def test_deeper_than_any_kernel_calls(self) -> None:
        trace = mapped(*(f" |  {'  ' * depth}f() {{" for depth in range(MOST_DEPTH + 5)))
        assert len(names(trace.sections["mmap"].roots)) == MOST_DEPTH
        assert trace.unread_lines == 5

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.one_of(
        st.sampled_from([*VGEM.splitlines(), *calls(), " |  }", " |   } /* x */", " 0)   ==========> |"]),
        st.text(max_size=80),
        st.from_regex(r"[ |+0-9.]{0,20}[|]( {0,8})[}{f();/* =a-z]{0,12}", fullmatch=True)), max_size=60))
    def test_anything(self, lines: list[str]) -> None:
        trace = parse_graph([BEGIN, *lines])
        for section in trace.sections.values():
            together = collapsed(section.roots)
            assert sum(node.calls for node in each_call(together)) == len(names(section.roots))

    @pytest.mark.parametrize("seed", range(20))
    def test_a_sample_that_lost_lines(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 (which lines go missing is no secret)
        lines = [line for line in TTM.splitlines() if "drmbench:" in line or chance.random() < 0.9]
        trace = parse_graph(lines, 195)
        left = [line for line in lines if line.endswith(("{", ");"))]
        found = [name for section in trace.sections.values() for name in names(section.roots)]
        # Nothing that was recorded is dropped, and what was not is at most an end whose beginning is missing.
        for line in left:
            found.remove(line.split("|")[-1].split("(")[0].split()[0])
        assert len(found) <= len([line for line in lines if line.endswith("*/")]) - 5
        assert trace.unread_lines == 0


class TestCollapsing:
    def test_what_is_alike_is_told_once(self) -> None:
        one = [" |  f() {", " 1.0 us |    g();", " 3.0 us |  }"]
        two = [" |  f() {", " 2.0 us |    g();", " 2.0 us |    g();", " 9.0 us |  }"]
        together = collapsed(roots(*one, *one, *two, *one))
        assert outline(together) == ["f x2", ["g x2"], "f", ["g x2"], "f", ["g"]]
        assert [node.duration_ns for node in together] == [6_000, 9_000, 3_000]
        assert [node.longest_ns for node in together] == [3_000, 9_000, 3_000]

    def test_what_returned_something_else_is_not_alike(self) -> None:
        assert outline(collapsed(roots(" |  f(); /* = 0x0 */", " |  f(); /* = -16 */"))) == ["f", "f"]

    def test_a_time_that_is_missing_makes_the_sum_unknown(self) -> None:
        (node,) = collapsed(roots(" 1.0 us |  f();", " |  f();"))
        assert (node.calls, node.duration_ns, node.shortest_ns) == (2, None, None)
