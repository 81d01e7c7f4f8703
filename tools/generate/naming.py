"""How things of the law are called in generated Python."""

from __future__ import annotations

import keyword

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import complain

# Names that a generated class or method uses itself.
_ATTRIBUTES = frozenset({"host", "on_step", "tick", "pump", "deadline", "key", "serial", "counted"})
_CLASSES = frozenset(
    {"Any", "Callable", "ClassVar", "EndlessOutputError", "Final", "IncompleteTableError", "Protocol", "Step", "UnmetEventError"}
)
_LOCALS = frozenset({"self", "now", "st", "o", "due", "made", "kind", "which", "at", "best", "key"})


def camel(name: str) -> str:
    """The class of a machine or message: `tcp.connection` -> `TcpConnection`. What a generated module imports keeps its name."""
    made = "".join(part[:1].upper() + part[1:] for part in name.replace(".", "_").replace("-", "_").split("_"))
    return f"{made}_" if made in _CLASSES else made


def snake(name: str) -> str:
    """A row or machine name as an identifier: `tx.data-2` -> `tx_data_2`."""
    return name.replace(".", "_").replace("-", "_")


def attribute(name: str) -> str:
    """The attribute that holds a variable, region, timer slot or family."""
    return f"{name}_" if name in _ATTRIBUTES or keyword.iskeyword(name) else name


def local(name: str) -> str:
    """A binder or argument as a local name."""
    return f"{name}_" if (name in _LOCALS and name != "o") or keyword.iskeyword(name) else name


class Names:
    """All module-level and attribute names of one machine, free of clashes."""

    def __init__(self, machine: m.Machine) -> None:
        self.machine = machine
        self.class_name = camel(machine.name)
        self.sets: dict[frozenset[str], str] = {}
        self._taken = {*machine.states, *map(camel, machine.messages)}
        self.params = {name: self._constant(name.upper()) for name in machine.params}
        self._groups = {members: self._constant(f"_{name}") for name, members in machine.groups.items()}
        self.instances = {name: self._instance(name) for name in machine.families}
        self._check_attributes()
        self._check_classes()
        self._check_fields()

    def _instance(self, family: str) -> str:
        """The local name for an instance of a family, which no message or argument has."""
        taken = {b for r in self.machine.rows() for b in r.binders} | {p.binder for p in self.machine.inputs.values()}
        taken |= {local(n) for f in self.machine.functions.values() for n, _ in f.params}
        name = local(family)
        while name in taken:
            name += "_"
        return name

    def _constant(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _check_attributes(self) -> None:
        machine = self.machine
        owners: dict[str, str] = {attribute(n): n for n in (*machine.variables, *machine.regions, *machine.families)}
        derived = [(f"{n}_at", n) for n in machine.timers]
        for debt in machine.debts.values():
            derived += [(f"{debt.name}_due", debt.name), *((f"{debt.name}_{p}", debt.name) for p, _ in debt.params)]
        derived += [(f"on_{name}", f"input {name}") for name in machine.inputs] + [(f"timer_{n}", f"timer {n}") for n in machine.timers]
        derived += [(f"call_{f.name}", f"call {f.name}") for f in machine.functions.values() if f.kind == "call"]
        for name, owner in derived:
            if name in owners:
                raise complain(machine.span, f"`{name}`, made for `{owner}`, clashes with `{owners[name]}`", "Rename one of the two.")
            owners[name] = owner

    def _check_classes(self) -> None:
        machine = self.machine
        owners = {name: f"state {name}" for name in machine.states}
        made = [(self.class_name, f"machine `{machine.name}`", machine.span), (f"{self.class_name}Host", "its host", machine.span)]
        made += [(self.class_name + camel(f), f"family `{f}`", machine.span) for f in machine.families]
        for name, owner, span in (*made, *((camel(x.name), f"message `{x.name}`", x.span) for x in machine.messages.values())):
            if name in owners:
                raise complain(
                    span, f"{owner} and {owners[name]} are both called {name} in the code made from them", "Rename one of the two."
                )
            owners[name] = owner

    def _check_fields(self) -> None:
        for message in self.machine.messages.values():
            for field in message.fields.values():
                if keyword.iskeyword(field.name):
                    raise complain(field.span, f"field `{field.name}` is a word of Python", "Rename it.")

    def state_set(self, states: frozenset[str]) -> str:
        """The module constant that holds these states."""
        if states not in self.sets:
            self.sets[states] = self._groups.get(states) or self._constant(self._describe(states))
        return self.sets[states]

    def _describe(self, states: frozenset[str]) -> str:
        """Few states by their names, others by those that are missing, or by the first row that stands in just these."""
        region = self.machine.regions[self.machine.states[min(states)].region]
        inside = [s.name for s in region.states if s.name in states]
        outside = [s.name for s in region.states if s.name not in states]
        row = next((r.id for r in self.machine.rows() if r.states == states), "")
        if len(inside) > 3 and row:
            return f"_STATES_OF_{snake(row).upper()}"
        return "_" + "_OR_".join(inside) if len(inside) <= len(outside) else "_NOT_" + "_NOR_".join(outside)
