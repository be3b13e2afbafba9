"""Who is seen when: face boxes from geometry, and how much of each is hidden by nearer people and pillars.

The truth comes from here, without rendering a single pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from infra.demo.body import torso_outline
from infra.demo.figure import Figure, face_outline, head_outline, pose
from infra.demo.scene import Block, DemoClip, Lens, Walker
from infra.demo.shading import Points

MIN_INSIDE = 0.6
"""A face counts as seen when at least this part of its box lies within the picture ..."""
MAX_COVERED = 0.4
"""... and at most this part of it is covered."""
_GRID = 24


@dataclass(frozen=True)
class Sighting:
    """One face at one moment: its box (x, y, width, height) in pixels, and the parts of it inside and covered."""

    t: float
    box: tuple[float, float, float, float]
    inside: float
    covered: float

    @property
    def seen(self) -> bool:
        return self.inside >= MIN_INSIDE and self.covered <= MAX_COVERED


def times_of(walker: Walker, step_s: float) -> list[float]:
    """The multiples of `step_s` within a passage, in seconds."""
    first, last = int(np.ceil(walker.from_s / step_s - 1e-6)), int(np.floor(walker.until_s / step_s + 1e-6))
    return [round(k * step_s, 6) for k in range(first, last + 1)]


def sightings(clip: DemoClip, walker: Walker, step_s: float = 0.2) -> list[Sighting]:
    """One person's face at every multiple of `step_s` during the passage, hidden or not, while near the picture."""
    found = []
    for t in times_of(walker, step_s):
        figure = pose(walker, clip.lens, t)
        if figure is None or t >= clip.duration_s:
            continue
        outline = face_outline(walker, figure)
        low, high = outline.min(axis=0), outline.max(axis=0)
        x, y, width, height = float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])
        across = min(x + width, clip.lens.width) - max(x, 0.0)
        down = min(y + height, clip.lens.height) - max(y, 0.0)
        inside = max(0.0, across) * max(0.0, down) / (width * height)
        if inside > 0:
            covered = _covered(clip, walker, figure, (x, y, width, height), t)
            found.append(Sighting(t, (x, y, width, height), inside, covered))
    return found


def _covered(clip: DemoClip, walker: Walker, own: Figure, box: tuple[float, float, float, float], t: float) -> float:
    """The part (0..1) of a face box that nearer people's heads and torsos, walls and pillars cover."""
    x, y, width, height = box
    shapes: list[Points] = []
    for other in clip.walkers:
        figure = pose(other, clip.lens, t) if other is not walker else None
        if figure is not None and figure.z_m < own.z_m:
            torso = torso_outline(other.body.build) * figure.body_scale + np.array(figure.neck)
            shapes += [head_outline(other, figure), torso]
    shapes += [_rectangle(block, clip.lens) for block in clip.corridor.blocks if block.z_m < own.z_m]
    if own.z_m > clip.corridor.length_m:
        corner = clip.corridor.half_width_m * clip.lens.scale(clip.corridor.length_m)
        middle, tall = clip.lens.width / 2, float(clip.lens.height)
        for edge, end in ((middle - corner, -1e4), (middle + corner, 1e4)):
            shapes.append(np.array([(edge, 0), (end, 0), (end, tall), (edge, tall)]))
    canvas = np.zeros((_GRID, _GRID), np.uint8)
    for shape in shapes:
        on_grid = (shape - [x, y]) * [_GRID / width, _GRID / height] - 0.5
        if (on_grid.max(axis=0) < 0).any() or (on_grid.min(axis=0) > _GRID).any():
            continue
        cv2.fillPoly(canvas, [np.clip(np.round(on_grid), -4000, 4000).astype(np.int32)], (1,))
    return float(canvas.mean())


def _rectangle(block: Block, lens: Lens) -> Points:
    """The block in the picture as a rectangle: its front, and its side as far as the camera sees it."""
    sides = [lens.project(x, block.height_m, z)[0] for x in (block.x_m, block.x_m + block.width_m)
             for z in (block.z_m, block.z_m + block.depth_m)]  # fmt: skip
    top, bottom = lens.project(0, block.height_m, block.z_m)[1], lens.project(0, 0, block.z_m)[1]
    left, right = min(sides), max(sides)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
