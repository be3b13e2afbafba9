"""What a demo clip consists of: a camera in a corridor, pillars, and people who walk with or without masks.

World coordinates are metres: x to the right, y up from the floor, z away from the camera along the corridor. Image
coordinates are pixels. Everything here is a description; nothing draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from infra.demo.masks import MaskStyle, Wearing
from infra.demo.portrait import FACE_WIDTH_M, HeadLook

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

CAMERA_HEIGHT_M = 1.82
CEILING_M = 2.9
Garment = Literal["shirt", "jacket", "scrubs", "hoodie"]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Lens:
    """A pinhole camera that looks along +z; its horizon lies above the picture's middle, like a camera tilted down."""

    width: int
    height: int

    @property
    def focal_px(self) -> float:
        """Focal length in pixels: 42 degrees across, an ordinary corridor camera."""
        return 1.3 * self.width

    @property
    def horizon_px(self) -> float:
        return 0.35 * self.height

    def scale(self, z_m: float) -> float:
        """Pixels a metre at depth `z_m`."""
        return self.focal_px / z_m

    def depth_of_face(self, width_px: float) -> float:
        """The depth in metres at which a face is `width_px` wide."""
        return self.focal_px * FACE_WIDTH_M / width_px

    def half_view(self, z_m: float) -> float:
        """Half the width of what is seen at depth `z_m`, in metres."""
        return self.width / 2 / self.scale(z_m)

    def project(self, x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
        """The pixel (u, v) of a point in the world."""
        scale = self.scale(z_m)
        return self.width / 2 + x_m * scale, self.horizon_px + (CAMERA_HEIGHT_M - y_m) * scale


@dataclass(frozen=True)
class Block:
    """A box that stands in the corridor (pillar, bench, desk): left edge, depth of its front, and its size."""

    x_m: float
    z_m: float
    width_m: float
    height_m: float
    depth_m: float
    colour: Colour


@dataclass(frozen=True)
class Corridor:
    """One corridor: it leads to a junction `length_m` away, where people come round both corners."""

    style: Literal["entrance", "ward"]
    half_width_m: float
    length_m: float
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class BodyLook:
    """Clothes (RGB 0..1) and build (1.0 is average width) of one person."""

    garment: Garment
    top: Colour
    inner: Colour
    trousers: Colour
    build: float


@dataclass(frozen=True)
class Waypoint:
    """Where somebody is at a time: seconds from the clip's start, metres."""

    at_s: float
    x_m: float
    z_m: float


@dataclass(frozen=True)
class Stage:
    """From this moment on the mask is worn like this."""

    from_s: float
    wearing: Wearing


@dataclass(frozen=True)
class Position:
    """A walker at one moment: place and speed, gait phase in radians, and how far the hands are at the mask (0..1)."""

    x_m: float
    z_m: float
    vx: float
    vz: float
    phase: float
    hands_up: float


@dataclass(frozen=True)
class Walker:
    """One person of a clip. `stages` are in order of time and the first one starts with the path."""

    id: str
    head: HeadLook
    body: BodyLook
    mask: MaskStyle
    stages: tuple[Stage, ...]
    path: tuple[Waypoint, ...]
    height_m: float
    gait: float

    @property
    def from_s(self) -> float:
        return self.path[0].at_s

    @property
    def until_s(self) -> float:
        return self.path[-1].at_s

    @cached_property
    def _curve(self) -> tuple[PchipInterpolator, PchipInterpolator]:
        # Only who renders needs it.
        from scipy.interpolate import PchipInterpolator

        places = np.array([(p.x_m, p.z_m) for p in self.path])
        curve = PchipInterpolator([p.at_s for p in self.path], places)
        return curve, curve.derivative()

    def wearing_at(self, t: float) -> Wearing:
        """How the mask is worn at `t` seconds."""
        worn = self.stages[0].wearing
        for stage in self.stages:
            if stage.from_s <= t + 1e-9:
                worn = stage.wearing
        return worn

    def position(self, t: float) -> Position | None:
        """Where the person is at `t` seconds; None before and after the passage."""
        if not self.from_s <= t <= self.until_s:
            return None
        curve, slope = self._curve
        place: npt.NDArray[np.float64] = np.asarray(curve(t), np.float64)
        speed: npt.NDArray[np.float64] = np.asarray(slope(t), np.float64)
        phase = self.gait + 2 * np.pi * 0.92 * (t - self.from_s)
        return Position(float(place[0]), float(place[1]), float(speed[0]), float(speed[1]), phase, self._hands_up(t))

    def _hands_up(self, t: float) -> float:
        """The hands go up just before the mask is on the face and come down when it sits."""
        changes = [stage.from_s for stage in self.stages[1:] if stage.wearing == "proper"]
        if not changes:
            return 0.0
        return float(np.interp(t - changes[0], [-0.95, -0.5, 0.05, 0.5], [0.0, 1.0, 1.0, 0.0]))


@dataclass(frozen=True)
class DemoClip:
    """A clip to be rendered: the camera's name, the picture, the corridor, the people, and the light's seed."""

    camera: str
    lens: Lens
    fps: int
    duration_s: float
    corridor: Corridor
    walkers: tuple[Walker, ...]
    seed: int

    @property
    def frames(self) -> int:
        return round(self.duration_s * self.fps)

    def daylight(self, t: float) -> float:
        """How much of the corridor's full light is on at `t`: 0 (half the lamps off) to 1, changing slowly."""
        return 0.5 + 0.5 * float(np.sin(2 * np.pi * t / 19.0 + 0.7 + self.seed)) * 0.95

    def exposure(self, t: float) -> float:
        """The camera's own slow hunting for exposure, as a gain around 1."""
        return 1.0 + 0.05 * float(np.sin(2 * np.pi * t / 6.7 + self.seed))
