# SPDX-License-Identifier: MIT
"""What `drmbench stress` expects of each call: the kernel's rules as its model has them, no kernel asked."""

from __future__ import annotations

import errno
import signal
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from drmbench.stress import steps as s
from drmbench.stress.accesses import MAYBE_SIGBUS, Access
from drmbench.stress.predict import Expected, expect
from drmbench.stress.program import Round, state_of
from drmbench.stress.state import State
from drmbench.stress.traits import Limits, Traits

if TYPE_CHECKING:
    from collections.abc import Sequence

SHMEM = Traits(vm_flags=frozenset({"pf", "de", "dd", "sd"}), prime_flags=frozenset({"pf", "de"}), drm=True,
               fake_offset=True, exports=True, imports=True)
ETNAVIV = Traits(vm_flags=frozenset({"io", "mm", "de"}), drm=True, fake_offset=True)
OLD_SHMEM = Traits(vm_flags=frozenset({"de", "sd", "mm"}), drm=True, fake_offset=True, populate=False)
MEMFD = Traits(vm_flags=frozenset({"rd", "wr", "sh"}), beyond=True)
LIMITS = Limits(16, 64)
CREATE = s.Create(handle=0, file=0, pages=4)
MAP = s.Map(mapping=0, handle=0, file=0, pages=4, prot="write")


def after(traits: Traits, *steps: s.Step) -> State:
    """The state that the steps lead to; each of them must make sense."""
    state = State(traits, LIMITS)
    for step in steps:
        assert expect(state, step) is not None, s.describe(step)
    return state


def outcome(traits: Traits, *steps: s.Step) -> Expected | None:
    """What is expected of the last step."""
    return expect(after(traits, *steps[:-1]), steps[-1])


def number(traits: Traits, *steps: s.Step) -> int:
    """The same where it must make sense: the errno."""
    expected = outcome(traits, *steps)
    assert expected is not None
    return expected.errno


def accesses(traits: Traits, *steps: s.Step) -> Sequence[Access]:
    """The accesses of the last step."""
    expected = outcome(traits, *steps)
    assert expected is not None
    return expected.accesses


class TestContent:
    def test_a_fresh_buffer_is_zero(self) -> None:
        assert accesses(SHMEM, CREATE, MAP, s.Read(0, 0, 4)) == (Access(0, 0, 4, "zero"),)

    def test_what_was_written_last_is_there_each_page_in_its_place(self) -> None:
        found = accesses(SHMEM, CREATE, MAP, s.Write(0, 0, 3, 7), s.Write(0, 1, 1, 8), s.Read(0, 0, 4))
        assert found == (Access(0, 0, 1, "compare", 7, 0), Access(0, 1, 1, "compare", 8, 1),
                         Access(0, 2, 1, "compare", 7, 2), Access(0, 3, 1, "zero", 0, 3))

    def test_a_second_mapping_shows_the_same(self) -> None:
        second = s.Map(mapping=1, handle=0, file=0, pages=2, prot="read")
        found = accesses(SHMEM, CREATE, MAP, second, s.Write(0, 1, 1, 7), s.Read(1, 1, 1))
        assert found == (Access(1, 1, 1, "compare", 7, 1),)

    def test_an_imported_handle_and_a_dma_buf_show_the_same(self) -> None:
        steps = (CREATE, MAP, s.Write(0, 0, 1, 7), s.Export(handle=0, dmabuf=0), s.Open(1),
                 s.Import(dmabuf=0, file=1, handle=1), s.Close(0))
        by_handle = s.Map(mapping=1, handle=1, file=1, pages=1, prot="read")
        by_dmabuf = s.MapDmabuf(mapping=1, dmabuf=0, pages=1, prot="read")
        for how in (by_handle, by_dmabuf):
            assert accesses(SHMEM, *steps, how, s.Read(1, 0, 1)) == (Access(1, 0, 1, "compare", 7, 0),)

    def test_a_child_s_write_is_seen(self) -> None:
        found = accesses(SHMEM, CREATE, MAP, s.Fork((s.Write(0, 2, 1, 9),)), s.Read(0, 2, 1))
        assert found == (Access(0, 2, 1, "compare", 9, 2),)

    def test_moved_pages_keep_their_content(self) -> None:
        found = accesses(SHMEM, CREATE, MAP, s.Write(0, 0, 4, 7), s.Move(0, 2, 2, 3), s.Read(3, 0, 2))
        assert found == (Access(3, 0, 2, "compare", 7, 2),)

    def test_pages_of_other_threads_are_loaded_and_never_written(self) -> None:
        state = state_of(0, 2, [8], SHMEM, LIMITS)
        assert expect(state, s.MapShared(mapping=0, shared=0, pages=8, prot="write")) == Expected()
        assert expect(state, s.Write(0, 3, 2, 7)) is None
        assert expect(state, s.Write(0, 2, 2, 7)) is not None
        expected = expect(state, s.Read(0, 2, 4))
        assert expected is not None
        assert [access.action for access in expected.accesses] == ["compare", "load"]


