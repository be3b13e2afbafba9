"""One person's pose at one moment: where head, torso, arms and legs are in the picture.

Renderer and truth share it, so a truth box lies exactly where the face is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.demo.body import FOREARM_M, HIP, SHIN_M, SHOULDER, THIGH_M, UPPER_ARM_M
from infra.demo.portrait import (
    LANDMARKS,
    SPRITE_PX_PER_M,
    HeadLook,
    face_points,
    head_points,
    sheet_to_sprite,
)
from infra.demo.scene import CAMERA_HEIGHT_M, Lens, Position, Walker
from infra.demo.shading import Points

_HEAD_M = 0.249
_NECK_M = 0.032
"""The body hangs this much higher than its drawing says: the portrait's neck is short."""
Affine = npt.NDArray[np.float64]
Place = tuple[float, float]


@dataclass(frozen=True)
class Limb:
    """Two segments, as pixels in the picture: upper joint, middle joint, end."""

    top: Place
    middle: Place
    end: Place


@dataclass(frozen=True, eq=False)
class Figure:
    """Pixels of one person in one frame.

    head: maps sprite pixels to the picture (2, 3). neck: the torso hangs from it. px_per_m: the scale at its depth.
    speed_px: movement in the picture in pixels a second, (right, down).
    """

    z_m: float
    px_per_m: float
    head: Affine
    neck: Place
    body_scale: float
    roll: float
    arms: tuple[Limb, Limb]
    hands_up: float
    legs: tuple[Limb, Limb]
    feet: Place
    speed_px: Place


def pose(walker: Walker, lens: Lens, t: float) -> Figure | None:
    """The figure of `walker` at `t` seconds; None outside its passage."""
    at = walker.position(t)
    if at is None:
        return None
    scale = lens.scale(at.z_m)
    sway, bob = np.sin(at.phase), np.abs(np.cos(at.phase))
    chin_y = walker.height_m - _HEAD_M + 0.016 * (bob - 0.5)
    u, v = lens.project(at.x_m + 0.012 * sway, chin_y, at.z_m)
    roll = 0.022 * float(np.sin(at.phase + 0.6)) + 0.02 * float(np.sin(0.9 * t + walker.gait))
    body = (walker.height_m - _HEAD_M) / 1.52 * scale
    neck = (u, v - _NECK_M * body)
    toward = (-at.vz, at.vx)
    legs = (_leg(lens, at, neck, body, -1, toward), _leg(lens, at, neck, body, 1, toward))
    arms = (_arm(at, neck, body, walker.body.build, -1), _arm(at, neck, body, walker.body.build, 1))
    centre = u - lens.width / 2
    speed = ((at.vx * scale) - centre * at.vz / at.z_m, (lens.horizon_px - v) * at.vz / at.z_m)
    return Figure(
        z_m=at.z_m,
        px_per_m=scale,
        head=_head(walker.head, scale, (u, v), roll),
        neck=neck,
        body_scale=body,
        roll=roll * 0.3,
        arms=arms,
        hands_up=at.hands_up,
        legs=legs,
        feet=lens.project(at.x_m, 0.0, at.z_m),
        speed_px=speed,
    )


def _head(look: HeadLook, scale: float, chin: Place, roll: float) -> Affine:
    grow = scale / SPRITE_PX_PER_M
    matrix = sheet_to_sprite(look)
    anchor = np.array(LANDMARKS.chin) @ matrix[:, :2].T + matrix[:, 2]
    turn = grow * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.hstack([turn, (np.array(chin) - turn @ anchor)[:, None]])


def _leg(lens: Lens, at: Position, neck: Place, body: float, side: int, toward: Place) -> Limb:
    """A step: the swinging foot comes forward (nearer: lower in the picture) and lifts, the knee bends."""
    swing = np.sin(at.phase + (np.pi if side > 0 else 0.0))
    lift = max(0.0, np.cos(at.phase + (np.pi if side > 0 else 0.0)))
    speed = float(np.hypot(*toward)) or 1.0
    ahead, aside = toward[0] / speed, toward[1] / speed
    hip = (neck[0] + side * HIP[0] * body, neck[1] + HIP[1] * body)
    reach = 0.27 * swing
    depth = max(0.3, at.z_m - reach * ahead)
    ankle_drop = CAMERA_HEIGHT_M * lens.focal_px * (1 / depth - 1 / at.z_m)
    length = (THIGH_M + SHIN_M - 0.012) * body
    end = (hip[0] - side * 0.018 * body + reach * aside * body, hip[1] + length + ankle_drop - 0.09 * lift * body)
    knee = (
        (hip[0] + end[0]) / 2 + (0.02 * side + 0.10 * lift * aside) * body,
        (hip[1] + end[1]) / 2 + (0.02 + 0.03 * lift * ahead) * body,
    )
    return Limb(hip, knee, end)


def _arm(at: Position, neck: Place, body: float, build: float, side: int) -> Limb:
    swing = np.sin(at.phase + (0.0 if side > 0 else np.pi))
    shoulder = (neck[0] + side * SHOULDER[0] * build * body, neck[1] + SHOULDER[1] * body)
    down_elbow = (side * 0.055 + 0.02 * swing, UPPER_ARM_M * 0.97)
    down_hand = (side * (0.045 - 0.02 * swing), UPPER_ARM_M + FOREARM_M * (0.96 - 0.10 * max(0.0, swing)))
    up_elbow = (side * 0.085, 0.24)
    up_hand = (-side * (SHOULDER[0] - 0.118), -SHOULDER[1] + 0.10)
    part = at.hands_up * at.hands_up * (3 - 2 * at.hands_up)
    elbow, hand = (
        tuple(shoulder[i] + (low[i] + (high[i] - low[i]) * part) * body for i in (0, 1))
        for low, high in ((down_elbow, up_elbow), (down_hand, up_hand))
    )
    return Limb(shoulder, (elbow[0], elbow[1]), (hand[0], hand[1]))


def _moved(points: Points, matrix: Affine) -> Points:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def face_outline(walker: Walker, figure: Figure) -> Points:
    """The face's outline (N, 2) in the picture."""
    return _moved(face_points(walker.head), figure.head)


def head_outline(walker: Walker, figure: Figure) -> Points:
    """The head's outline with hair (N, 2) in the picture."""
    return _moved(head_points(walker.head), figure.head)
