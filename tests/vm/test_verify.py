# SPDX-License-Identifier: MIT
"""`drmbench verify` on real drivers: their rules, and what a case left on a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drmbench.conformance.case import case
from drmbench.conformance.isolation import Place, run_case
from drmbench.conformance.kernel_log import KernelLog
from drmbench.targets import find_targets

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject
    from drmbench.device import DrmDevice


class TestSurvival:
    def run(self, device: DrmDevice, run: Any) -> Any:
        targets, _unusable = find_targets([device.primary or ""], writing=True, floor=False)
        made = case("made-up/case", rule="r", source="s", time_limit_s=60)(run)
        with KernelLog() as log:
            assert not log.problem
            return run_case(made, Place(targets[0], targets[0].kinds[0], 64 << 10), log)

    def test_a_handle_that_stays_open_is_found(self, device: DrmDevice) -> None:
        def leaks(subject: Subject) -> None:
            with subject.buffer(), subject.buffer() as second:
                second.forget()

        judgement = self.run(device, leaks).judgement
        assert (judgement.verdict, judgement.actual) == ("fail", "GEM handles 2")

    def test_a_mapping_that_stays_is_found(self, device: DrmDevice) -> None:
        def leaks(subject: Subject) -> None:
            with subject.buffer() as buffer:
                buffer.map(buffer.locate()[0], subject.backend.prot)

        judgement = self.run(device, leaks).judgement
        assert (judgement.verdict, judgement.what) == ("fail", "left behind")
        assert judgement.actual == f"64 KiB mapped rw-s from {device.primary}"

    def test_the_kernel_s_complaint_is_attached(self, device: DrmDevice) -> None:
        def complains(_subject: Subject) -> None:
            Path("/dev/kmsg").write_text("<4>WARNING: this is a test of drmbench\n", encoding="ascii")

        assert self.run(device, complains).kernel_log == ["WARNING: this is a test of drmbench"]
