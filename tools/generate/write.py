"""Keeping the folder of generated modules fresh."""

from __future__ import annotations

from pathlib import Path

from wirelaw.spec.language.load import Law
from wirelaw.spec.language.profile import default_profile
from wirelaw.tools.generate.module import HEADER, generate

MAIN_PROFILE = "wirelaw"


def module_name(machine: str, profile: str = MAIN_PROFILE) -> str:
    """`tcp.connection` -> `tcp_connection`; other profiles than `wirelaw` add their name."""
    name = machine.replace(".", "_").replace("-", "_")
    return name if profile == MAIN_PROFILE else f"{name}_{profile}"


def write_all(law: Law, out: Path, *, check: bool = False, prune: bool = True) -> list[Path]:
    """Write a module for each (profile, machine) of `law` into folder `out`, and remove those that no law makes any more
    (not without `prune`: then `law` is only a part). A machine that leaves nothing open needs no profile.

    Returns the files that were not as they should be; with `check` nothing is touched. Raises LawError.
    """
    bound = dict(law.profiles)
    for name in law.machines.keys() - {machine for _, machine in bound}:
        bound[MAIN_PROFILE, name] = default_profile(law.machines[name], MAIN_PROFILE)
    wanted = {
        out / f"{module_name(machine, profile)}.py": generate(law.machines[machine], which)
        for (profile, machine), which in sorted(bound.items())
    }
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    gone = [p for p in sorted(out.glob("*.py")) if p not in wanted and p.read_text("utf-8").startswith(HEADER)] if prune else []
    if not check:
        for path in stale:
            path.write_text(wanted[path], "utf-8")
        for path in gone:
            path.unlink()
    return stale + gone