class TestSignals:
    @pytest.mark.parametrize("change", [
        s.Unmap(0, 1, 1), s.Protect(0, 1, 1, "none"), s.Move(0, 1, 1, 2),
    ])
    def test_a_load_of_a_hole_ends_in_sigsegv_and_the_pages_before_it_are_read(self, change: s.Step) -> None:
        found = accesses(SHMEM, CREATE, MAP, change, s.Read(0, 0, 4))
        assert found == (Access(0, 0, 1, "zero"), Access(0, 1, 1, "load", signal=signal.SIGSEGV))

    def test_a_store_to_a_read_only_page_changes_nothing_from_there_on(self) -> None:
        steps = (CREATE, MAP, s.Protect(0, 2, 1, "read"))
        assert accesses(SHMEM, *steps, s.Write(0, 0, 4, 7))[-1].signal == signal.SIGSEGV
        found = accesses(SHMEM, *steps, s.Write(0, 0, 4, 7), s.Read(0, 0, 4))
        assert [(access.action, access.pages) for access in found] == [("compare", 2), ("zero", 1), ("zero", 1)]

    def test_behind_the_end_of_a_file_is_sigbus(self) -> None:
        longer = s.Map(mapping=0, handle=0, file=0, pages=6, prot="write")
        assert accesses(MEMFD, CREATE, longer, s.Read(0, 0, 6))[-1] == Access(0, 4, 1, "load", signal=signal.SIGBUS)
        assert accesses(MEMFD, CREATE, longer, s.Write(0, 5, 1, 7))[-1].signal == signal.SIGBUS

    def test_what_fork_leaves_out_is_a_hole_in_the_child_only(self) -> None:
        steps = (CREATE, MAP, s.Advise(0, 0, 4, "dontfork"))
        assert accesses(SHMEM, *steps, s.Fork((s.Read(0, 0, 1),)))[-1].signal == signal.SIGSEGV
        assert accesses(SHMEM, *steps, s.Read(0, 0, 1))[-1].signal == 0
        again = s.Advise(0, 0, 4, "dofork")
        assert accesses(SHMEM, *steps, again, s.Fork((s.Read(0, 0, 1),)))[-1].signal == 0


