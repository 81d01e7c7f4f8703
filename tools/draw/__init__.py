"""Pictures of a machine, drawn from its law: the whole of it, one state, a coverage, a run."""

from wirelaw.tools.draw.render import FORMATS, View, draw, render

__all__ = ["FORMATS", "View", "draw", "render"]
