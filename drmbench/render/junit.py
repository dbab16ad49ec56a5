# SPDX-License-Identifier: MIT
"""JUnit XML as Jenkins' junit-10.xsd, pytest and GitLab have it: a test suite for a target, a test case for a case.

A known breach is <skipped type="known">, as pytest writes what it expects to fail; a broken case is an <error>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # only written with; nothing is parsed

from drmbench.errors import UnsupportedError, one_line
from drmbench.render.common import machine
from drmbench.render.lines import by_target
from drmbench.render.outcomes import RUN, details, message, problems, slug
from drmbench.render.verify import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import CaseVerdict, VerifyReport, VerifyResult

_NAME = "drmbench verify"
_ELEMENTS: dict[CaseVerdict, str] = {"fail": "failure", "broken": "error", "skip": "skipped", "known": "skipped"}


def render_junit(report: VerifyReport) -> str:
    """The document, in UTF-8 characters that XML 1.0 allows; `problems` are errors of a suite of their own."""
    root = ET.Element("testsuites", name=_NAME)
    for target, results in by_target(report.results):
        _suite(root, target, report, results)
    if problems(report):
        suite = ET.SubElement(root, "testsuite", name=RUN)
        for problem in problems(report):
            _said(_case(suite, RUN, f"{_NAME}"), "broken", problem)
        _count(suite, 0)
    return _text(root)


def render_junit_refused(error: DrmbenchError) -> str:
    """The document where nothing could be run: one case, skipped or an error."""
    root = ET.Element("testsuites", name=_NAME)
    suite = ET.SubElement(root, "testsuite", name=RUN)
    _said(_case(suite, RUN, _NAME), "skip" if isinstance(error, UnsupportedError) else "broken", str(error))
    _count(suite, 0)
    return _text(root)


def _suite(root: ET.Element, target: str, report: VerifyReport, results: Sequence[VerifyResult]) -> None:
    suite = ET.SubElement(root, "testsuite", name=target, timestamp=one_line(report.environment.date))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("drmbench", report.environment.drmbench), ("machine", machine(report.environment))):
        ET.SubElement(properties, "property", name=name, value=one_line(value))
    for result in results:
        # Jenkins makes a package of what stands before the last dot.
        case = _case(suite, result.case, f"drmbench.verify.{slug(label(result.target))}")
        case.set("time", _seconds(result.duration_ns))
        _said(case, result.verdict, message(result), "\n".join(details(result)))
    _count(suite, sum(result.duration_ns for result in results))


def _case(suite: ET.Element, name: str, class_name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=class_name, name=one_line(name), time="0.000")


def _said(case: ET.Element, verdict: CaseVerdict, text: str, more: str = "") -> None:
    if verdict != "pass":
        ET.SubElement(case, _ELEMENTS[verdict], type=verdict, message=text).text = more or None


def _count(suite: ET.Element, spent_ns: int) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{element}"))))
    suite.set("time", _seconds(spent_ns))


def _seconds(duration_ns: int) -> str:
    return f"{duration_ns / 1e9:.3f}"


def _text(root: ET.Element) -> str:
    for attribute in ("tests", "failures", "errors"):
        root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in root)))
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"
