# SPDX-License-Identifier: MIT
"""Every case of `drmbench verify` on every lab device: the verdicts are those of the table, none more, none fewer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from verdict_table import REMEDY, differences, read, table_of

from drmbench.conformance.cases import CASES

TABLES = Path(__file__).parent


def test_every_verdict_is_as_expected(drmbench: Any) -> None:
    version = ".".join(os.uname().release.split(".")[:2])
    path = TABLES / f"{version}.toml"
    if not path.exists():
        pytest.fail(f"there is no table of verdicts for kernel {version}: {TABLES}")
    ran = drmbench("verify", "--json", "-")
    results = ran.json["results"]
    wrong = [f"{r['case']} on {r['target']['driver']} {r['target']['buffer']}: {r['what']}: expected {r['expected']}, "
             f"got {r['actual']}{r['reason']} {' '.join(r['kernel_log'][:3])}"
             for r in results if r["verdict"] in {"fail", "broken"}]
    assert not wrong
    found = differences(read(path.read_text(encoding="utf-8")), table_of(results))
    assert not found, "\n".join([*found, REMEDY])
    assert {result["case"] for result in results} == {case.name for case in CASES}
    assert ran.status == 0
    assert not {"known-outdated", "kernel-log-unread"} & {c["id"] for c in ran.json["caveats"]}
    # Without 3D, virtio-gpu's own buffers are refused.
    assert all("virtio_gpu" in c["message"] for c in ran.json["caveats"] if c["id"] == "not-measured")
