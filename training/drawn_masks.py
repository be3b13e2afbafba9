"""Masks drawn on bare faces, for the class that has few real examples.

Real pictures of badly worn masks are rare (about 300 in the pack), so the network would learn them by heart. Bare faces
get a mask drawn that leaves the nose out or covers only the chin, and others one that is worn properly, so that being
drawn says nothing about the label. The shape follows the detector's keypoints, as in MaskedFace-Net (Cabani et al.,
2021); most of them carry a real mask, warped from a face that wears it properly: its edges, folds and light.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.face_frame import Frame, Points
from training.labels import INCORRECT_MASK, WITH_MASK

_STEPS: Final = 13
"""Points along the upper and the lower edge of a mask."""

_COLOURS: Final = (
    (235, 238, 240), (120, 175, 215), (150, 200, 225), (28, 28, 32), (60, 62, 70), (205, 205, 200), (225, 160, 175),
    (110, 165, 120), (160, 40, 45), (35, 50, 100), (200, 185, 150), (130, 90, 150),
)  # fmt: skip


class Worn(Enum):
    """How a drawn mask is worn, and the label that makes."""

    PROPERLY = WITH_MASK
    NOSE_OUT = INCORRECT_MASK
    CHIN_ONLY = INCORRECT_MASK + 100

    @property
    def label(self) -> int:
        return self.value % 100


def draw_mask(
    rgb: NDArray[np.uint8],
    keypoints: Points,
    worn: Worn,
    rng: np.random.Generator,
    donor: "Donor | None" = None,
) -> NDArray[np.uint8]:
    """Draw a mask on a bare face.

    Args:
        rgb: (height, width, 3) crop.
        keypoints: (6, 2) float32, the detector's, in its pixels; `can_draw` holds.
        worn: where it sits.
        rng: chooses shape, colour and folds.
        donor: whose mask to put on; without one it is drawn.

    Returns:
        A new picture of the same size.
    """
    frame = Frame(keypoints)
    shape = _shape(frame, worn, rng)
    upper, lower = shape.edges(frame)
    outline = np.concatenate([upper, lower[::-1]])
    alpha = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.round(outline * 16.0).astype(np.int32)], 255, cv2.LINE_AA, 4)
    if donor is None:
        surface = _surface(rgb, alpha, upper, lower, rng)
    else:
        surface = _transplanted(rgb.shape[:2], frame, shape, donor, rng) * np.float32(_exposure(rgb, donor.rgb, rng))
    soft = cv2.GaussianBlur(alpha, (0, 0), max(0.4, 0.012 * frame.height * rng.uniform(0.5, 1.5)))
    weight = (soft.astype(np.float32) / 255.0)[:, :, None]
    drawn = np.asarray(np.clip(rgb * (1.0 - weight) + surface * weight, 0, 255), np.uint8)
    if rng.random() < (0.8 if donor is None else 0.5):
        corners = np.array([upper[0], lower[0], upper[-1], lower[-1]], np.float32)
        _straps(drawn, frame, corners, surface[alpha > 128].mean(0) if (alpha > 128).any() else np.full(3, 200.0), rng)
    return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Donor:
    """A face that wears a real mask properly; `can_draw` holds.

    Attributes:
        rgb: (side, side, 3) uint8 crop.
        keypoints: (6, 2) float32, the detector's, in its pixels.
    """

    rgb: NDArray[np.uint8]
    keypoints: Points


@dataclass(frozen=True, slots=True)
class _Shape:
    """The outline of a mask in a face's own coordinates: `t` of both edges in the middle and at the sides."""

    top: float
    top_side: float
    bottom: float
    bottom_side: float
    reach: float
    curve: float

    def upper(self, bump: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.top + (self.top_side - self.top) * bump**self.curve

    def lower(self, bump: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.bottom + (self.bottom_side - self.bottom) * bump**2.2

    def edges(self, frame: Frame) -> tuple[Points, Points]:
        """Upper and lower edge, each (_STEPS, 2) in pixels."""
        u = np.linspace(-self.reach, self.reach, _STEPS)
        bump = np.abs(u / self.reach)
        upper, lower = frame.points(u, self.upper(bump)), frame.points(u, self.lower(bump))
        return upper.astype(np.float32), lower.astype(np.float32)


_AS_WORN: Final = _Shape(top=0.33, top_side=0.55, bottom=1.62, bottom_side=1.2, reach=0.9, curve=1.8)
"""Where a mask that is worn properly lies, a little inside its edges: that much is taken from a donor."""


def _transplanted(
    size: tuple[int, ...], frame: Frame, shape: _Shape, donor: Donor, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The donor's mask warped into `shape`: (height, width, 3), meaningful inside the outline."""
    height, width = size[0], size[1]
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    u, t = frame.coordinates(np.stack([x, y], -1))
    u = np.clip(u / shape.reach, -1.0, 1.0)
    bump = np.abs(u)
    upper, lower = shape.upper(bump), shape.lower(bump)
    down = np.clip((t - upper) / np.maximum(lower - upper, 0.05), 0.0, 1.0)
    if rng.random() < 0.5:
        u = -u
    there = Frame(donor.keypoints)
    top, bottom = _AS_WORN.upper(bump), _AS_WORN.lower(bump)
    source = there.points(u * _AS_WORN.reach, top + (bottom - top) * down).astype(np.float32)
    warped = cv2.remap(donor.rgb, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped.astype(np.float32)


def _exposure(rgb: NDArray[np.uint8], donor: NDArray[np.uint8], rng: np.random.Generator) -> float:
    """How much lighter the mask has to be in the light of `rgb`: halfway, since pictures differ in skin too."""
    here, there = float(rgb.mean()) + 20.0, float(donor.mean()) + 20.0
    return float(np.clip((here / there) ** 0.5 * rng.uniform(0.88, 1.1), 0.5, 1.5))


def _shape(frame: Frame, worn: Worn, rng: np.random.Generator) -> _Shape:
    chin = rng.uniform(1.6, 1.85)
    if worn is Worn.PROPERLY:
        top, top_side = rng.uniform(0.15, max(0.2, frame.nose_t - 0.1)), rng.uniform(0.35, 0.75)
        bottom, bottom_side = chin, rng.uniform(1.05, 1.4)
    elif worn is Worn.NOSE_OUT:
        top, top_side = frame.nose_t + rng.uniform(0.1, 0.3), rng.uniform(0.55, 0.9)
        bottom, bottom_side = chin + rng.uniform(-0.05, 0.25), rng.uniform(1.15, 1.5)
    else:
        top, top_side = rng.uniform(1.2, 1.65), rng.uniform(0.9, 1.35)
        bottom, bottom_side = max(top + 0.35, chin + rng.uniform(0.0, 0.5)), rng.uniform(1.4, 1.75)
    return _Shape(top, top_side, bottom, bottom_side, rng.uniform(0.72, 0.98), rng.uniform(1.3, 2.4))


def _surface(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    upper: Points,
    lower: Points,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """The cloth over the whole crop, lit like the face beneath."""
    height, width = alpha.shape
    colour = np.array(_COLOURS[rng.integers(len(_COLOURS))], np.float32) + rng.normal(0, 12, 3).astype(np.float32)
    surface = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    if rng.random() < 0.25:
        pattern = cv2.resize(rng.normal(0, 1, (int(rng.integers(4, 20)),) * 2 + (3,)).astype(np.float32),
                             (width, height), interpolation=cv2.INTER_NEAREST)  # fmt: skip
        surface = surface + pattern * np.float32(rng.uniform(10, 45))
    if rng.random() < 0.5:
        for share in np.linspace(0.25, 0.75, int(rng.integers(2, 4))):
            fold = np.round((upper * (1 - share) + lower * share) * 16).astype(np.int32)
            shade = tuple(float(part) for part in colour * rng.uniform(0.7, 0.92))
            surface = np.ascontiguousarray(surface, np.float32)
            cv2.polylines(surface, [fold], False, shade, max(1, round(width / 150)), cv2.LINE_AA, 4)
    # The light on the face goes on over the cloth; strong features beneath must not show through.
    light = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), width / 14)
    inside = float(light[alpha > 0].mean()) + 1.0 if (alpha > 0).any() else 128.0
    exposure = np.clip(inside / 130.0, 0.35, 1.25)
    relief = np.clip(light / inside, 0.6, 1.5) * exposure
    edge = cv2.GaussianBlur(alpha, (0, 0), width / 22).astype(np.float32) / 255.0
    relief = relief * (0.72 + 0.28 * np.clip(edge * 1.2, 0, 1))
    grain = rng.normal(0, rng.uniform(1, 5), (height, width)).astype(np.float32)
    return np.asarray(surface * relief[:, :, None] + grain[:, :, None], np.float32)


def _straps(
    drawn: NDArray[np.uint8], frame: Frame, corners: Points, colour: NDArray[np.floating], rng: np.random.Generator
) -> None:
    shade = tuple(float(part) for part in np.clip(colour * rng.uniform(0.8, 1.1), 0, 255))
    ears = frame.points(np.array([-1.02, 1.02]), rng.uniform(0.1, 0.5, 2))
    for corner, ear in zip(corners, (ears[0], ears[0], ears[1], ears[1]), strict=True):
        line = np.round(np.array([corner, ear]) * 16).astype(np.int32)
        cv2.polylines(
            drawn, [line], False, shade, max(1, round(frame.height * rng.uniform(0.015, 0.04))), cv2.LINE_AA, 4
        )
