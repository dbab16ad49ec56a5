# SPDX-License-Identifier: MIT
"""--html and --svg: well-formed, escaped, written like every other file; how they look is tests/browser's business."""

from __future__ import annotations

import json
import random
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from explained import MEASURED, report

from drmbench import store
from drmbench.errors import UsageError
from drmbench.model import FaultGroup, FaultRun
from drmbench.render import FORMATS, document_of
from drmbench.render.html import render_html
from drmbench.render.pictures import PICTURES, chosen_svg, pictures_of, split_svg_option
from drmbench.render.svg import LETTER, WIDTH, fitting

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
SIZE = "64KiB"
OF_OTHER_REPORTS = {"bandwidth", "calls", "live", "scaling", "sizes"}  # than explain; each has its own command's tests


def parsed(text: str) -> ET.Element:
    """The root of an XML document of ours."""
    return ET.fromstring(text)  # noqa: S314 (made here a moment ago)


class Tags(HTMLParser):
    """The names of all elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 (the parser's signature)
        self.seen.add(tag)


class TestSvg:
    @pytest.mark.parametrize("name", [name for name in PICTURES if name not in OF_OTHER_REPORTS])
    def test_each_picture_is_there_for_each_result(self, name: str) -> None:
        results = [result for _name, result in MEASURED.values()]
        sheet = parsed(chosen_svg(report(*results), name))
        assert sheet.tag == f"{SVG}svg"
        assert len(sheet.findall(f"{SVG}svg")) >= len(results)

    def test_without_a_name_it_is_the_first_kind(self) -> None:
        shown = report(MEASURED["qxl 6.1"][1])
        assert chosen_svg(shown, None) == chosen_svg(shown, "mapping")

    @pytest.mark.parametrize(("option", "name", "path"), [
        ("x.svg", None, "x.svg"), ("stages:x.svg", "stages", "x.svg"), ("other:x.svg", None, "other:x.svg"),
        ("mapping:", None, "mapping:"), ("mapping", None, "mapping"), ("populate:-", "populate", "-"), ("-", None, "-"),
    ])
    def test_the_option(self, option: str, name: str | None, path: str) -> None:
        assert split_svg_option(option) == (name, path)

    def test_a_picture_that_a_report_has_not(self) -> None:
        with pytest.raises(UsageError, match="no such picture"):
            chosen_svg(report(), "mapping")

    def test_a_prefault_window_is_framed(self) -> None:
        sheet = parsed(chosen_svg(report(MEASURED["qxl 6.1"][1]), "mapping"))
        first = sheet.findall(f"{SVG}svg")[0]
        pages = [e for e in first.iter(f"{SVG}rect") if "data-page" in e.attrib]
        assert [e.get("data-page") for e in pages if e.get("data-faults") == "1"] == ["0", "16", "32", "48"]
        assert {e.get("class") for e in pages} == {"page fault", "page present"}
        assert len([e for e in first.iter(f"{SVG}rect") if e.get("class") == "window"]) == 4

    def test_what_never_faults_is_not_shown_as_brought_along(self) -> None:
        sheet = parsed(chosen_svg(report(MEASURED["mi0283qt 6.1"][1]), "mapping"))
        assert {e.get("class") for e in sheet.iter(f"{SVG}rect") if "data-page" in e.attrib} == {"page mapped"}

    def test_long_words_are_cut_in_the_middle(self) -> None:
        cut = fitting("a" * 50 + "b" * 50, WIDTH)
        assert len(cut) * LETTER <= WIDTH
        assert cut.startswith("aaa")
        assert cut.endswith("bbb")
        assert "..." in cut


class TestHtml:
    def test_it_says_what_the_table_says(self) -> None:
        shown = report(*(result for _name, result in MEASURED.values()))
        page = render_html(shown, document_of(shown))
        for section in document_of(shown).sections:
            for line in section.lines:
                assert line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page

    def test_names_are_text_and_nothing_else(self) -> None:
        result = MEASURED["vkms 6.1"][1]
        hostile = "</title></style><script>alert(1)</script>\x00\x1b[2J\u202e\ud7ff"
        target = msgspec.structs.replace(result.target, driver=hostile, buffer=hostile)
        shown = report(msgspec.structs.replace(result, target=target))
        page, sheet = render_html(shown, document_of(shown)), chosen_svg(shown, None)
        assert "script" not in Tags(page).seen | {element.tag.removeprefix(SVG) for element in parsed(sheet).iter()}
        assert Tags(page).seen >= {"html", "title", "style", "h2", "p", "svg", "text", "table"}
        assert not any(c in page + sheet for c in "\x00\x1b\u202e")

    def test_a_map_of_endless_pages_ends(self) -> None:
        result = MEASURED["vkms 6.1"][1]
        endless = [FaultGroup(1 << 62, [FaultRun(1, 1 << 62)])]
        touches = [msgspec.structs.replace(touch, pages=1 << 62, passes=[
            msgspec.structs.replace(p, fault_map=endless) for p in touch.passes]) for touch in result.touches]
        assert pictures_of(report(msgspec.structs.replace(result, touches=touches)))

    def test_a_report_from_before_there_were_maps(self) -> None:
        result = MEASURED["vkms 6.1"][1]
        touches = [msgspec.structs.replace(touch, histogram=[], passes=[]) for touch in result.touches]
        older = report(msgspec.structs.replace(result, touches=touches))
        kinds = {picture.name for _label, pictures in pictures_of(older) for picture in pictures}
        assert kinds == {"stages", "populate"}


class TestCommands:
    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate", "explain"])
    def test_measured_and_shown_again_are_the_same(self, drmbench: Any, tmp_path: Path, command: str) -> None:
        document, page, picture = tmp_path / "r.json", tmp_path / "r.html", tmp_path / "r.svg"
        ran = drmbench(command, "--device", "memfd", "--size", SIZE, "--runs", "1", "--json", document, "--html", page,
                       "--svg", picture)
        assert ran.status == 0, ran.err
        assert "memfd" in ran.out
        shown = drmbench("show", document, "--html", tmp_path / "again.html", "--svg", tmp_path / "again.svg")
        assert (shown.status, shown.out) == (0, "")
        assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
        assert (tmp_path / "again.svg").read_bytes() == picture.read_bytes()

    def test_a_dash_prints_the_page_and_nothing_else(self, drmbench: Any) -> None:
        ran = drmbench("explain", "--device", "memfd", "--size", SIZE, "--runs", "1", "--html", "-")
        assert ran.status == 0
        assert ran.out.startswith("<!DOCTYPE html>\n<html")
        assert ran.out.endswith("</html>\n")

    @pytest.mark.parametrize(("arguments", "status", "says"), [
        (("--html", "-", "--json", "-"), 2, "more than one thing"),
        (("--html", "-", "--svg", "stages:-"), 2, "more than one thing"),
        (("--html", "/nonexistent/x.html"), 1, "ENOENT"),
        (("--svg", "/nonexistent/x.svg"), 1, "ENOENT"),
        (("--html", "/dev/full"), 1, "ENOSPC"),
    ])
    def test_nonsense(self, drmbench: Any, arguments: tuple[str, ...], status: int, says: str) -> None:
        ran = drmbench("fault-latency", "--device", "memfd", "--size", SIZE, "--runs", "1", *arguments)
        assert (ran.status, ran.err.count("\n")) == (status, 1)
        assert says in ran.err

    def test_a_picture_that_the_report_has_not_leaves_no_file(self, drmbench: Any, tmp_path: Path) -> None:
        ran = drmbench("compare-populate", "--device", "memfd", "--size", SIZE, "--runs", "1", "--svg",
                       f"histogram:{tmp_path / 'x.svg'}")
        assert ran.status == 2
        assert "there are populate" in ran.err
        assert not list(tmp_path.iterdir())


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a document has a number, a text or a null, and where an empty list could be."""
    if isinstance(node, dict):
        return [p for key, value in node.items() for p in leaves(value, (*path, key))]
    if isinstance(node, list):
        return [path, *(p for index, value in enumerate(node[:2]) for p in leaves(value, (*path, index)))]
    return [path]


class TestEditedByHand:
    """A report that decodes is drawn, whatever is in it; one that does not is one line."""

    VALUES: tuple[Any, ...] = (0, 1, 2**62, -1, 1e308, "", "\x1b[31m<b>", None, [], {})

    @pytest.mark.parametrize("where", ["vkms 6.1", "qxl 6.1", "mi0283qt 6.1"])
    def test_any_field(self, where: str) -> None:
        original = json.loads(store.encode(report(MEASURED[where][1])))
        choose = random.Random(where)  # noqa: S311 (the same every time)
        every = leaves(original["results"][0])
        for path in choose.sample(every, 60):
            edited = json.loads(json.dumps(original))
            node = edited["results"][0]
            for key in path[:-1]:
                node = node[key]
            if not path:
                continue
            node[path[-1]] = choose.choice(self.VALUES)
            try:
                found = store.decode(json.dumps(edited).encode(), "edited")
            except store.DrmbenchError:
                continue
            for name in ("table", "csv", "markdown"):
                assert FORMATS[name](found, False)
            page = render_html(found, document_of(found))
            assert "\x1b" not in page
            assert "b" not in Tags(page).seen
