# SPDX-License-Identifier: MIT
"""The page of a trace in a real browser: the numbers are those of the report, and all of it can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from test_pages import CLASHES, CONTRAST, HOSTILE, OVERFLOW, WIDTHS, data
from traced import TTM, VGEM, a_report, report_of

from drmbench import store
from drmbench.model import TraceNode, TraceResult
from drmbench.render import document_of
from drmbench.render.html import render_html
from drmbench.render.pictures import chosen_svg
from drmbench.render.trace_tree import tree_lines
from drmbench.trace.compare import compare_traces
from drmbench.trace.tree import each_call

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Browser

# Bars that stand where a letter does, or stick out of their picture.
BARS = """
return [...document.querySelectorAll('svg.picture')].flatMap(picture => {
  const frame = picture.getBoundingClientRect();
  return [...picture.querySelectorAll('rect.call')].filter(bar => {
    const r = bar.getBoundingClientRect();
    return r.left < frame.left || r.right > frame.right || r.bottom > frame.bottom;
  }).map(bar => bar.dataset.function);
});
"""


def hostile() -> TraceResult:
    """Every name is an attack, and the tree is as deep as a report may hold."""
    node = TraceNode(HOSTILE * 3, HOSTILE, 3, 10**15, 1, 10**15)
    for _level in range(60):
        node = TraceNode(HOSTILE, HOSTILE, duration_ns=2 * 10**15, children=[node, TraceNode("f")])
    step = msgspec.structs.replace(VGEM.steps[0], call=HOSTILE * 3, calls=[node])
    target = msgspec.structs.replace(VGEM.target, driver=HOSTILE, buffer=HOSTILE)
    return msgspec.structs.replace(VGEM, target=target, steps=[step], untraceable=[HOSTILE] * 9)


@pytest.fixture(scope="module", params=["recorded", "everything", "hostile"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recorded traces compared, one with all that a report can hold, and one whose names are an attack."""
    shown = report_of(VGEM, TTM)
    if request.param == "recorded":
        shown = msgspec.structs.replace(shown, comparisons=compare_traces(shown, report_of(TTM)))
    elif request.param == "everything":
        shown = a_report()
    else:
        shown = report_of(hostile())
    decoded = store.decode(store.encode(shown), "made up")
    path = tmp_path_factory.mktemp("page") / f"trace-{request.param}.html"
    path.write_text(render_html(decoded, document_of(decoded)))
    return path


@pytest.fixture
def recorded(browser: Browser, tmp_path: Path) -> None:
    """The page of two recorded traces is open."""
    path, shown = tmp_path / "recorded.html", report_of(VGEM, TTM)
    path.write_text(render_html(shown, document_of(shown)))
    browser.open(path)


@pytest.mark.usefixtures("recorded")
class TestNumbers:
    """What the DOM says is what the report says."""

    def test_every_call_in_its_order(self, browser: Browser) -> None:
        calls = [call for result in (VGEM, TTM) for step in result.steps for call in each_call(step.calls)]
        assert data(browser, "figure[data-picture=calls] text[data-function]", "function", "module", "calls") == [
            (call.function, call.module, str(call.calls)) for call in calls]
        assert data(browser, "rect.call", "function", "ns") == [
            (call.function, str(call.duration_ns)) for call in calls]

    def test_bars_are_as_long_as_their_share_of_the_step(self, browser: Browser) -> None:
        figures = browser.run("return [...document.querySelectorAll('figure[data-picture=calls]')].map(f => "
                              "[...f.querySelectorAll('rect.call')].map(b => [+b.dataset.ns, "
                              "b.getBoundingClientRect().width]))")
        assert len(figures) == 4
        for bars in figures:
            longest_ns, longest = max(bars)
            assert all(width == pytest.approx(max(longest * ns / longest_ns, 0.5), abs=1.0) for ns, width in bars)

    def test_what_is_called_is_indented_more(self, browser: Browser) -> None:
        places = browser.run("return [...document.querySelectorAll('text[data-depth]')].map(t => [+t.dataset.depth, "
                             "Math.round(t.getBoundingClientRect().left - t.ownerSVGElement.getBoundingClientRect()"
                             ".left)])")
        at = {depth: {x for other, x in places if other == depth} for depth, _x in places}
        assert all(max(xs) - min(xs) <= 2 for xs in at.values())
        assert all(max(at[depth]) < min(at[depth + 1]) for depth in range(len(at) - 1))

    def test_the_trees_are_those_of_the_terminal(self, browser: Browser) -> None:
        texts = browser.run("return [...document.querySelectorAll('pre')].map(p => p.textContent)")
        assert texts == ["\n".join(tree_lines(step.calls)) for result in (VGEM, TTM) for step in result.steps]

    def test_sixteen_inserts_are_one_line(self, browser: Browser) -> None:
        words = browser.run("return [...document.querySelectorAll('text[data-function=vmf_insert_pfn_prot]')].map("
                            "t => t.firstChild.textContent)")
        assert words[-1] == "vmf_insert_pfn_prot x16"


class TestReadable:
    @pytest.mark.parametrize("width", WIDTHS)
    def test_no_text_stands_over_another_or_sticks_out(self, browser: Browser, page: Path, width: int) -> None:
        browser.open(page, width=width)
        assert browser.run(CLASHES) == []
        assert browser.run(OVERFLOW) == []
        assert browser.run(BARS) == []

    @pytest.mark.parametrize("dark", [False, True])
    def test_light_and_dark(self, browser: Browser, page: Path, dark: bool) -> None:
        browser.open(page, dark=dark)
        assert browser.run(CONTRAST) >= 4.5
        for width in WIDTHS:
            browser.open(page, width=width, dark=dark)
            across, down = browser.screenshot(f"{page.stem}-{width}-{'dark' if dark else 'light'}", width)
            assert across == width
            assert down > 900

    def test_nothing_is_loaded_and_nothing_runs(self, browser: Browser, page: Path) -> None:
        browser.driver.get_log("browser")
        browser.open(page)
        assert browser.run("return performance.getEntriesByType('resource').map(e => e.name)") == []
        assert browser.run("return document.querySelectorAll('script, img, iframe, a, [src], [href], [onerror]')"
                           ".length") == 0
        assert browser.driver.get_log("browser") == []
        assert browser.driver.title.startswith("drmbench: ")

    def test_the_picture_opens_by_itself(self, browser: Browser, tmp_path: Path) -> None:
        path = tmp_path / "calls.svg"
        path.write_text(chosen_svg(report_of(VGEM, TTM), "calls"))
        browser.open(path, dark=True)
        assert browser.run("return document.querySelectorAll('parsererror').length") == 0
        assert browser.run(CLASHES) == []
