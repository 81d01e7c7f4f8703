"""Small laws for tests of the oracle, and the means to run one by the interpreter and to write down what it did."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from wirelaw.oracle.engine.judge import Observed
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.spec.language.attaching import attach
from wirelaw.spec.language.binding import bind
from wirelaw.spec.language.interpret import Interpreter
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.parse import parse_deviations, parse_law, parse_profiles
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.resolve import Resolver, resolve

# Numbered requests are taken in order and answered cumulatively; anything after FIN is refused by a reply.
COUNTER = """
machine t.counter {
  region life : OPEN initial, HALF, SHUT
  states LIVE = OPEN | HALF
  message wire { }
  message ask : wire { n : u32 }
  message bye : wire { n : u32 }
  message answer { n : u32; pad : u32; last, no : bool }
  input wire(w) through intake
  output answer(o) unsaid { last, no = 0; pad free }
  var got, told : u32
  user closing : bool
  choice strict { quiet, loud }
  call close()
  debt reply(k : u32) : answer(o) where o.n >= k and not o.no within 200ms while LIVE
  table close on close() {
    [c.close]  OPEN  stop { closing = true; }  @t:close
    [c.none]   HALF | SHUT  stop               @t:close
  }
  table intake {
    [a.next]   OPEN on ask(m) if m.n == got + 1  stop { got = m.n; owe reply(got) pay 40ms; }  @t:next MUST
    [a.old]    OPEN on ask(m) if m.n <= got      stop { owe reply(got) pay 0ms SHOULD; }       @t:old SHOULD
    [a.gap.q]  OPEN on ask(m) if m.n > got + 1 and strict == quiet   drop                      @t:gap MAY
    [a.gap.l]  OPEN on ask(m) if m.n > got + 1 and strict == loud    stop { send answer(n: m.n, no: true); }  @t:gap MUST
    [a.late]   HALF | SHUT on ask(m)             stop { send answer(n: m.n, no: true); }       @t:late MUST
    [b.end]    OPEN on bye(m) if m.n == got      => HALF { owe reply(got) pay 0ms; }           @t:bye MUST
    [b.other]  OPEN on bye(m) otherwise          drop                                          @t:bye
    [b.again]  HALF | SHUT on bye(m)             drop                                          @t:bye
  }
  gate order { [g.up] sent answer(o) if not o.no where o.n >= told { told = o.n; } @t:order MUST }
  lazy [s.answer] LIVE emit answer(n: got) default { pad: 7 } when due(reply) stay @t:answer MUST
  lazy [s.last]   OPEN | HALF emit answer(n: got, last: true) if closing default { pad: 0 } => SHUT { closing = false; } @t:last MUST
}
"""
COUNTER_PROFILE = "profile us for t.counter { choose strict = %s order s.last, s.answer }"

# A handshake of two urgent flights, a hidden act, a timer that ends a state, an abort with codes, and `either`.
FLIGHTS = """
machine t.flights {
  enum code { odd, even, wrong }
  region hs : START initial, KEYS urgent, FLIGHT urgent, UP, GONE
  message hello { v : u32; nice : bool }
  message item { n : u32 }
  message offer { v : u32; extra : u32 }
  message alert { code : code }
  input hello(m) through hellos
  input item(m) through items
  output offer(o) unsaid { extra free }
  output alert(o)
  abort (c : code) emit alert where o.code == c then => GONE
  var version, seen, key : u32
  user tired : bool
  timer nap within 1s .. 5s
  table hellos on hello(m) {
    [h.ok]    START if m.v >= 3 and m.nice   => KEYS { version = m.v; }      @f:hello MUST
    [h.rude]  START if m.v >= 3 and not m.nice  either { => KEYS { version = m.v; } } or abort(wrong)  @f:rude MAY
    [h.low]   START if m.v < 3               abort(odd | even)               @f:low MUST
    [h.again] KEYS | FLIGHT | UP | GONE      drop                            @f:again
  }
  table items on item(m) {
    [i.up]    UP                     stop { seen = m.n; start nap for 2s; }  @f:item MUST
    [i.tired] START if tired         => GONE { }                             @f:tired MAY
    [i.early] START if not tired     drop                                    @f:early
    [i.none]  KEYS | FLIGHT | GONE   drop                                    @f:early
  }
  table naps on nap() { [n.over] UP => START { seen = 0; key = 0; }  @f:nap MUST   [n.no] START | KEYS | FLIGHT | GONE stop  @f:nap }
  urgent [k.key]   KEYS auto => FLIGHT { key = version; }                                              @f:key
  urgent [f.offer] FLIGHT emit offer(v: key) where o.extra < 10 default { extra: 1 } => UP             @f:offer MUST
  lazy   [u.echo]  UP emit offer(v: seen) if seen > 0 default { extra: 0 } stay { seen = 0; }         @f:echo MUST
}
"""
FLIGHTS_PROFILE = "profile us for t.flights { take [h.rude] %s order k.key, f.offer, u.echo }"


def machine(text: str) -> Machine:
    """The model of the only machine in `text`."""
    return resolve(parse_law(text, "test.law")[0])


def law(text: str) -> CompiledLaw:
    """The compiled law of the only machine in `text`."""
    return compile_law(machine(text))


def deviating(text: str, *deviations: str) -> CompiledLaw:
    """The same, with what the peers in `deviations` are known for."""
    resolver = Resolver(parse_law(text, "test.law")[0], {})
    made = resolver.run()
    known = [d for one in deviations for d in parse_deviations(one, "test.deviations")]
    return compile_law(made, deviations=[attach(d, resolver, made) for d in known])


def profile(text: str, of: Machine) -> Profile:
    """The only profile in `text`."""
    return bind(parse_profiles(text, "test.profile")[0], of)


def message(**fields: Any) -> SimpleNamespace:
    """A message by its fields."""
    return SimpleNamespace(**fields)


class Recorder:
    """An interpreter and the trace that a capture near it would hold: inputs when they arrive, outputs when they are sent."""

    def __init__(self, of: Machine, bound: Profile) -> None:
        self.trace: list[Observed] = []
        self.now = 0
        self.machine = Interpreter(of, bound, self)

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        raise AssertionError(name)

    def tell(self, name: str, args: tuple[Any, ...]) -> None:
        pass

    def emit(self, kind: str, fields: SimpleNamespace) -> None:
        self.trace.append(Observed(kind, fields, self.now, 0, True))

    def capture(self, kind: str, fields: SimpleNamespace, at: int) -> None:
        """Note an input; the machine is given it later, by `act`."""
        self.trace.append(Observed(kind, fields, at, 0, False))

    def act(self, kind: str, fields: SimpleNamespace, now: int) -> None:
        """Let the machine have an input."""
        self.now = now
        self.machine.input(kind, fields, now)

    def run_until(self, now: int) -> None:
        """Do everything that falls due up to `now`, each at its time."""
        while (due := self.machine.deadline()) is not None and due <= now:
            self.now = max(self.now, due)
            self.machine.tick(self.now)
            self.machine.pump(self.now)
            if self.machine.deadline() == due:
                break
        self.now = max(self.now, now)

    def pump(self, now: int) -> None:
        """Send what is to be sent."""
        self.now = now
        self.machine.pump(now)

    def observed(self) -> list[Observed]:
        """The trace in the order of capture, numbered from 1."""
        ordered = sorted(self.trace, key=lambda o: o.time)
        return [o._replace(number=n) for n, o in enumerate(ordered, 1)]
