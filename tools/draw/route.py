"""Curves and label places for a figure whose states stand where a layout puts them.

Graphviz routes well when it may move the states; when it may not, labels collide. Here the states are few and fixed, so a
plain search does: each edge takes the gentlest bend that keeps clear of other states and edges, then each label
the place beside its curve that covers least. All ties fall to the first candidate: the result is deterministic.
Units are points, y grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

Point = tuple[float, float]
SAMPLES = 28
BENDS = (0.0, 0.1, -0.1, 0.2, -0.2, 0.32, -0.32, 0.45, -0.45, 0.6, -0.6)
CLEARANCE = 7.0
TROUBLE = 40.0
"""From this cost of a label's place on, its edge is bent anew."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel rectangle by its centre and size."""

    x: float
    y: float
    width: float
    height: float

    def grown(self, by: float) -> Box:
        """This box with `by` more on every side."""
        return Box(self.x, self.y, self.width + 2 * by, self.height + 2 * by)

    def holds(self, p: Point) -> bool:
        return abs(p[0] - self.x) <= self.width / 2 and abs(p[1] - self.y) <= self.height / 2

    def overlap(self, other: Box) -> float:
        """Area common to both."""
        w = min(self.x + self.width / 2, other.x + other.width / 2) - max(self.x - self.width / 2, other.x - other.width / 2)
        h = min(self.y + self.height / 2, other.y + other.height / 2) - max(self.y - self.height / 2, other.y - other.height / 2)
        return w * h if w > 0 and h > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """An edge to be routed from the first of `starts` to the nearest of `ends`, with a label of the given size (0, 0: none)."""

    starts: tuple[Box, ...]
    ends: tuple[Box, ...]
    label: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Route:
    """A cubic Bezier from border to border, its place for the label, and which of the `ends` it goes to."""

    curve: tuple[Point, Point, Point, Point]
    label: Point
    end: int


def route(edges: Sequence[Wanted], obstacles: Sequence[Box]) -> list[Route]:
    """Routes for `edges` among `obstacles` (the boxes of all states), in the order given."""
    options = [_candidates(edge, obstacles) for edge in edges]
    chosen: list[_Curve] = []
    for candidates in options:
        chosen.append(_best(candidates, chosen))
    for _ in range(2):  # the first edges were routed without knowing the later ones
        for i, candidates in enumerate(options):
            chosen[i] = _best(candidates, chosen[:i] + chosen[i + 1 :])
    labels = _place_labels(edges, chosen, obstacles)
    _mend(edges, options, chosen, labels, obstacles)
    return [Route(c.control, (box.x, box.y), c.end) for c, box in zip(chosen, labels, strict=True)]


@dataclass(frozen=True, slots=True)
class _Curve:
    """A candidate: its control points, samples along it, the box around it, and what it costs by itself."""

    control: tuple[Point, Point, Point, Point]
    points: tuple[Point, ...]
    bounds: Box
    end: int
    cost: float = 0.0


def _candidates(edge: Wanted, obstacles: Sequence[Box]) -> list[_Curve]:
    found = []
    start = edge.starts[0]
    nearest = min(math.dist((start.x, start.y), (box.x, box.y)) for box in edge.ends)
    for end, box in enumerate(edge.ends):
        if math.dist((start.x, start.y), (box.x, box.y)) > nearest:
            continue
        for bend in BENDS:
            curve = _curve(start, box, bend, end)
            own = (start, box)
            blocked = sum(60 for o in obstacles if o not in own for p in curve.points if o.grown(CLEARANCE).holds(p))
            length = math.dist(curve.points[0], curve.points[-1])
            found.append(replace(curve, cost=abs(bend) * 120 + length * 0.25 + blocked))
    return found


def _best(candidates: Sequence[_Curve], others: Sequence[_Curve]) -> _Curve:
    return min(candidates, key=lambda c: c.cost + sum(_nearness(c, other) for other in others))


def _nearness(a: _Curve, b: _Curve) -> float:
    """How much two curves run along each other or cross: each sample of one near the other counts."""
    if not a.bounds.grown(14).overlap(b.bounds.grown(1)):
        return 0.0
    near = 0.0
    for p in a.points[2:-2:2]:
        gap = min(math.dist(p, q) for q in b.points[1:-1])
        near += max(0.0, 14.0 - gap) * 2.4
    return near


def _curve(start: Box, end: Box, bend: float, index: int) -> _Curve:
    a, b = (start.x, start.y), (end.x, end.y)
    dx, dy = b[0] - a[0], b[1] - a[1]
    middle = (a[0] + dx / 2 - dy * bend, a[1] + dy / 2 + dx * bend)
    c1 = (a[0] + (middle[0] - a[0]) * 2 / 3, a[1] + (middle[1] - a[1]) * 2 / 3)
    c2 = (b[0] + (middle[0] - b[0]) * 2 / 3, b[1] + (middle[1] - b[1]) * 2 / 3)
    full = (a, c1, c2, b)
    inside = [start.holds(_at(full, i / 200)) for i in range(201)]
    low = next((i for i, inn in enumerate(inside) if not inn), 0) / 200
    arrow = end.grown(1.0)
    high = next((i for i in range(200, 0, -1) if not arrow.holds(_at(full, i / 200))), 200) / 200
    control = _part(full, low, max(high, low + 0.01))
    points = tuple(_at(control, i / SAMPLES) for i in range(SAMPLES + 1))
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    bounds = Box((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys))
    return _Curve(control, points, bounds, index)


def _at(c: tuple[Point, Point, Point, Point], t: float) -> Point:
    u = 1 - t
    w = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
    return (sum(k * p[0] for k, p in zip(w, c, strict=True)), sum(k * p[1] for k, p in zip(w, c, strict=True)))


