"""Every example of the manual is law: it parses, and whole machines resolve."""

import re
from pathlib import Path

import pytest
from wirelaw.spec.language.attaching import attach
from wirelaw.spec.language.load import SPEC
from wirelaw.spec.language.parse import parse_deviations, parse_law
from wirelaw.spec.language.resolve import Resolver, resolve

MANUAL = SPEC / "LANGUAGE.md"
# What the fragments of the manual speak of.
WRAPPER = """machine wrapper {{
  region life : LIVE initial, DONE
  message msg {{ }}
  {ping}
  input msg(m) through lenient
  output msg(o)
  var count : u32
  policy eager : bool
  abort (code : u32) then => DONE
  {body}
  {lenient}
}}"""
PING = "message ping : msg { n : u32; echo : bool }"
LENIENT = "table lenient on msg(m) { [any] stay }"


def blocks(kind: str) -> list[tuple[int, str]]:
    text = MANUAL.read_text("utf-8")
    return [(text[: m.start()].count("\n") + 1, m[1]) for m in re.finditer(rf"^```{kind}\n(.*?)^```", text, re.M | re.S)]


@pytest.mark.parametrize(("line", "text"), blocks("law"), ids=lambda v: f"line{v}" if isinstance(v, int) else "")
def test_law_block_parses_and_resolves(line: int, text: str) -> None:
    for machine in parse_law(text, f"LANGUAGE.md+{line}"):
        resolve(machine)


@pytest.mark.parametrize(("line", "text"), blocks("law-fragment"), ids=lambda v: f"line{v}" if isinstance(v, int) else "")
def test_fragment_block_parses_and_resolves(line: int, text: str) -> None:
    law = WRAPPER.format(
        ping="" if "message ping" in text else PING, body=text, lenient="" if "table lenient" in text else LENIENT
    )  # fmt: skip
    resolve(parse_law(law, f"LANGUAGE.md+{line}")[0])


@pytest.mark.parametrize(("line", "text"), blocks("deviations"), ids=lambda v: f"line{v}" if isinstance(v, int) else "")
def test_deviations_block_fits_the_first_machine(line: int, text: str) -> None:
    resolver = Resolver(parse_law(blocks("law")[0][1], "LANGUAGE.md")[0], {})
    machine = resolver.run()
    [known] = parse_deviations(text, f"LANGUAGE.md+{line}")
    assert attach(known, resolver, machine).deviations


def test_manual_has_examples_of_both_kinds() -> None:
    assert blocks("law")
    assert blocks("deviations")
    assert len(blocks("law-fragment")) >= 4


def test_manual_names_every_check() -> None:
    text = MANUAL.read_text("utf-8")
    checks = {p.stem for p in (Path(SPEC) / "language" / "checks").glob("*.py")} - {"__init__"}
    assert {c for c in checks if f"`{c}`" not in text} == set()