class TestErrnos:
    def test_handles(self) -> None:
        assert number(SHMEM, CREATE, s.Destroy(0), s.Destroy(0)) == errno.EINVAL
        assert number(SHMEM, CREATE, s.Destroy(0), s.Locate(0)) == errno.ENOENT
        assert number(SHMEM, CREATE, s.Destroy(0), s.Export(0, 0)) == errno.ENOENT
        # Another handle has got its number: nothing can be foretold.
        assert outcome(SHMEM, CREATE, s.Destroy(0), s.Create(1, 0, 1), s.Destroy(0)) is None

    def test_one_handle_a_file_and_buffer(self) -> None:
        steps = (CREATE, s.Export(0, 0), s.Import(dmabuf=0, file=0, handle=1))
        assert number(SHMEM, *steps, s.Destroy(1)) == 0
        assert number(SHMEM, *steps, s.Destroy(1), s.Destroy(0)) == errno.EINVAL

    def test_fake_offsets(self) -> None:
        through_other = s.Map(mapping=1, handle=0, file=1, pages=4, prot="write")
        assert number(SHMEM, CREATE, s.Open(1), through_other) == errno.EACCES
        allowed = (s.Export(0, 0), s.Import(dmabuf=0, file=1, handle=1))
        assert number(SHMEM, CREATE, s.Open(1), *allowed, through_other) == 0
        too_long = s.Map(mapping=1, handle=0, file=0, pages=5, prot="write")
        assert number(SHMEM, CREATE, too_long) == errno.EINVAL
        assert number(MEMFD, CREATE, too_long) == 0

    @pytest.mark.parametrize(("traits", "grows"), [(SHMEM, errno.EFAULT), (ETNAVIV, errno.EFAULT), (MEMFD, 0)])
    def test_mremap_grows_ordinary_mappings_only(self, traits: Traits, grows: int) -> None:
        assert number(traits, CREATE, MAP, s.Resize(0, 0, 4, 6)) == grows
        assert number(traits, CREATE, MAP, s.Resize(0, 0, 4, 2)) == 0

    def test_mremap_finds_no_room(self) -> None:
        split = s.Protect(0, 2, 2, "read")
        assert number(MEMFD, CREATE, MAP, split, s.Resize(0, 0, 2, 4)) == errno.ENOMEM

    def test_mprotect_stops_at_a_hole(self) -> None:
        state = after(SHMEM, CREATE, MAP, s.Unmap(0, 1, 1))
        assert expect(state, s.Protect(0, 0, 4, "none")) == Expected(errno.ENOMEM)
        assert [(vma.first, vma.prot) for vma in state.vmas(0)] == [(0, "none"), (2, "write")]

    @pytest.mark.parametrize(("advice", "numbers"), [
        ("dontneed", (errno.EINVAL, 0, 0, 0)), ("cold", (errno.EINVAL, 0, 0, 0)),
        ("free", (errno.EINVAL,) * 4), ("wipeonfork", (errno.EINVAL,) * 4),
        ("dodump", (errno.EINVAL, errno.EINVAL, errno.EINVAL, 0)), ("dofork", (0, errno.EINVAL, 0, 0)),
        ("populate-read", (errno.EINVAL, errno.EINVAL, errno.EINVAL, 0)), ("random", (0, 0, 0, 0)),
    ])
    def test_madvise_by_vm_flags(self, advice: s.Advice, numbers: tuple[int, ...]) -> None:
        step = s.Advise(0, 0, 4, advice)
        assert tuple(number(traits, CREATE, MAP, step) for traits in (SHMEM, ETNAVIV, OLD_SHMEM, MEMFD)) == numbers

    def test_madvise_passes_holes_over_and_ends_at_a_refusal(self) -> None:
        steps = (CREATE, MAP, s.Unmap(0, 1, 1))
        assert number(MEMFD, *steps, s.Advise(0, 0, 4, "cold")) == errno.ENOMEM
        assert number(SHMEM, *steps, s.Advise(0, 0, 4, "cold")) == errno.EINVAL
        assert number(MEMFD, *steps, s.Advise(0, 0, 4, "populate-read")) == errno.ENOMEM

    @pytest.mark.parametrize(("past_holes", "refused"), [(True, errno.EINVAL), (False, errno.ENOMEM)])
    def test_populate_tells_of_a_hole_or_of_what_is_behind_it(self, past_holes: bool, refused: int) -> None:
        ttm = Traits(vm_flags=frozenset({"pf", "io"}), drm=True, fake_offset=True, past_holes=past_holes)
        memfd = structs.replace(MEMFD, past_holes=past_holes)
        steps = (CREATE, MAP, s.Unmap(0, 0, 1), s.Advise(0, 0, 4, "populate-write"))
        assert (number(ttm, *steps), number(memfd, *steps)) == (refused, errno.ENOMEM)

    def test_an_unplugged_device(self) -> None:
        traits = Traits(vm_flags=frozenset({"pf"}), drm=True, fake_offset=True, unbind=True)
        steps = (CREATE, MAP, s.Unbind())
        assert number(traits, *steps, s.Map(1, 0, 0, 4, "write")) == errno.ENODEV
        assert number(traits, *steps, s.Create(1, 0, 1)) == errno.ENODEV
        assert accesses(traits, *steps, s.Read(0, 0, 4)) == (Access(0, 0, 4, "load", signal=MAYBE_SIGBUS),)
        fresh = (s.Bind(), s.Open(1), s.Create(1, 1, 1), s.Map(1, 1, 1, 1, "write"))
        assert accesses(traits, *steps, *fresh, s.Read(1, 0, 1)) == (Access(1, 0, 1, "zero"),)


