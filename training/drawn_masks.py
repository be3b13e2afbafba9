"""Masks drawn on bare faces, for the class that has few real examples.

Real pictures of badly worn masks are rare (about 300 in the pack), so the network would learn them by heart. Bare faces
get a mask drawn that leaves the nose out or covers only the chin, and others one that is worn properly, so that being
drawn says nothing about the label. The shape follows the detector's keypoints, as in MaskedFace-Net (Cabani et al.,
2021); half of the masks carry the cloth of a real one.
"""

from enum import Enum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.labels import INCORRECT_MASK, WITH_MASK

Points = NDArray[np.float32]

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


def can_draw(keypoints: Points, side: int) -> bool:
    """Whether a face is frontal and large enough to draw on: (6, 2) keypoints in a crop of `side` pixels."""
    if side < 80 or not np.isfinite(keypoints).all():
        return False
    frame = _Frame(keypoints)
    near, far = sorted((frame.right, frame.left))
    return frame.height > 0.06 * side and near > 0.2 * far and far > 0.4 * frame.height


def draw_mask(
    rgb: NDArray[np.uint8],
    keypoints: Points,
    worn: Worn,
    rng: np.random.Generator,
    cloth: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draw a mask on a bare face.

    Args:
        rgb: (height, width, 3) crop.
        keypoints: (6, 2) float32, the detector's, in its pixels; `can_draw` holds.
        worn: where it sits.
        rng: chooses shape, colour and folds.
        cloth: (any, any, 3) uint8 piece of a real mask to use as its surface.

    Returns:
        A new picture of the same size.
    """
    frame = _Frame(keypoints)
    upper, lower, corners = _outline(frame, worn, rng)
    outline = np.concatenate([upper, lower[::-1]])
    alpha = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.round(outline * 16.0).astype(np.int32)], 255, cv2.LINE_AA, 4)
    surface = _surface(rgb, alpha, upper, lower, rng, cloth)
    soft = cv2.GaussianBlur(alpha, (0, 0), max(0.4, 0.012 * frame.height * rng.uniform(0.5, 1.5)))
    weight = (soft.astype(np.float32) / 255.0)[:, :, None]
    drawn = np.asarray(np.clip(rgb * (1.0 - weight) + surface * weight, 0, 255), np.uint8)
    if rng.random() < 0.8:
        _straps(drawn, frame, corners, surface[alpha > 128].mean(0) if (alpha > 128).any() else np.full(3, 200.0), rng)
    return drawn


def cloth_of(rgb: NDArray[np.uint8], keypoints: Points) -> NDArray[np.uint8] | None:
    """The middle of a real mask that is worn properly, or None where the face is too small or turned."""
    if not can_draw(keypoints, rgb.shape[0]):
        return None
    frame = _Frame(keypoints)
    half = 0.45 * min(frame.left, frame.right)
    top, bottom = frame.centre(0.75)[1], frame.centre(1.35)[1]
    x = frame.centre(1.0)[0]
    piece = rgb[max(0, round(top)) : max(0, round(bottom)), max(0, round(x - half)) : max(0, round(x + half))]
    return piece if min(piece.shape[:2]) >= 8 else None


class _Frame:
    """A face's own coordinates: `t` down the middle (0 the eyes, 1 the mouth, about 1.7 the chin), `u` to the sides
    (-1 the edge on the picture's left, 1 on its right).
    """

    def __init__(self, keypoints: Points) -> None:
        right_eye, left_eye, nose, mouth, right_ear, left_ear = keypoints.astype(np.float64)
        self.eyes = (right_eye + left_eye) / 2.0
        down = mouth - self.eyes
        self.height = float(np.hypot(*down)) + 1e-6
        self.down = down / self.height
        self.across = np.array([self.down[1], -self.down[0]])
        self.nose_t = float(np.clip((nose - self.eyes) @ self.down / self.height, 0.4, 0.75))
        self._bend = float((nose - self.eyes) @ self.across)
        middle = self.centre(0.3)
        self.right = max(0.0, float((middle - right_ear) @ self.across))
        self.left = max(0.0, float((left_ear - middle) @ self.across))

    def centre(self, t: float) -> NDArray[np.float64]:
        """The point of the face's middle line at `t`; on a turned face the nose bends it."""
        bend = self._bend * max(0.0, 1.0 - abs(t - self.nose_t) / 0.6)
        return np.asarray(self.eyes + self.down * (t * self.height) + self.across * bend, np.float64)

    def point(self, u: float, t: float) -> NDArray[np.float64]:
        width = np.interp(t, [0.3, 1.0, 1.4, 1.8, 2.3], [1.0, 0.93, 0.8, 0.55, 0.5])
        half = self.right if u < 0 else self.left
        return np.asarray(self.centre(t) + self.across * (u * half * width), np.float64)


def _outline(frame: _Frame, worn: Worn, rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """Upper edge, lower edge (each (_STEPS, 2)) and the four side corners, in pixels."""
    chin = rng.uniform(1.6, 1.85)
    if worn is Worn.PROPERLY:
        top, top_side = rng.uniform(0.15, max(0.2, frame.nose_t - 0.1)), rng.uniform(0.35, 0.75)
        bottom, bottom_side = chin, rng.uniform(1.05, 1.4)
    elif worn is Worn.NOSE_OUT:
        top, top_side = frame.nose_t + rng.uniform(0.14, 0.3), rng.uniform(0.55, 0.9)
        bottom, bottom_side = chin + rng.uniform(-0.05, 0.2), rng.uniform(1.15, 1.5)
    else:
        top, top_side = rng.uniform(1.2, 1.6), rng.uniform(0.9, 1.35)
        bottom, bottom_side = max(top + 0.35, chin + rng.uniform(0.0, 0.45)), rng.uniform(1.4, 1.75)
    reach, curve = rng.uniform(0.72, 0.98), rng.uniform(1.3, 2.4)
    sides = np.linspace(-reach, reach, _STEPS)
    bump = np.abs(sides / reach)
    upper = [frame.point(u, top + (top_side - top) * b**curve) for u, b in zip(sides, bump, strict=True)]
    lower = [frame.point(u, bottom + (bottom_side - bottom) * b**2.2) for u, b in zip(sides, bump, strict=True)]
    corners = np.array([upper[0], lower[0], upper[-1], lower[-1]], np.float32)
    return np.array(upper, np.float32), np.array(lower, np.float32), corners


def _surface(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    upper: Points,
    lower: Points,
    rng: np.random.Generator,
    cloth: NDArray[np.uint8] | None,
) -> NDArray[np.float32]:
    """The cloth over the whole crop, lit like the face beneath."""
    height, width = alpha.shape
    if cloth is not None:
        low, high = np.floor(np.minimum(upper.min(0), lower.min(0))), np.ceil(np.maximum(upper.max(0), lower.max(0)))
        x0, y0 = int(max(0, low[0])), int(max(0, low[1]))
        x1, y1 = int(min(width, high[0] + 1)), int(min(height, high[1] + 1))
        surface = np.full((height, width, 3), cloth.reshape(-1, 3).mean(0), np.float32)
        if x1 > x0 and y1 > y0:
            surface[y0:y1, x0:x1] = cv2.resize(cloth, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        return surface * np.float32(rng.uniform(0.85, 1.1))
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
    drawn: NDArray[np.uint8], frame: _Frame, corners: Points, colour: NDArray[np.floating], rng: np.random.Generator
) -> None:
    shade = tuple(float(part) for part in np.clip(colour * rng.uniform(0.8, 1.1), 0, 255))
    ears = [frame.point(-1.02, rng.uniform(0.1, 0.5)), frame.point(1.02, rng.uniform(0.1, 0.5))]
    for corner, ear in zip(corners, (ears[0], ears[0], ears[1], ears[1]), strict=True):
        line = np.round(np.array([corner, ear]) * 16).astype(np.int32)
        cv2.polylines(drawn, [line], False, shade, max(1, round(frame.height / 25)), cv2.LINE_AA, 4)
