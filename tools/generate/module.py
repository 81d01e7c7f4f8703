"""A whole generated module: header, constants, messages, the host's protocol, the class."""

from __future__ import annotations

import re
from pathlib import Path

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import complain
from wirelaw.spec.language.interpret import editions
from wirelaw.spec.language.load import SPEC
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.sugar import at_edition
from wirelaw.tools.generate.compile import Compiler, python_type, statements
from wirelaw.tools.generate.families import FamilyWriter
from wirelaw.tools.generate.inputs import InputWriter
from wirelaw.tools.generate.naming import Names, attribute, camel
from wirelaw.tools.generate.outputs import OutputWriter
from wirelaw.tools.generate.rows import RowWriter
from wirelaw.tools.generate.wrapping import Lines, indent, invoke, wrapped

HEADER = "# GENERATED, never edit"


def generate(machine: m.Machine, profile: Profile, edition: int | None = None) -> str:
    """The text of the module that implements `machine` under `profile` (newest edition by default).

    Raises LawError for what only an implementation cannot do without: a field that nobody binds, an open choice.
    """
    known = editions(machine)
    return _Module(machine, profile, edition if edition is not None else (known[-1] if known else 0)).text()


class _Module:
    def __init__(self, machine: m.Machine, profile: Profile, edition: int) -> None:
        machine = at_edition(machine, edition)
        self.machine = machine
        self.profile = profile
        self.edition = edition
        self._check_profile()
        self.names = Names(machine)
        self.compiler = Compiler(machine, profile, self.names)
        self.rows = RowWriter(machine, profile, self.names, self.compiler)

    def _check_profile(self) -> None:
        machine, profile = self.machine, self.profile
        for name in (*machine.choices, *machine.params):
            if name not in profile.choices and name not in profile.params:
                raise complain(profile.span, f"profile `{profile.name}` leaves `{name}` open", "Bind it with `choose` or `set`.")

    def text(self) -> str:
        """The module."""
        body = [*self._class(), *self._families()]
        code = "\n".join(body)
        lines = [*self._header(), *self._imports(code), "", *self._constants(), *self._messages(), *self._host(), *body]
        return re.sub(r"\n{4,}", "\n\n\n", "\n".join(wrapped(lines)).rstrip() + "\n")

    # --- top ---------------------------------------------------------------------------------------------------

    def _header(self) -> Lines:
        machine, profile = self.machine, self.profile
        sources = dict.fromkeys(_relative(f) for f in (*machine.files, profile.span.file))
        doc = (machine.doc or f"Machine {machine.name}.").replace("\\", "\\\\").replace('"""', "'''")
        edition = f", edition {self.edition}" if self.edition else ""
        return [
            f"{HEADER}: change the law below and run `python -m wirelaw.tools.generate`.",
            *(f"#   {source}" for source in sources),
            f'"""{doc}',
            "",
            f"Machine {machine.name} under profile {profile.name}{edition}.",
            "Each branch names the row it stands for: `[row] clause`.",
            '"""',
            "",
            "from __future__ import annotations",
            "",
        ]

    def _imports(self, code: str) -> Lines:
        lines = ["from collections.abc import Callable", "from dataclasses import dataclass"]
        lines += ["from typing import Any, ClassVar, Final, Protocol", ""]
        used = [n for n in ("EndlessOutputError", "IncompleteTableError", "OUTPUTS_PER_PUMP", "Step", "UnmetEventError") if n in code]
        if self.machine.families:
            lines.append("from wirelaw.impl.runtime.instances import Instances")
        lines.append(f"from wirelaw.impl.runtime.machine import {', '.join(used)}")
        if self.compiler.externs:
            if not self.machine.externs_module:
                listed = ", ".join(sorted(self.compiler.externs))
                raise complain(self.machine.span, f"nothing says where {listed} is defined", 'Add `externs "module"`.')
            lines.append(f"from {self.machine.externs_module} import {', '.join(sorted(self.compiler.externs))}")
        return lines

    def _constants(self) -> Lines:
        lines: Lines = []
        for region in self.machine.regions.values():
            lines += [f"# States of region `{region.name}`."]
            lines += [f'{s.name}: Final = "{s.name}"' for s in region.states]
        for states, name in self.names.sets.items():
            region = self.machine.regions[self.machine.states[min(states)].region]
            members = [s.name for s in region.states if s.name in states]
            lines.append(invoke(f"{name}: Final = frozenset", [f"{{{', '.join(members)}}}"]))
        used = [n for n in self.machine.params if n in self.compiler.params]
        if used:
            lines += ["", f"# Parameters of profile `{self.profile.name}`; durations in microseconds."]
            lines += [f"{self.names.params[n]}: Final = {self.profile.params[n]}" for n in used]
        return [*lines, "", ""]

    def _messages(self) -> Lines:
        """One class per message, all fields with defaults; a kind is a subclass of its class."""
        lines: Lines = []
        for message in self.machine.messages.values():
            parent = f"({camel(message.parent)})" if message.parent else ""
            inherited = self.machine.messages[message.parent].fields if message.parent else {}
            body = [] if "kind" in message.fields else [f'kind: ClassVar[str] = "{message.name}"']
            for field in message.fields.values():
                if field.name in inherited and field.name != "kind":
                    continue
                default = self.rows.initial(message.name, field.name)
                body.append(f"{field.name}: {python_type(field.type, default)} = {self.compiler.text(default)}")
            lines += ["@dataclass(slots=True)", f"class {camel(message.name)}{parent}:", f'    """Message `{message.name}`."""', ""]
            lines += [*indent(body or ["pass"]), "", ""]
        return lines

    def _host(self) -> Lines:
        body: Lines = []
        sent = {r.event for r in self.machine.emissions if r.event_kind == "message"} | self._replies()
        for name in (n for n in self.machine.messages if n in sent):
            body += [f"def emit_{name}(self, {'o'}: {camel(name)}) -> None:", '    """Carry the message away."""', ""]
        for f in self.machine.functions.values():
            if f.kind in ("ask", "tell"):
                args = "".join(f", {n}: {python_type(t)}" for n, t in f.params)
                result = python_type(f.result) if f.result is not None else "None"
                about = "Answer a question of the machine." if f.kind == "ask" else "Take news from the machine."
                stub = ["    ..."] if f.kind == "ask" else []
                body += [f"def {f.kind}_{f.name}(self{args}, /) -> {result}:", f'    """{about}"""', *stub, ""]
        head = [f"class {self.names.class_name}Host(Protocol):", '    """What surrounds the machine."""', ""]
        return [*head, *indent(body), ""]

    def _replies(self) -> set[str]:
        found = {self.machine.abort.message} if self.machine.abort and self.machine.abort.message else set()
        return found | {s.name for s in statements(self.machine) if s.kind == "send"}

    # --- class -------------------------------------------------------------------------------------------------

    def _class(self) -> Lines:
        name = self.names.class_name
        inputs = InputWriter(self.machine, self.rows, self.compiler, self.edition).write()
        writer = OutputWriter(self.machine, self.profile, self.rows, self.compiler, self.edition)
        outputs, families = writer.write(), writer.families
        macros = self.rows.macros.write()
        definitions = self.compiler.definitions.write(self.compiler.text, python_type)
        methods = [
            *families.access(),
            *inputs,
            *self._tick(families),
            *self._deadline(families),
            *outputs,
            *families.settling(),
            *macros,
            *definitions,
        ]
        body = [*self._init(families, any("self._refused" in line for line in methods)), *methods]
        doc = f'    """One {self.machine.name}: feed it messages, calls and the time (microseconds), then `pump`."""'
        return ["", f"class {name}:", doc, "", *indent(body), ""]

    def _init(self, families: FamilyWriter, refuses: bool) -> Lines:
        lines: Lines = []
        for region in self.machine.regions.values():
            if not region.family:
                lines.append(f"self.{attribute(region.name)}: str = {region.initial[0].name}")
        lines += [f"self.{line}" for line in self._variables("")]
        lines += self._times("")
        for family in self.machine.families:
            lines.append(families.collection(family))
        start = [f"self.host: {self.names.class_name}Host = host", "self.on_step: Callable[[Step], None] | None = on_step"]
        refused = ["self._refused: str | None = None"] if refuses else []
        head = f"def __init__(self, host: {self.names.class_name}Host, on_step: Callable[[Step], None] | None = None) -> None:"
        return [head, *indent([*start, *refused, *lines]), ""]

    def _times(self, family: str) -> Lines:
        """Timers, and debts with their arguments."""
        lines = [f"self.{t.name}_at: int | None = None" for t in self.machine.timers.values() if t.family == family]
        for debt in (d for d in self.rows.debts if d.family == family):
            lines.append(f"self.{debt.name}_due: int | None = None")
            for n, kind in debt.params:
                hint = python_type(kind)
                lines.append(f"self.{debt.name}_{n}: {hint} = {'False' if hint == 'bool' else '0' if hint == 'int' else 'None'}")
        return lines

    def _variables(self, family: str) -> Lines:
        lines: Lines = []
        for v in self.machine.variables.values():
            if v.family == family and v.kind != "key":
                init = self.compiler.fold(v.init)
                lines.append(f"{attribute(v.name)}: {python_type(v.type, init)} = {self.compiler.text(init)}")
        return lines

    def _families(self) -> Lines:
        lines: Lines = []
        for family in self.machine.families:
            regions = [r for r in self.machine.regions.values() if r.family == family]
            body = ["self.key = key", *(f"self.{attribute(r.name)}: str = {r.initial[0].name}" for r in regions)]
            body += [*(f"self.{line}" for line in self._variables(family)), *self._times(family), "self.serial = 0", "self.counted = False"]
            lines += ["", "", f"class {self.rows.family_class(family)}:", f'    """One instance of family `{family}`."""', ""]
            lines += indent(["def __init__(self, key: Any) -> None:", *indent(body)])
        return lines

    def _tick(self, families: FamilyWriter) -> Lines:
        timers = sorted(t.name for t in self.machine.timers.values() if not t.family)
        head = ["def tick(self, now: int) -> None:", '    """Fire every timer whose time has come, in the order of their times."""']
        if not self.machine.timers:
            return [*head, ""]
        body = ["at = now", 'which = ""']
        for t in timers:
            first = f"self.{t}_at <= at" if t == timers[0] else f"(self.{t}_at < at or (not which and self.{t}_at <= at))"
            body += [f"if self.{t}_at is not None and {first}:", f"    at = self.{t}_at", f'    which = "{t}"']
        body += families.expired()
        for i, t in enumerate(timers):
            noticed = any(r.event == t for table in self.machine.tables.values() for r in table.rows)
            body += [f'{"elif" if i else "if"} which == "{t}":', f"    self.{t}_at = None"]
            body += [f"    self.timer_{t}(now)"] if noticed else []
        body += ["else:", "    return"] if timers else ["return"]
        return [*head, "    while True:", *indent(body, 2), ""]

    def _deadline(self, families: FamilyWriter) -> Lines:
        slots = [f"self.{t.name}_at" for t in self.machine.timers.values() if not t.family]
        slots += [f"self.{d.name}_due" for d in self.rows.debts if not d.family]
        others = families.times()
        lines = ["def deadline(self) -> int | None:", '    """When `tick` or `pump` has something to do by itself; None: never."""']
        if not slots and not others:
            return [*lines, "    return None", ""]
        lines.append(f"    best = {slots[0]}" if slots else "    best: int | None = None")
        for slot in slots[1:]:
            lines += [f"    at = {slot}", "    if at is not None and (best is None or at < best):", "        best = at"]
        for table in others:
            lines += [
                "    " + line
                for line in (
                    f"first = {table}.first()",
                    "if first is not None and (best is None or first[0] < best):",
                    "    best = first[0]",
                )
            ]
        return [*lines, "    return best", ""]


def _relative(file: str) -> str:
    """A source file relative to the project, so that the text does not depend on where it is generated."""
    path = Path(file).resolve()
    root = SPEC.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
