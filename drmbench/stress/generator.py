# SPDX-License-Identifier: MIT
"""The next step of a random program: chosen by the model's state alone, never by what the kernel does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

from drmbench.stress import steps as s
from drmbench.stress.predict import slot_pages
from drmbench.stress.state import OWNED_RUN_PAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drmbench.stress.choices import Choices
    from drmbench.stress.state import Handle, State

_FILES = 3
_DMABUFS = 4
_TRIES = 8
_PROTS: tuple[s.Prot, ...] = (*("write",) * 12, "read", "read", "none")
_ADVICE: tuple[s.Advice, ...] = get_args(s.Advice)


class Kind(NamedTuple):
    """A kind of step: how often, and a maker that returns None where it is not possible now."""

    weight: int
    make: Callable[[Choices, State], s.Step | None]


def choose(choices: Choices, state: State) -> s.Step:
    """A step for this state; most of them succeed, some are mistakes on purpose."""
    for _try in range(_TRIES):
        step = choices.pick(_TICKETS)(choices, state)
        if step is not None:
            return step
    return s.Read(0, 0, 1)


def _free(used: Iterable[int], slots: int = s.SLOTS) -> list[int]:
    return [slot for slot in range(slots) if slot not in set(used)]


def _mapped(state: State) -> list[int]:
    return [slot for slot, vmas in state.mappings.items() if vmas]


def _empty(state: State) -> list[int]:
    return _free(_mapped(state))


def _alive(state: State) -> list[int]:
    return [slot for slot, handle in state.handles.items() if handle.alive]


def _any_handle(choices: Choices, state: State) -> int | None:
    """Mostly one that is alive."""
    alive, every = _alive(state), list(state.handles)
    options = every if choices.number(0, 5) == 5 else alive
    return choices.pick(options) if options else None


def _handle_room(state: State) -> list[int]:
    return _free(_alive(state))


def _size(choices: Choices, pages: int) -> int:
    """The whole, or any number of pages, small ones more often."""
    return pages if choices.number(0, 3) else choices.number(1, max(1, choices.number(1, pages)))


def _create(choices: Choices, state: State) -> s.Step | None:
    room = _handle_room(state)
    if not room or not state.files:
        return None
    pages = choices.number(1, choices.pick((4, 16, state.limits.buffer_pages)))
    return s.Create(choices.pick(room), choices.pick(list(state.files)), min(pages, state.limits.buffer_pages))


def _map(choices: Choices, state: State) -> s.Step | None:
    alive, room = _alive(state), _empty(state)
    if not alive or not room:
        return None
    slot = choices.pick(alive)
    handle = state.handles[slot]
    return s.Map(choices.pick(room), slot, _file_of(choices, state, handle), _length(choices, state, handle.body.pages),
                 choices.pick(_PROTS))


def _file_of(choices: Choices, state: State, handle: Handle) -> int:
    """Its own open file mostly, else any."""
    own = [slot for slot, file in state.files.items() if file is handle.file]
    return choices.pick(list(state.files)) if choices.number(0, 7) == 7 or not own else own[0]


def _length(choices: Choices, state: State, pages: int) -> int:
    """Mostly the whole buffer, sometimes less, seldom more."""
    if choices.number(0, 9) == 9:
        return min(pages + choices.number(1, 4), slot_pages(state))
    return _size(choices, pages)


def _map_shared(choices: Choices, state: State) -> s.Step | None:
    room = _empty(state)
    if not room or not state.shared:
        return None
    shared = choices.number(0, len(state.shared) - 1)
    return s.MapShared(choices.pick(room), shared, _length(choices, state, state.shared[shared].pages),
                       choices.pick(_PROTS))


def _map_dmabuf(choices: Choices, state: State) -> s.Step | None:
    room = _empty(state)
    if not room or not state.dmabufs or state.traits.prime_flags is None:
        return None
    slot = choices.pick(list(state.dmabufs))
    return s.MapDmabuf(choices.pick(room), slot, _length(choices, state, state.dmabufs[slot].pages),
                       choices.pick(_PROTS))


class _Range(NamedTuple):
    mapping: int
    first: int
    pages: int


def _range(choices: Choices, state: State) -> _Range | None:
    """Pages of a mapping: inside one VMA mostly, sometimes across its ends, seldom of an empty slot."""
    mapped = _mapped(state)
    if choices.number(0, 40) == 40:
        return _Range(choices.number(0, s.SLOTS - 1), 0, choices.number(1, 4))
    if not mapped:
        return None
    slot = choices.pick(mapped)
    vma = choices.pick(state.vmas(slot))
    first = vma.first if choices.number(0, 2) == 0 else vma.first + choices.number(0, vma.count - 1)
    count = _size(choices, vma.last - first)
    if choices.number(0, 11) == 11:
        first = max(0, first - choices.number(0, 3))
        count += choices.number(0, 4)
    return _Range(slot, first, min(count, slot_pages(state) - first))


def _read(choices: Choices, state: State) -> s.Read | None:
    where = _range(choices, state)
    return where and s.Read(*where)


def _write(choices: Choices, state: State) -> s.Write | None:
    """A tag that was never used before, so that whatever is found tells when it was written."""
    where = _range(choices, state)
    if where is None:
        return None
    mapping, first, count = where
    state.tags += 1
    vma = next((vma for vma in state.vmas(mapping) if vma.first <= first < vma.last), None)
    if vma is not None and vma.body.others:  # a run of our own in a buffer that threads share
        page = vma.index + first - vma.first
        own = [p for p in range(vma.index, vma.index + vma.count) if p not in vma.body.others]
        page = choices.pick(own) if own and page in vma.body.others else page
        first = vma.first + page - vma.index
        count = min(count, OWNED_RUN_PAGES - page % OWNED_RUN_PAGES)
    return s.Write(mapping, first, count, state.tags)


def _fork(choices: Choices, state: State) -> s.Step | None:
    made = [choices.pick((_read, _write))(choices, state) for _access in range(choices.number(1, 3))]
    accesses = tuple(access for access in made if access is not None)
    return s.Fork(accesses) if accesses else None


def _unmap(choices: Choices, state: State) -> s.Step | None:
    where = _range(choices, state)
    if where is not None and choices.number(0, 2):
        return s.Unmap(where.mapping, 0, slot_pages(state))
    return where and s.Unmap(*where)


def _protect(choices: Choices, state: State) -> s.Step | None:
    where = _range(choices, state)
    return where and s.Protect(*where, choices.pick(_PROTS))


def _advise(choices: Choices, state: State) -> s.Step | None:
    where = _range(choices, state)
    return where and s.Advise(*where, choices.pick(_ADVICE))


def _move(choices: Choices, state: State) -> s.Step | None:
    where = _range(choices, state)
    if where is None or state.inside_one(where.mapping, where.first, where.first + where.pages) is None:
        return None
    room = [slot for slot in _empty(state) if slot != where.mapping]
    return s.Move(*where, choices.pick(room)) if room else None


def _resize(choices: Choices, state: State) -> s.Step | None:
    mapped = _mapped(state)
    if not mapped:
        return None
    slot = choices.pick(mapped)
    vma = choices.pick(state.vmas(slot))
    pages = choices.number(1, min(vma.count + 4, slot_pages(state) - vma.first))
    return s.Resize(slot, vma.first, vma.count, pages)


def _destroy(choices: Choices, state: State) -> s.Step | None:
    slot = _any_handle(choices, state)
    return None if slot is None else s.Destroy(slot)


def _locate(choices: Choices, state: State) -> s.Step | None:
    slot = _any_handle(choices, state)
    return None if slot is None or not state.traits.fake_offset else s.Locate(slot)


def _open(choices: Choices, state: State) -> s.Step | None:
    room = _free(state.files, _FILES)
    return s.Open(choices.pick(room)) if room and state.traits.drm and not state.unbound else None


def _close(choices: Choices, state: State) -> s.Step | None:
    return s.Close(choices.pick(list(state.files))) if state.files and state.traits.drm else None


def _export(choices: Choices, state: State) -> s.Step | None:
    slot, room = _any_handle(choices, state), _free(state.dmabufs, _DMABUFS)
    return s.Export(slot, choices.pick(room)) if room and slot is not None and state.traits.exports else None


def _import(choices: Choices, state: State) -> s.Step | None:
    room = _handle_room(state)
    if not room or not state.dmabufs or not state.files or not state.traits.imports:
        return None
    return s.Import(choices.pick(list(state.dmabufs)), choices.pick(list(state.files)), choices.pick(room))


def _sync(choices: Choices, state: State) -> s.Step | None:
    return s.Sync(choices.pick(list(state.dmabufs))) if state.dmabufs else None


def _close_dmabuf(choices: Choices, state: State) -> s.Step | None:
    return s.CloseDmabuf(choices.pick(list(state.dmabufs))) if state.dmabufs else None


def _unbind(choices: Choices, state: State) -> s.Step | None:
    """Seldom, and soon undone: nothing new can be made meanwhile."""
    if state.unbound:
        return s.Bind()
    return s.Unbind() if state.traits.unbind and choices.number(0, 9) == 9 else None


KINDS: tuple[Kind, ...] = (
    Kind(10, _create), Kind(12, _map), Kind(22, _write), Kind(22, _read), Kind(7, _unmap), Kind(5, _destroy),
    Kind(7, _protect), Kind(7, _advise), Kind(5, _move), Kind(4, _resize), Kind(2, _fork), Kind(2, _open),
    Kind(1, _close), Kind(2, _locate), Kind(4, _export), Kind(4, _import), Kind(4, _map_dmabuf), Kind(1, _sync),
    Kind(3, _close_dmabuf), Kind(4, _map_shared), Kind(2, _unbind),
)
_TICKETS = tuple(kind.make for kind in KINDS for _ticket in range(kind.weight))
