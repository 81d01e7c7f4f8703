"""A machine of the law on a bench: fed message by message, its outputs kept; as interpreter or as generated code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from tables import generated_module
from wirelaw.spec.language.expressions import Lit
from wirelaw.spec.language.interpret import Interpreter
from wirelaw.spec.language.load import Law
from wirelaw.spec.language.model import Machine, MessageField
from wirelaw.tools.generate import generate
from wirelaw.tools.generate.naming import camel

READINGS = ("interpreted", "generated")
Answers = Mapping[str, Callable[..., Any]]


class Rig:
    """One machine under the profile `wirelaw`. `facts` maps field names to what an honest peer's message has there now."""

    def __init__(
        self, law: Law, name: str, answers: Answers, facts: Mapping[str, Callable[[Rig], Any]], reading: str = "interpreted",
        edition: int | None = None,
    ) -> None:  # fmt: skip
        self.machine: Machine = law.machine(name)
        self.answers, self.facts = answers, facts
        self.sent: list[SimpleNamespace] = []
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.rows: list[str] = []
        self.now = 0
        self.interpreted = reading == "interpreted"
        profile = law.profile("wirelaw", name)
        if self.interpreted:
            self.it: Any = Interpreter(self.machine, profile, self, self._step, edition)
        else:
            module = generated_module(generate(self.machine, profile))
            self.it = getattr(module, camel(name))(_Flat(self), self._step)

    # --- what surrounds the machine ----------------------------------------------------------------------------------

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        """Answer a question."""
        return self.answers[name](self, *args)

    def tell(self, name: str, args: tuple[Any, ...]) -> None:
        """Keep news."""
        self.told.append((name, args))

    def emit(self, message: str, fields: Any) -> None:
        """Keep an output."""
        values = {n: getattr(fields, n) for n in self.machine.messages[message].fields}
        self.sent.append(SimpleNamespace(kind=message, **values))

    def _step(self, step: Any) -> None:
        self.rows.append(step.row)

    # --- driving -----------------------------------------------------------------------------------------------------

    def message(self, name: str, /, **fields: Any) -> SimpleNamespace:
        """A message with every field: as given, as the facts say, else its default or zero."""
        known = self.machine.messages[name].fields
        assert set(fields) <= set(known), set(fields) - set(known)
        made = {n: self.facts[n](self) if n in self.facts else _plain(f) for n, f in known.items()}
        return SimpleNamespace(kind=name, **{**made, **fields})

    def receive(self, name: str, /, **fields: Any) -> list[SimpleNamespace]:
        """One message in; what goes out then."""
        before = len(self.sent)
        m = self.message(name, **fields)
        root = self.machine.messages[name].root
        if self.interpreted:
            self.it.input(name, m, self.now)
        else:
            getattr(self.it, f"on_{root}")(m, self.now)
        self.it.pump(self.now)
        return self.sent[before:]

    def call(self, name: str, *args: Any) -> list[SimpleNamespace]:
        """A call of the user; what goes out then."""
        before = len(self.sent)
        if self.interpreted:
            self.it.call(name, *args, now=self.now)
        else:
            getattr(self.it, f"call_{name}")(*args, self.now)
        self.it.pump(self.now)
        return self.sent[before:]

    def pump(self) -> list[SimpleNamespace]:
        """What goes out by itself."""
        before = len(self.sent)
        self.it.pump(self.now)
        return self.sent[before:]

    def wait(self, microseconds: int) -> list[SimpleNamespace]:
        """Time passes; what goes out then."""
        before = len(self.sent)
        self.now += microseconds
        self.it.tick(self.now)
        self.it.pump(self.now)
        return self.sent[before:]

    def __getitem__(self, name: str) -> Any:
        """The value of a variable or the state of a region."""
        return self.it.get(name) if self.interpreted else getattr(self.it, name)

    def put(self, name: str, value: Any) -> None:
        """Set a variable, to reach a place that takes long otherwise."""
        if self.interpreted:
            self.it.put(name, value)
        else:
            setattr(self.it, name, value)

    def kinds(self) -> list[str]:
        """Kinds of everything sent so far."""
        return [o.kind for o in self.sent]


class _Flat:
    """The host as generated code sees it: one method per question, news and message."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def __getattr__(self, name: str) -> Callable[..., Any]:
        what, _, which = name.partition("_")
        if what == "emit":
            return lambda o: self._rig.emit(which, o)
        if what == "tell":
            return lambda *args: self._rig.tell(which, args)
        assert what == "ask", name
        return lambda *args: self._rig.ask(which, args)


def _plain(field: MessageField) -> Any:
    if isinstance(field.default, Lit):
        return field.default.value
    match field.type.kind:
        case "bool":
            return False
        case "uint" | "seq" | "duration" | "time":
            return 0
        case "string":
            return ""
    return None
