"""What a generated class does about its families: instances found, kept and forgotten, lined up for output rows, and woken."""

from __future__ import annotations

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Expr, Lit, Name, negate
from wirelaw.spec.language.families import own_part
from wirelaw.spec.language.types import BOOL, Type
from wirelaw.tools.generate.compile import Compiler
from wirelaw.tools.generate.naming import attribute
from wirelaw.tools.generate.rows import RowWriter
from wirelaw.tools.generate.states import among
from wirelaw.tools.generate.wrapping import Lines, branch, indent, invoke, quoted


class FamilyWriter:
    """Writes the families of one machine; `ordered` are its output rows in the order of the profile."""

    def __init__(self, machine: m.Machine, rows: RowWriter, compiler: Compiler, ordered: list[m.Row]) -> None:
        self.machine = machine
        self.rows = rows
        self.compiler = compiler
        self.ordered = {f: [r for r in ordered if r.family == f] for f in machine.families}
        self.timers = {f: [t.name for t in machine.timers.values() if t.family == f] for f in machine.families}
        self.debts = {f: [d.name for d in rows.debts if d.family == f] for f in machine.families}

    def collection(self, family: str) -> str:
        """The attribute that holds the instances."""
        args = [str(len(self.ordered[family])), *map(quoted, (*self.timers[family], *self.debts[family]))]
        return invoke(f"{self._place(family)}: Instances[{self.rows.family_class(family)}] = Instances", args)

    def _place(self, family: str) -> str:
        return f"self.{attribute(family)}"

    def line(self, row: m.Row) -> str:
        """The instances that may fire `row`."""
        return f"{self._place(row.family)}.lines[{self.ordered[row.family].index(row)}]"

    def access(self) -> Lines:
        """A method for each family that finds an instance."""
        lines: Lines = []
        for family in self.machine.families:
            kind = self.rows.family_class(family)
            lines += [
                f"def _{family}_of(self, key: Any) -> {kind}:",
                f'    """The instance of family `{family}` for this key; where none is kept, a fresh one."""',
                f"    found = {self._place(family)}.by_key.get(key)",
                f"    return {kind}(key) if found is None else found",
                "",
            ]
        return lines

    def fired(self, row: m.Row) -> Lines:
        """The instance that fired `row` goes to the end of the line."""
        if not row.family:
            return []
        return [f"{self.line(row)}.pop({self.rows.names.instances[row.family]}.key, None)", *self.rows.settled(row.family)]

    # --- after a change ----------------------------------------------------------------------------------------

    def settling(self) -> Lines:
        """A method for each family that keeps or forgets an instance after a row."""
        return [line for family in self.machine.families for line in self._settle(family)]

    def _settle(self, family: str) -> Lines:
        place, name = self._place(family), self.rows.names.instances[family]
        begun = self._as_begun(family, ("var", "user"))
        fresh = self.compiler.condition(begun) + [f"{name}.{t}_at is None" for t in self.timers[family]]
        fresh += [f"{name}.{d}_due is None" for d in self.debts[family]]
        body = branch([" or ".join([*self._ended(family), f"({' and '.join(fresh)})" if self._ended(family) else " and ".join(fresh)])],
                      [f"{place}.forget({name})", "return"]) if fresh else []  # fmt: skip
        seen = self._as_begun(family, ("var",))
        shows = "True" if len(seen) == len(fresh) else self.compiler.negation(seen) if seen else "False"
        body.append(f"{place}.keep({name}, {shows})")
        for timer in self.timers[family]:
            body.append(f"{place}.timers.set({quoted(timer)}, {name}, {name}.{timer}_at)")
        for debt in self.debts[family]:
            body.append(f"{place}.owe({quoted(debt)}, {name}, {name}.{debt}_due, now)")
        for n, row in enumerate(self.ordered[family]):
            is_inside, own, _ = own_part(row, self.machine)
            where = (among(self.machine, row.states),) if is_inside else ()
            ready = " and ".join(self.compiler.condition((*where, *self.compiler.fold_all(own)))) or "True"
            body.append(f"{place}.line_up({n}, {name}, {ready})")
        return [
            f"def _settle_{family}(self, {name}: {self.rows.family_class(family)}, now: int) -> None:",
            '    """Keep the instance unless it is as instances begin or has ended; line it up for the rows that it may fire."""',
            *indent(body), "",
        ]  # fmt: skip

    def _ended(self, family: str) -> list[str]:
        found = []
        for region in self.machine.regions.values():
            final = frozenset(s.name for s in region.states if s.final)
            if region.family == family and final:
                found.append(self.rows.in_states(self.compiler.region(region.name), final))
        return found

    def _as_begun(self, family: str, kinds: tuple[str, ...]) -> tuple[Expr, ...]:
        """That regions, and variables of these kinds, are as instances begin."""
        found: list[Expr] = []
        for r in self.machine.regions.values():
            if r.family == family:
                kind = Type("enum", r.name)
                found.append(Binary("==", Name(r.name, "region", type=kind), Lit(r.initial[0].name, type=kind), type=BOOL))
        for v in self.machine.variables.values():
            if v.family == family and v.kind in kinds:
                name, init = Name(v.name, "var", type=v.type), self.compiler.fold(v.init)
                if v.type == BOOL and isinstance(init, Lit):
                    found.append(name if init.value else negate(name))
                else:
                    found.append(Binary("==", name, init, type=BOOL))
        return tuple(found)

    # --- time --------------------------------------------------------------------------------------------------

    def wake(self) -> Lines:
        """Line up the instances whose debts have fallen due."""
        lines: Lines = []
        for family in (f for f in self.machine.families if self.debts[f]):
            lines.append(f"while ({self.rows.names.instances[family]} := {self._place(family)}.waking(now)) is not None:")
            lines += indent(self.rows.settled(family))
        return lines

    def most(self) -> str:
        """How many outputs one `pump` makes at most: so many for the machine, and for each instance that is kept."""
        kept = [f"len({self._place(f)}.by_key)" for f in self.machine.families]
        return f"OUTPUTS_PER_PUMP * (1 + {' + '.join(kept)})" if kept else "OUTPUTS_PER_PUMP"

    def times(self) -> list[str]:
        """The timetables that `deadline` asks."""
        found = [f"{self._place(f)}.timers" for f in self.machine.families if self.timers[f]]
        return found + [f"{self._place(f)}.dues" for f in self.machine.families if self.debts[f]]

    def expired(self) -> Lines:
        """In a round of `tick`: fire the first timer of an instance, where it comes before `which` at `at`."""
        lines: Lines = []
        families = [f for f in self.machine.families if self.timers[f]]
        for family in families:
            name = f"first_{family}"
            lines += [f"{name} = {self._place(family)}.timers.first()", f'if {name} is not None and {name}[:2] < (at, which or "~"):']
            lines.append(f"    at, which = {name}[:2]")
        for family in families:
            name = self.rows.names.instances[family]
            for timer in self.timers[family]:
                noticed = any(r.event == timer for table in self.machine.tables.values() for r in table.rows)
                fire = [f"{name} = first_{family}[2]", f"{name}.{timer}_at = None"]
                fire += [f"self.timer_{timer}({name}, now)"] if noticed else []
                fire += [*self.rows.settled(family), "continue"]
                lines += branch([f"first_{family} is not None", f"which == {quoted(timer)}"], fire)
        return lines
