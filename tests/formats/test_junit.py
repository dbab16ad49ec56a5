# SPDX-License-Identifier: MIT
"""JUnit XML, against the schema that Jenkins reads it by and pytest writes it by."""

from __future__ import annotations

from typing import Any

import pytest
import readers
from lxml import etree


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """junit-10.xsd."""
    return etree.XMLSchema(etree.parse(readers.jenkins_schema()))


class TestSchema:
    @pytest.mark.parametrize("arguments", [
        (), ("--device", "anon"), ("--size", "1TiB"), ("--device", "file:/dev/null"), ("--device", "nouveau"),
    ])
    def test_it_is_valid(self, schema: etree.XMLSchema, verify: Any, arguments: tuple[str, ...]) -> None:
        ran = verify("--format", "junit", *arguments)
        document = etree.fromstring(ran.stdout.encode())
        schema.assertValid(document)
        assert len(document.findall(".//testcase")) >= 1

    def test_and_the_schema_refuses_what_is_not(self, schema: etree.XMLSchema, verify: Any) -> None:
        text = verify("--format", "junit").stdout.replace("<failure ", "<defeat ").replace("</failure>", "</defeat>")
        assert not schema.validate(etree.fromstring(text.encode()))
