"""The input side of a generated class: one method per table, and the events that run through them."""

from __future__ import annotations

from wirelaw.spec.language import model as m
from wirelaw.spec.language.types import Type
from wirelaw.tools.generate.compile import Compiler, python_type
from wirelaw.tools.generate.dispatch import Leaf, Node, Split, by_level, decide, is_silent, rows_in, share
from wirelaw.tools.generate.naming import attribute, camel, local, snake
from wirelaw.tools.generate.rename import rename
from wirelaw.tools.generate.rows import CALL, STAGE, TIMER, Exits, RowWriter
from wirelaw.tools.generate.tables import Place, TableWriter
from wirelaw.tools.generate.wrapping import LONGEST, Lines, branch, indent, quoted, wrapped


class InputWriter:
    """Writes tables, pipelines, calls and timers of one machine."""

    def __init__(self, machine: m.Machine, rows: RowWriter, compiler: Compiler, edition: int) -> None:
        self.machine = machine
        self.rows = rows
        self.compiler = compiler
        current = [r for t in machine.tables.values() for r in t.rows if not r.editions or edition in r.editions]
        self.by_id = {r.id: rename(r, self._names(r)) for r in current}
        self.tables = TableWriter(machine, rows, compiler, self.by_id)
        self.methods: dict[tuple[str, str], str] = {}  # by table and event

    def _names(self, row: m.Row) -> tuple[str, ...]:
        """What the arguments of a call are called in the method that `row` stands in; messages are renamed by pipeline."""
        return tuple(n for n, _ in self.machine.functions[row.event].params) if row.event_kind == "call" else row.binders

    def _of(self, pipeline: m.Pipeline) -> TableWriter:
        """What writes tables for one pipeline: several may go through one table and call the message by different names."""
        by_id = {r.id: rename(r, (pipeline.binder,) * len(r.binders)) if r.event_kind == "message" else r for r in self.by_id.values()}
        return TableWriter(self.machine, self.rows, self.compiler, by_id)

    def write(self) -> Lines:
        """All methods for events that come in."""
        lines: Lines = []
        for pipeline in self.machine.inputs.values():
            lines += self._pipeline(pipeline)
        for function in self.machine.functions.values():
            if function.kind == "call":
                lines += self._call(function.name, function.params)
        for timer in self.machine.timers:
            if any(r.event == timer for table in self.machine.tables.values() for r in table.rows):
                lines += self._timer(timer)
        return lines

    # --- messages ----------------------------------------------------------------------------------------------

    def _pipeline(self, pipeline: m.Pipeline) -> Lines:
        kinds = [x.name for x in self.machine.messages.values() if pipeline.message in x.lineage]
        trees = {table: {k: self._tree(table, self.machine.messages[k].lineage) for k in kinds} for table in pipeline.tables}
        binder, several = local(pipeline.binder), len(kinds) > 1
        hint = "Any" if several else camel(pipeline.message)
        runs: dict[tuple[str, ...], list[str]] = {}
        for kind in kinds:
            stages = tuple(t for t in pipeline.tables if rows_in(trees[t][kind]))
            runs.setdefault(stages, []).append(kind)
        body: Lines = [f"kind = {binder}.kind"] if several and self._by_kind(runs, kinds, pipeline) else []
        ordered = sorted(runs.items(), key=lambda run: len(run[1]))
        for i, (stages, of) in enumerate(ordered):
            part = [*self._unmet_by_kind(pipeline, of, binder), *self._run(pipeline, stages, binder)]
            if len(ordered) > 1 and i < len(ordered) - 1:
                body += branch([_one_of("kind", of)], [*part, "return"])
            else:
                body += part
        lines = [
            f"def on_{pipeline.message}(self, {binder}: {hint}, now: int) -> None:",
            f'    """Take `{pipeline.message}` through {", ".join(pipeline.tables)}; then `pump`."""',
            *indent(body or ["pass"]),
            "",
        ]
        for table in dict.fromkeys(pipeline.tables):
            lines += self._stage(pipeline, table, trees[table], binder, hint)
        return lines

    def _by_kind(self, runs: dict[tuple[str, ...], list[str]], kinds: list[str], pipeline: m.Pipeline) -> bool:
        return len(runs) > 1 or any(self._silent(pipeline, k) for k in kinds)

    def _silent(self, pipeline: m.Pipeline, kind: str) -> Node | None:
        """Where no table of the pipeline has a row for `kind`: the tree of all its rows, if it has silent leaves."""
        rows = [r for t in pipeline.tables for r in self._rows(t)]
        lineage = self.machine.messages[kind].lineage
        tree = decide(self.machine, [r for r in rows if r.event in lineage], by_level(lineage))
        return tree if is_silent(tree) else None

    def _unmet_by_kind(self, pipeline: m.Pipeline, kinds: list[str], binder: str) -> Lines:
        lines: Lines = []
        groups: list[tuple[list[str], Lines]] = []
        for kind in kinds:
            tree = self._silent(pipeline, kind)
            if tree is None:
                continue
            found = self._unmet(tree, quoted(kind), f"{binder}.")
            for of, same in groups:
                if [x.replace(quoted(of[0]), "") for x in same] == [x.replace(quoted(kind), "") for x in found]:
                    of.append(kind)
                    break
            else:
                groups.append(([kind], found))
        everything = len(kinds) == 1 or (len(groups) == 1 and len(groups[0][0]) == len(kinds))
        for of, found in groups:
            generic = [x.replace(quoted(of[0]), f"{binder}.kind") for x in found] if len(of) > 1 else found
            lines += generic if everything else branch([_one_of("kind", of)], generic)
        return lines

    def _unmet(self, tree: Node, event: str, prefix: str) -> Lines:
        """Raise where `tree` is silent. An event that meets a row anywhere meets one in the state it arrives in."""
        if isinstance(tree, Leaf):
            return [f'raise UnmetEventError("{self.machine.name}", {event}, {self.rows.state_text()})'] if not tree.rows else []
        assert isinstance(tree, Split)
        family = self.machine.regions[tree.region].family
        place = self.compiler.region(tree.region)
        if family and event.strip('"') not in self.machine.timers:
            place = f"self._{family}_of({self._key(family, prefix)}).{attribute(tree.region)}"
        lines: Lines = []
        for states, below in tree.branches:
            if is_silent(below):
                lines += branch([self.rows.in_states(place, states)], self._unmet(below, event, prefix))
        return lines

    def _run(self, pipeline: m.Pipeline, stages: tuple[str, ...], binder: str) -> Lines:
        calls = [f"self.{self._method(t, pipeline.message)}({binder}, now)" for t in stages]
        if not calls:
            return []
        return [" and ".join(calls)]

    def _method(self, table: str, event: str) -> str:
        """`_table`, with the event's name where a table serves several; no two are called the same."""
        made = self.methods.get((table, event))
        if made is None:
            served = {p.message for p in self.machine.inputs.values() if table in p.tables}
            served |= {r.event for r in self._rows(table) if r.event_kind != "message"}
            made = f"_{table}" if len(served) == 1 else f"_{table}_{event}"
            while made in self.methods.values():
                made += "_"
            self.methods[table, event] = made
        return made

    def _rows(self, table: str) -> list[m.Row]:
        return [self.by_id[r.id] for r in self.machine.tables[table].rows if r.id in self.by_id]

    def _tree(self, table: str, lineage: tuple[str, ...]) -> Node:
        rows = [r for r in self._rows(table) if r.event in lineage]
        return share(decide(self.machine, rows, by_level(lineage)), tuple(r.id for r in rows))

    def _stage(self, pipeline: m.Pipeline, table: str, trees: dict[str, Node], binder: str, hint: str) -> Lines:
        groups: list[tuple[list[str], Node]] = []
        for kind, tree in trees.items():
            if not rows_in(tree):
                continue
            for kinds, same in groups:
                if same == tree:
                    kinds.append(kind)
                    break
            else:
                groups.append(([kind], tree))
        if not groups:
            return []
        groups.sort(key=lambda g: len(g[0]))
        event = f"{binder}.kind" if len(trees) > 1 else quoted(pipeline.message)
        head = f"def {self._method(table, pipeline.message)}(self, {binder}: {hint}, now: int) -> bool:"
        for longest in (0, 24, 16, 12, 8, 6, 4):
            body, more = self._by_kind_in(groups, pipeline, hint, Place(table, STAGE, event, binder, longest))
            made = [self._method_of(head, table, self._enter(table, f"{binder}.") + body), *more]
            if all(len(wrapped(indent(method))) <= LONGEST for method in made):
                break
        return [line for method in made for line in method]

    def _by_kind_in(self, groups: list[tuple[list[str], Node]], pipeline: m.Pipeline, hint: str, place: Place) -> tuple[Lines, list[Lines]]:
        """The statements of a table for each group of kinds, and the methods that they call where they would be too long."""
        writer = self._of(pipeline)
        lines: Lines = [f"kind = {place.message}.kind"] if len(groups) > 1 else []
        more: list[Lines] = []
        family = self.machine.tables[place.table].family
        instance = {self.rows.names.instances[family]: self.rows.family_class(family)} if family else {}
        given = instance | {place.message: hint, "now": "int"}
        for i, (kinds, tree) in enumerate(groups):
            part = writer.write(tree, place)
            if len(groups) > 1 and place.longest and len(part) > LONGEST // 8:
                name = f"{self._method(place.table, pipeline.message)}_{snake(kinds[0])}"
                while name in {f"_{table}" for table in self.machine.tables}:
                    name += "_"
                head = f"def {name}(self, {', '.join(f'{n}: {kind}' for n, kind in given.items())}) -> bool:"
                more.append(self._method_of(head, place.table, part))
                part = [f"return self.{name}({', '.join(given)})"]
            lines += part if i == len(groups) - 1 else branch([_one_of("kind", kinds)], part)
        return lines, [*more, *(method for _, method in writer.apart.values())]

    def _method_of(self, head: str, table: str, body: Lines) -> Lines:
        clauses = [c for r in self._rows(table) for c in r.clauses]
        about = f"Table `{table}`" + (f" ({clauses[0]})" if clauses else "")
        return [head, f'    """{about}."""', *indent(body), ""]

    # --- calls and timers --------------------------------------------------------------------------------------

    def _call(self, name: str, params: tuple[tuple[str, Type], ...]) -> Lines:
        signature = "".join(f", {local(n)}: {python_type(t)}" for n, t in params)
        head = f"def call_{name}(self{signature}, now: int) -> str | None:"
        return self._event(name, head, f"The user's call `{name}`; the code of a refusal, or None.", CALL, [local(n) for n, _ in params])

    def _timer(self, name: str) -> Lines:
        family = self.machine.timers[name].family
        owner = {self.rows.names.instances[family]: self.rows.family_class(family)} if family else {}
        signature = "".join(f", {n}: {hint}" for n, hint in owner.items())
        head = f"def timer_{name}(self{signature}, now: int) -> None:"
        return self._event(name, head, f"Timer `{name}` has expired.", TIMER, list(owner))

    def _event(self, name: str, head: str, about: str, exits: Exits, args: list[str]) -> Lines:
        tables = [t for t in self.machine.tables if any(r.event == name for r in self._rows(t))]
        lines = [head, f'    """{about}"""']
        if len(tables) == 1:
            table = tables[0]
            enter = self._enter(table, "") if exits is CALL else []
            body = enter + self.tables.write(self._tree(table, (name,)), Place(table, exits, quoted(name)))
            return [*lines, *indent(body), ""]
        lines += indent(self._staged(name, tables, args, exits))
        for table in tables:
            passed = "".join(f", {n}: Any" for n in args)
            stage_head = f"def {self._method(table, name)}(self{passed}, now: int) -> bool:"
            body = self.tables.write(self._tree(table, (name,)), Place(table, STAGE, quoted(name)))
            enter = self._enter(table, "") if exits is CALL else []
            lines += ["", *self._method_of(stage_head, table, enter + body)[:-1]]
        return [*lines, ""]

    def _staged(self, name: str, tables: list[str], args: list[str], exits: Exits) -> Lines:
        rows = [r for t in tables for r in self._rows(t) if r.event == name]
        lines = ["self._refused = None"] if exits is CALL else []
        lines += self._unmet(decide(self.machine, rows, by_level((name,))), quoted(name), "") if rows else []
        if not rows:
            return [f'raise UnmetEventError("{self.machine.name}", {quoted(name)}, {self.rows.state_text()})']
        passed = ", ".join([*args, "now"])
        lines.append(" and ".join(f"self.{self._method(t, name)}({passed})" for t in tables))
        return [*lines, "return self._refused"] if exits is CALL else lines

    def _enter(self, table: str, prefix: str) -> Lines:
        """Find the instance that a message names by a field, or a call by an argument of the name of the family's key."""
        family = self.machine.tables[table].family
        return [self.rows.instance(family, self._key(family, prefix))] if family else []

    def _key(self, family: str, prefix: str) -> str:
        key = self.machine.families[family].key
        return f"{prefix}{key}" if prefix else local(key)


def _one_of(what: str, kinds: list[str]) -> str:
    if len(kinds) == 1:
        return f"{what} == {quoted(kinds[0])}"
    return f"{what} in ({', '.join(quoted(k) for k in kinds)})"
