# SPDX-License-Identifier: MIT
"""The pages of --html in a real browser: the numbers are those of the report, and all of it can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from explained import MEASURED, report

from drmbench import store
from drmbench.render import document_of
from drmbench.render.html import render_html
from drmbench.render.pictures import chosen_svg

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Browser

WIDTHS = (1000, 400)
HOSTILE = "</svg></figure><script>document.title='run'</script><img src=//example.invalid/x onerror=run()>&lt;\x1b[2J"

# Texts of a picture that stand over one another, or stick out of it, in CSS pixels.
CLASHES = """
return [...document.querySelectorAll('svg.picture')].flatMap(picture => {
  const frame = picture.getBoundingClientRect();
  const texts = [...picture.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  const out = texts.filter(([, r]) => r.left < frame.left - 1 || r.right > frame.right + 1 ||
                                      r.top < frame.top - 1 || r.bottom > frame.bottom + 1).map(([t]) => 'out: ' + t);
  const over = texts.flatMap(([t, a], i) => texts.slice(i + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5).map(([u]) => t + ' over ' + u));
  return [...out, ...over];
});
"""
# Elements of the page whose words are wider than they are; a table scrolls inside its own frame.
OVERFLOW = """
const page = document.documentElement;
const wide = page.scrollWidth > page.clientWidth ? ['page ' + page.scrollWidth] : [];
return [...wide, ...[...document.querySelectorAll('h1, h2, p, figcaption, figure')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + ': ' + e.textContent.slice(0, 60))];
"""
# The least contrast (WCAG 2) between text and what it stands on.
CONTRAST = """
const light = colour => {
  const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
const ground = getComputedStyle(document.body).backgroundColor;
const words = [...document.querySelectorAll('h1, h2, p, td, th, figcaption')].map(e => getComputedStyle(e).color);
const drawn = [...document.querySelectorAll('svg.picture text:not(.on-fault)')].map(e => getComputedStyle(e).fill);
const cells = [...document.querySelectorAll('svg.picture text.on-fault')].map(
  e => ratio(getComputedStyle(e).fill, getComputedStyle(e.previousElementSibling).fill));
return Math.min(...[...words, ...drawn].map(c => ratio(c, ground)), ...cells);
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JSON and page of each command, measured here."""
    return tmp_path_factory.mktemp("measured")


def page_of(drmbench: Any, folder: Path, command: str, *arguments: str) -> tuple[Path, dict[str, Any]]:
    """The page and the report that one run wrote."""
    page, document = folder / f"{command}.html", folder / f"{command}.json"
    if not page.exists():
        ran = drmbench(command, "--device", "memfd", "--size", "1MiB", "--runs", "2", "--html", page, "--json",
                       document, *arguments)
        assert ran.status == 0, ran.err
    found = json.loads(document.read_text())
    assert isinstance(found, dict)
    return page, found


def data(browser: Browser, selector: str, *names: str) -> list[tuple[str, ...]]:
    """The data- attributes of what the selector finds."""
    found = browser.run("return [...document.querySelectorAll(arguments[0])].map(e => arguments[1].map(n => "
                        "e.dataset[n]))", selector, list(names))
    return [tuple(each) for each in found]


class TestNumbers:
    """What the DOM says is what the JSON says."""

    def test_faults_of_each_page(self, drmbench: Any, measured: Path, browser: Browser) -> None:
        page, found = page_of(drmbench, measured, "fault-latency", "--no-baseline", "--access", "read-then-write")
        browser.open(page)
        cold = found["results"][0]
        for number, touch_pass in enumerate(cold["passes"]):
            counts = [run["faults"] for group in touch_pass["fault_map"] for _time in range(group["times"])
                      for run in group["runs"] for _page in range(run["pages"])]
            assert len(counts) == cold["pages"]
            assert sum(counts) == touch_pass["faults"]
            figure = f"figure[data-picture=mapping]:nth-of-type({number + 1})"
            assert data(browser, f"{figure} rect.page", "page", "faults") == [
                (str(index), str(count)) for index, count in enumerate(counts[:64])]
            touched = sum(count > 0 for count in counts)
            words = browser.run(f"return document.querySelector('{figure}').textContent")
            assert (f"{touched} pages: their touch faulted" in words) == (touched > 0)
        ends = browser.run("return [...document.querySelectorAll('text.address')].slice(0, 2).map(t => t.textContent)")
        assert [int(end, 16) for end in ends] == [cold["address"], cold["address"] + cold["size_bytes"]]

    def test_stages_and_latencies(self, drmbench: Any, measured: Path, browser: Browser) -> None:
        page, found = page_of(drmbench, measured, "fault-latency")
        browser.open(page)
        cold, warm = (next(r for r in found["results"] if r["phase"] == phase) for phase in ("cold", "warm"))
        stages = data(browser, "rect.stage", "stage", "phase", "ns")
        assert {(stage, phase): int(ns) for stage, phase, ns in stages} == {
            **{(stage, "cold"): ns for stage, ns in cold["stages_ns"].items()},
            **{(stage, "warm"): ns for stage, ns in warm["stages_ns"].items() if stage not in {"create", "destroy"}}}
        bins = data(browser, "rect.bin", "fromNs", "toNs", "count")
        assert [tuple(map(int, each)) for each in bins] == [
            (part["from_ns"], part["to_ns"], part["count"]) for part in cold["histogram"] + warm["histogram"]]
        assert ("p50", str(cold["fault_ns"]["p50"])) in data(browser, "text.mark", "percentile", "ns")

    def test_lengths_are_in_proportion(self, drmbench: Any, measured: Path, browser: Browser) -> None:
        page, _found = page_of(drmbench, measured, "fault-latency")
        browser.open(page)
        bars = browser.run("return [...document.querySelectorAll('rect.stage')].map(b => [+b.dataset.ns, "
                           "b.getBoundingClientRect().width])")
        longest_ns, longest = max(bars)
        for ns, width in bars:
            assert width == pytest.approx(max(longest * ns / longest_ns, 0.5), abs=1.0)

    def test_strategies(self, drmbench: Any, measured: Path, browser: Browser) -> None:
        page, found = page_of(drmbench, measured, "compare-populate", "--no-baseline")
        browser.open(page)
        strategies = found["results"][0]["strategies"]
        assert data(browser, "rect.part", "strategy", "part", "faults") == [
            (name, part, str(strategy["faults"][part])) for name, strategy in strategies.items()
            for part in ("mmap", "populate", "touch") if strategy["faults"][part]]
        words = browser.run("return document.querySelector('svg.picture').textContent")
        assert all(strategy["verdict"] in words for strategy in strategies.values())

    def test_the_conclusion_stands_over_its_pictures(self, drmbench: Any, measured: Path, browser: Browser) -> None:
        page, found = page_of(drmbench, measured, "explain")
        browser.open(page)
        text = found["results"][0]["conclusion"]["text"]
        assert browser.run("return document.querySelector('h2 + p').textContent") == text
        assert browser.run("return document.querySelector('h2 + p').parentElement.nextElementSibling.className") \
            == "pictures"
        kinds = [kind for (kind,) in data(browser, "figure", "picture")]
        assert kinds == ["mapping", "mapping", "stages", "histogram", "histogram", "populate"]

    def test_prefault_windows(self, browser: Browser, tmp_path: Path) -> None:
        path = tmp_path / "ttm.html"
        shown = report(MEASURED["qxl 6.1"][1])
        path.write_text(render_html(shown, document_of(shown)))
        browser.open(path)
        cells = data(browser, "figure:nth-of-type(1) rect.page", "page", "faults")
        assert [int(page) for page, faults in cells if faults == "1"] == [0, 16, 32, 48]
        frames = browser.run("const f = document.querySelector('figure'); const w = f.querySelector('rect.page')"
                             ".getBoundingClientRect().width; return [...f.querySelectorAll('rect.window')].map("
                             "r => Math.round(r.getBoundingClientRect().width / w))")
        assert [round(pages * 20 / 21) for pages in frames] == [16, 16, 16, 16]


@pytest.fixture(scope="module", params=["explained", "measured", "hostile"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All mechanisms side by side, a page that was measured, and one whose names are an attack."""
    results = [result for _name, result in MEASURED.values()]
    if request.param == "measured":
        results = results[:1]
    if request.param == "hostile":
        target = msgspec.structs.replace(results[0].target, driver=HOSTILE * 5, buffer=HOSTILE)
        vma = msgspec.structs.replace(results[0].vma, backing=HOSTILE * 50)
        touches = [msgspec.structs.replace(touch, target=target, vm_flags=[HOSTILE] * 20)
                   for touch in results[0].touches]
        results = [msgspec.structs.replace(results[0], target=target, vma=vma, touches=touches)]
    shown = store.decode(store.encode(report(*results)), "made up")
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(render_html(shown, document_of(shown)))
    return path


class TestReadable:
    @pytest.mark.parametrize("width", WIDTHS)
    def test_no_text_stands_over_another_or_sticks_out(self, browser: Browser, page: Path, width: int) -> None:
        browser.open(page, width=width)
        assert browser.run(CLASHES) == []
        assert browser.run(OVERFLOW) == []

    @pytest.mark.parametrize("dark", [False, True])
    def test_light_and_dark(self, browser: Browser, page: Path, dark: bool) -> None:
        browser.open(page, dark=dark)
        ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 3 * 128) is dark
        assert browser.run(CONTRAST) >= 4.5
        for width in WIDTHS:
            browser.open(page, width=width, dark=dark)
            across, down = browser.screenshot(f"{page.stem}-{width}-{'dark' if dark else 'light'}", width)
            assert across == width
            assert down > 900

    def test_letters_are_large_enough_on_a_phone(self, browser: Browser, page: Path) -> None:
        browser.open(page, width=400)
        assert browser.run("return Math.min(...[...document.querySelectorAll('svg.picture text')].map("
                           "t => t.getBoundingClientRect().height))") >= 9


class TestSelfContained:
    def test_nothing_is_loaded_and_nothing_runs(self, browser: Browser, page: Path) -> None:
        browser.driver.get_log("browser")
        browser.open(page)
        assert browser.run("return performance.getEntriesByType('resource').map(e => e.name)") == []
        assert browser.run("return document.querySelectorAll('script, link, img, iframe, object, embed, a, [src], "
                           "[href], [onerror], [onload]').length") == 0
        assert browser.driver.get_log("browser") == []
        assert browser.driver.title.startswith("drmbench: ")

    def test_a_hostile_name_is_shown_as_it_is(self, browser: Browser, tmp_path: Path) -> None:
        result = MEASURED["vkms 6.1"][1]
        target = msgspec.structs.replace(result.target, driver=HOSTILE)
        shown = report(msgspec.structs.replace(result, target=target))
        path = tmp_path / "hostile.html"
        path.write_text(render_html(shown, document_of(shown)))
        browser.open(path)
        heading = browser.run("return [...document.querySelectorAll('h2')].map(h => h.textContent)")
        assert any(HOSTILE.split("\x1b", maxsplit=1)[0] in text for text in heading)
        assert "\x1b" not in path.read_text()


class TestSvgFile:
    @pytest.mark.parametrize("name", ["mapping", "stages", "histogram", "populate"])
    def test_it_opens_by_itself(self, browser: Browser, tmp_path: Path, name: str) -> None:
        path = tmp_path / f"{name}.svg"
        path.write_text(chosen_svg(report(*(result for _name, result in MEASURED.values())), name))
        browser.open(path, dark=True)
        assert browser.run("return document.documentElement.tagName") == "svg"
        assert browser.run("return document.querySelectorAll('parsererror').length") == 0
        assert browser.run(CLASHES) == []
        assert browser.run("return getComputedStyle(document.querySelector('.ground')).fill") == "rgb(20, 24, 29)"