def _part(c: tuple[Point, Point, Point, Point], low: float, high: float) -> tuple[Point, Point, Point, Point]:
    """The piece of a Bezier between two parameters (de Casteljau, twice)."""

    def blend(p: Point, q: Point, t: float) -> Point:
        return (p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t)

    def left(c: tuple[Point, Point, Point, Point], t: float) -> tuple[Point, Point, Point, Point]:
        p, q, r = blend(c[0], c[1], t), blend(c[1], c[2], t), blend(c[2], c[3], t)
        s, u = blend(p, q, t), blend(q, r, t)
        return (c[0], p, s, blend(s, u, t))

    first = left(c, high)
    back = left((first[3], first[2], first[1], first[0]), 1 - low / high)
    return (back[3], back[2], back[1], back[0])


def _place_labels(edges: Sequence[Wanted], curves: Sequence[_Curve], obstacles: Sequence[Box]) -> list[Box]:
    options = [_options(e, c) for e, c in zip(edges, curves, strict=True)]
    fixed = [[_fixed_cost(box, curves, i, obstacles) + extra for box, extra in places] for i, places in enumerate(options)]
    chosen = [min(range(len(costs)), key=costs.__getitem__) for costs in fixed]
    for _ in range(6):
        before = list(chosen)
        for i, places in enumerate(options):
            taken = [options[j][chosen[j]][0] for j in range(len(options)) if j != i]
            crowded = [fixed[i][k] + sum(_crowding(box, other) for other in taken) for k, (box, _) in enumerate(places)]
            chosen[i] = min(range(len(crowded)), key=crowded.__getitem__)
        if chosen == before:
            break
    return [options[i][k][0] for i, k in enumerate(chosen)]


def _mend(
    edges: Sequence[Wanted], options: Sequence[Sequence[_Curve]], chosen: list[_Curve], labels: list[Box], obstacles: Sequence[Box]
) -> None:
    """Bend edges anew whose labels found no clear place, or which cut another's label; changes `chosen` and `labels`."""
    for _ in range(3):
        for i, edge in enumerate(edges):
            others = chosen[:i] + chosen[i + 1 :]
            taken = labels[:i] + labels[i + 1 :]
            if _trouble(labels[i], chosen[i], chosen, i, taken, obstacles) < TROUBLE:
                continue
            best: tuple[float, _Curve, Box] | None = None
            for curve in options[i]:
                curves = [*chosen[:i], curve, *chosen[i + 1 :]]
                along = curve.cost + sum(_nearness(curve, other) for other in others) + sum(60.0 * _cuts(box, curve) for box in taken)
                if best is not None and along >= best[0]:
                    continue
                for box, extra in _options(edge, curve):
                    cost = along + extra + sum(_crowding(box, other) for other in taken)
                    if best is None or cost < best[0]:
                        cost += _fixed_cost(box, curves, i, obstacles)
                        best = (cost, curve, box) if best is None or cost < best[0] else best
            assert best is not None
            _, chosen[i], labels[i] = best


def _trouble(label: Box, curve: _Curve, curves: Sequence[_Curve], own: int, taken: Sequence[Box], obstacles: Sequence[Box]) -> float:
    around = _fixed_cost(label, curves, own, obstacles) + sum(_crowding(label, other) for other in taken)
    return around + sum(60.0 * _cuts(box, curve) for box in taken)


def _cuts(box: Box, curve: _Curve) -> int:
    """How many samples of `curve`, and points between them, lie in `box`."""
    if not box.overlap(curve.bounds.grown(1)):
        return 0
    return sum(1 for p in curve.points if box.holds(p)) + sum(1 for p, q in pairwise(curve.points) if box.holds(_middle(p, q)))


def _crowding(box: Box, other: Box) -> float:
    if abs(box.x - other.x) > (box.width + other.width) / 2 + 3 or abs(box.y - other.y) > (box.height + other.height) / 2 + 3:
        return 0.0
    return 3.0 * box.overlap(other) + 0.3 * box.grown(3).overlap(other)


def _options(edge: Wanted, curve: _Curve) -> list[tuple[Box, float]]:
    """Places beside the curve, on either side and at several distances, with the cost of leaving the middle."""
    width, height = edge.label
    middle = SAMPLES // 2
    found = []
    for away in (2.5, 8.0):
        for i in sorted(range(3, SAMPLES - 2), key=lambda i: abs(i - middle)):
            (x0, y0), (x1, y1) = curve.points[i - 1], curve.points[i + 1]
            size = math.hypot(x1 - x0, y1 - y0) or 1.0
            nx, ny = (y1 - y0) / size, -(x1 - x0) / size
            reach = abs(nx) * width / 2 + abs(ny) * height / 2 + away
            for side in (1, -1):
                x, y = curve.points[i]
                box = Box(x + side * nx * reach, y + side * ny * reach, width, height)
                found.append((box, abs(i - middle) * 2.5 + away * 2.5))
    return found


def _fixed_cost(box: Box, curves: Sequence[_Curve], own: int, obstacles: Sequence[Box]) -> float:
    cost = sum(4.0 * box.grown(3).overlap(o) for o in obstacles)
    centre = (box.x, box.y)
    ours = min(math.dist(centre, p) for p in curves[own].points)
    for i, curve in enumerate(curves):
        tight = box.grown(0 if i == own else 2)
        if not tight.grown(ours).overlap(curve.bounds.grown(1)):
            continue
        cut = _cuts(tight, curve)
        cost += 60.0 * cut
        if i != own and not cut:  # a label between two curves should lean to its own
            cost += max(0.0, ours - min(math.dist(centre, p) for p in curve.points)) * 1.5
    return cost


def _middle(p: Point, q: Point) -> Point:
    return ((p[0] + q[0]) / 2, (p[1] + q[1]) / 2)