class TestSplits:
    """Where the driver loses its place behind a split, mappings are cut at their ends only."""

    traits = Traits(vm_flags=frozenset({"pf"}), splits=False)

    @pytest.mark.parametrize(("step", "possible"), [
        (s.Unmap(0, 0, 1), False), (s.Unmap(0, 1, 1), False), (s.Unmap(0, 2, 2), True), (s.Unmap(0, 0, 4), True),
        (s.Protect(0, 0, 2, "read"), False), (s.Protect(0, 2, 2, "read"), False), (s.Protect(0, 0, 4, "read"), True),
        (s.Advise(0, 0, 2, "random"), False), (s.Advise(0, 0, 2, "cold"), True),
        (s.Move(0, 0, 2, 1), False), (s.Move(0, 0, 4, 1), True), (s.Resize(0, 0, 4, 3), True),
        (s.Resize(0, 0, 3, 2), False),
    ])
    def test_only_steps_that_leave_the_start_where_it_is(self, step: s.Step, possible: bool) -> None:
        assert (outcome(self.traits, CREATE, MAP, step) is not None) == possible
        assert outcome(SHMEM, CREATE, MAP, step) is not None


class TestNonsense:
    """A step without ground under it changes nothing: so programs stay programs when steps are taken out."""

    @pytest.mark.parametrize("step", [
        MAP, s.Destroy(0), s.Locate(3), s.Export(1, 0), s.Sync(0), s.CloseDmabuf(2), s.Open(0), s.Close(4), s.Bind(),
        s.Unbind(), s.Move(0, 0, 1, 1), s.Resize(0, 0, 1, 2), s.Create(0, 0, 17), s.Create(0, 3, 1),
        s.Read(0, 31, 2), s.Unmap(0, 0, 33), s.MapShared(0, 0, 1, "read"), s.MapDmabuf(0, 0, 1, "read"),
    ])
    def test_is_left_out(self, step: s.Step) -> None:
        state = State(SHMEM, LIMITS)
        assert expect(state, step) is None
        assert (state.handles, state.dmabufs, list(state.files)) == ({}, {}, [0])
        assert not any(state.mappings.values())

    def test_no_more_is_alive_than_allowed(self) -> None:
        creates = [s.Create(handle, 0, 16) for handle in range(4)]
        assert outcome(SHMEM, *creates, s.Create(4, 0, 1)) is None


class TestPrograms:
    def test_follow_from_the_seed_and_nothing_else(self) -> None:
        def program(seed: int, number: int = 0, threads: int = 2) -> object:
            return Round(seed, number, threads, 120).program(SHMEM, LIMITS, [120] * threads)

        assert program(1) == program(1)
        assert len({str(program(*which)) for which in ((1,), (2,), (1, 1), (1, 0, 3))}) == 4

    def test_their_beginning_does_not_depend_on_their_length(self) -> None:
        short, long = (Round(5, 0, 1, 300).program(SHMEM, LIMITS, [taken]).threads[0] for taken in (40, 300))
        assert long[:len(short)] == short

    @pytest.mark.parametrize("traits", [SHMEM, ETNAVIV, OLD_SHMEM, MEMFD])
    def test_have_every_kind_of_step_that_is_possible(self, traits: Traits) -> None:
        steps = [step for seed in range(6) for step in Round(seed, 0, 1, 400).program(traits, LIMITS, [400]).threads[0]]
        impossible = {"unbind", "bind"}
        impossible |= set() if traits.drm else {"open", "close", "locate"}
        impossible |= set() if traits.exports else {"export", "import", "sync", "close-dmabuf"}
        impossible |= set() if traits.prime_flags else {"map-dmabuf"}
        every = {cls.__struct_config__.tag for cls in s.Step.__args__}  # type: ignore[attr-defined]
        assert {s.name_of(step) for step in steps} == every - impossible

    def test_unplug_only_where_it_is_allowed(self) -> None:
        import msgspec

        traits = msgspec.structs.replace(SHMEM, unbind=True)
        steps = [step for seed in range(6) for step in Round(seed, 0, 1, 400).program(traits, LIMITS, [400]).threads[0]]
        assert {"unbind", "bind"} <= {s.name_of(step) for step in steps}
