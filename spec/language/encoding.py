"""The typed model as JSON, and back by a reader that believes nothing.

A model is written as a list of nodes, one for each object of a dataclass, parts before wholes: `[class, field, ..]`, where a
field that holds such an object is its place in the list. Equal nodes are written once. The annotations of the classes say what
each field may hold, and the reader takes nothing else: no other class, no number for a name, no name that could be more than
one in the code that is emitted from the model. Names of files are left out, so that the same law is the same text anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from wirelaw.spec.language.deviations import Deviations
from wirelaw.spec.language.expressions import Expr
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.profile import Profile

Models = tuple[list[Machine], list[Profile], list[Deviations]]
Read = Callable[[Any, "_State"], Any]

_NAME = re.compile(r"[\w.:/-]*")
_OPERATOR = re.compile(r"[-+*/%<>=!]{1,2}|and|or|not")
_PROSE = frozenset({"doc", "origin", "value", "reason", "versions"})  # shown or quoted, never part of code
_FILE = frozenset({"file", "files"})


class MalformedError(ValueError):
    """A text that no model was written as."""


def encode(models: Models, files: Sequence[str]) -> str:
    """The JSON text of these; `files` are all names of files that occur in them. ValueError where another one does."""
    writer = _Writer(files)
    roots = [[writer.put(x) for x in group] for group in models]
    return json.dumps([writer.nodes, *roots], separators=(",", ":"))


def decode(text: str, files: Sequence[str]) -> Models:
    """What `encode` was given, its files now called `files`. Raises `MalformedError`."""
    state = _State(("", *files))
    try:
        nodes, machines, profiles, deviations = json.loads(text)
        table = _schema()
        for which, *values in nodes:
            class_, parts = table[which]
            made = object.__new__(class_)
            for (put, read), value in zip(parts, values, strict=True):
                put(made, read(value, state))
            state.made.append(made)
        return (
            [_reference(Machine)(x, state) for x in machines],
            [_reference(Profile)(x, state) for x in profiles],
            [_reference(Deviations)(x, state) for x in deviations],
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise MalformedError(str(error)) from None


class _Writer:
    def __init__(self, files: Sequence[str]) -> None:
        self.nodes: list[Any] = []
        self._files = ("", *files)
        self._number = {class_: i for i, class_ in enumerate(_classes())}
        self._held: dict[int, tuple[Any, int]] = {}
        self._places: dict[tuple[Any, ...], int] = {}

    def put(self, value: Any) -> Any:
        """`value` as JSON; an object becomes its place among the nodes."""
        if isinstance(value, tuple):
            return [self.put(x) for x in value]
        if isinstance(value, frozenset):
            return sorted(value)
        if isinstance(value, dict):
            return {key: self.put(x) for key, x in value.items()}
        if not is_dataclass(value):
            return value
        if id(value) not in self._held:  # the value is held as well, so that nothing else gets its identity
            self._held[id(value)] = (value, self._node(value))
        return self._held[id(value)][1]

    def _node(self, value: Any) -> int:
        node: list[Any] = [self._number[type(value)]]
        for f in fields(value):
            held = getattr(value, f.name)
            if f.name in _FILE:
                node.append(self._files.index(held) if f.name == "file" else [self._files.index(x) for x in held])
            else:
                node.append(self.put(held))
        key = (*node, *map(type, node)) if all(isinstance(x, str | int | None) for x in node) else (len(self.nodes), ...)
        if key not in self._places:
            self._places[key] = len(self.nodes)
            self.nodes.append(node)
        return self._places[key]


class _State:
    """What has been read so far. `names` are texts found to be names."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self.files = files
        self.made: list[Any] = []
        self.names: set[str] = set()


# --- what a field may hold ---------------------------------------------------------------------------------------------


@cache
def _classes() -> tuple[type, ...]:
    """Every class that occurs in a model, by name."""
    found: set[type] = set()
    waiting: list[Any] = [Machine, Profile, Deviations, *_below(Expr)]
    while waiting:
        hint = waiting.pop()
        if is_dataclass(hint) and isinstance(hint, type):
            if hint not in found and hint is not Expr:
                found.add(hint)
                waiting += get_type_hints(hint).values()
        else:
            waiting += get_args(hint)
    return tuple(sorted(found, key=_full_name))


def _full_name(class_: type) -> str:
    return f"{class_.__module__}.{class_.__name__}"


def _below(class_: Any) -> Iterator[type]:
    """The subclasses that are not replaced by a slotted twin of the same name."""
    latest: dict[str, type] = {}
    for found in class_.__subclasses__():
        latest[found.__name__] = found
    yield from latest.values()


@cache
def _schema() -> tuple[tuple[type, tuple[tuple[Callable[[Any, Any], None], Read], ...]], ...]:
    """For each class how to set and how to read each of its fields."""
    made = []
    for class_ in _classes():
        hints = get_type_hints(class_)
        parts = tuple((getattr(class_, f.name).__set__, _field(f.name, hints[f.name])) for f in fields(class_))
        made.append((class_, parts))
    return tuple(made)


def _field(name: str, hint: Any) -> Read:
    if name == "file":
        return lambda value, state: state.files[_exactly(int)(value, state)]
    if name == "files":
        return lambda value, state: tuple(state.files[x] for x in value)
    if name == "op":
        return _operator
    return _reader(hint, _exactly(str) if name in _PROSE else _name)


def _reader(hint: Any, text: Read) -> Read:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _either({kind: read for a in args for kind, read in ((_json_type(a), _reader(a, text)),)})
    if origin is tuple and args[-1] is not ...:
        return _exactly_these([_reader(a, text) for a in args])
    if origin in (tuple, frozenset):
        return _several(origin, _reader(args[0], text))
    if origin is dict:
        return _mapping(_reader(args[1], text))
    if hint is str:
        return text
    if hint in (int, bool, NoneType):
        return _exactly(hint)
    return _reference(hint)


def _json_type(hint: Any) -> type:
    """What a value of `hint` is in JSON."""
    origin = get_origin(hint)
    if origin is not None:
        return dict if origin is dict else list
    return hint if hint in (str, int, bool, NoneType) else int


@cache
def _exactly(kind: type) -> Read:
    def read(value: Any, _: _State) -> Any:
        if type(value) is not kind:
            raise MalformedError(f"{value!r} is no {kind.__name__}")
        return value

    return read


@cache
def _reference(class_: type) -> Read:
    classes = frozenset(_below(Expr)) if class_ is Expr else frozenset({class_})

    def read(value: Any, state: _State) -> Any:
        found = state.made[value]
        if type(found) not in classes:
            raise MalformedError(f"{type(found).__name__} for {class_.__name__}")
        return found

    return read


def _either(readers: dict[type, Read]) -> Read:
    return lambda value, state: readers[type(value)](value, state)


def _several(kind: type, read: Read) -> Read:
    return lambda value, state: kind([read(x, state) for x in _exactly(list)(value, state)])


def _exactly_these(readers: list[Read]) -> Read:
    return lambda value, state: tuple(read(x, state) for read, x in zip(readers, value, strict=True))


def _mapping(read: Read) -> Read:
    return lambda value, state: {_name(key, state): read(x, state) for key, x in _exactly(dict)(value, state).items()}


def _name(value: Any, state: _State) -> str:
    if value not in state.names:
        if type(value) is not str or not _NAME.fullmatch(value):
            raise MalformedError(f"{value!r} is no name")
        state.names.add(value)
    return str(value)


def _operator(value: Any, state: _State) -> str:
    if not _OPERATOR.fullmatch(value):
        raise MalformedError(f"{value!r} is no operator")
    return str(value)
