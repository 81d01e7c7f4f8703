"""Keeping the folder of generated modules fresh."""

from __future__ import annotations

from pathlib import Path

from wirelaw.spec.language.load import Law
from wirelaw.tools.generate.module import HEADER, generate

MAIN_PROFILE = "wirelaw"


def module_name(machine: str, profile: str = MAIN_PROFILE) -> str:
    """`tcp.connection` -> `tcp_connection`; other profiles than `wirelaw` add their name."""
    name = machine.replace(".", "_").replace("-", "_")
    return name if profile == MAIN_PROFILE else f"{name}_{profile}"


def write_all(law: Law, out: Path, *, check: bool = False, prune: bool = True) -> list[Path]:
    """Write a module for each (profile, machine) of `law` into folder `out`, and remove those that no law makes any more
    (not without `prune`: then `law` is only a part).

    Returns the files that were not as they should be; with `check` nothing is touched. Raises LawError.
    """
    wanted = {
        out / f"{module_name(machine, profile)}.py": generate(law.machines[machine], bound)
        for (profile, machine), bound in sorted(law.profiles.items())
    }
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    gone = [p for p in sorted(out.glob("*.py")) if p not in wanted and p.read_text("utf-8").startswith(HEADER)] if prune else []
    if not check:
        for path in stale:
            path.write_text(wanted[path], "utf-8")
        for path in gone:
            path.unlink()
    return stale + gone
