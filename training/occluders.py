"""What is before or under a bare face and no mask: a hand, a cup, a phone, a scarf.

The pack has few such faces, and a network that saw none takes anything before the mouth for a mask. The shapes are
crude on purpose: what has to be learnt is that whatever is not worn does not count.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.face_frame import Frame, Points

Picture = NDArray[np.uint8]


def draw_occluder(rgb: Picture, keypoints: Points, rng: np.random.Generator) -> Picture:
    """Hold something before the lower half of a bare face.

    Args:
        rgb: (height, width, 3) crop.
        keypoints: (6, 2) float32, the detector's, in its pixels; `training.face_frame.can_draw` holds.
        rng: chooses what, where and how.

    Returns:
        A new picture of the same size.
    """
    frame = Frame(keypoints)
    layer, alpha = rgb.astype(np.float32), np.zeros(rgb.shape[:2], np.uint8)
    _KINDS[rng.choice(len(_KINDS), p=_SHARES)](layer, alpha, frame, rng)
    soft = cv2.GaussianBlur(alpha, (0, 0), max(0.5, 0.015 * frame.height))
    light = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), rgb.shape[1] / 10)
    shaded = layer * (0.6 + 0.4 * light / max(float(light.mean()), 1.0))[:, :, None]
    grain = rng.normal(0.0, rng.uniform(1.0, 5.0), alpha.shape)[:, :, None]
    weight = (soft.astype(np.float32) / 255.0)[:, :, None]
    return np.asarray(np.clip(rgb * (1.0 - weight) + (shaded + grain) * weight, 0, 255), np.uint8)


def _hand(layer: NDArray[np.float32], alpha: Picture, frame: Frame, rng: np.random.Generator) -> None:
    """Fingers side by side from one side across mouth and nose, or upright before the mouth."""
    skin = _skin(layer, frame) * rng.uniform(0.8, 1.08)
    thick = frame.height * rng.uniform(0.2, 0.3)
    from_side = rng.choice((-1.0, 1.0))
    slope = rng.uniform(-0.9, 0.5) if rng.random() < 0.7 else rng.uniform(1.0, 1.5) * rng.choice((-1.0, 1.0))
    along = frame.across * from_side * -np.cos(slope) + frame.down * np.sin(slope)
    beside = np.array([-along[1], along[0]])
    tip = (
        frame.centre(np.array(rng.uniform(0.75, 1.15)))
        + frame.across * -from_side * rng.uniform(0.0, 0.5) * frame.height
    )
    count = int(rng.integers(3, 5))
    for finger in range(count):
        aside = beside * (finger - (count - 1) / 2.0) * thick * 0.92
        end = tip + aside + along * frame.height * rng.uniform(-0.12, 0.12)
        start = end - along * frame.height * rng.uniform(1.6, 2.2)
        _line(alpha, start, end, 255.0, thick)
        _line(layer, start, end, skin * 0.72, thick)
        _line(layer, start + beside * thick * 0.04, end, skin * rng.uniform(0.94, 1.06), thick * 0.82)


def _cup(layer: NDArray[np.float32], alpha: Picture, frame: Frame, rng: np.random.Generator) -> None:
    top, bottom = rng.uniform(0.72, 1.0), rng.uniform(1.7, 2.3)
    wide, aside = rng.uniform(0.35, 0.6) * frame.height, rng.uniform(-0.2, 0.2) * frame.height
    above, below = frame.centre(np.array(top)), frame.centre(np.array(bottom))
    side = frame.across
    outline = [above + side * (aside - wide), above + side * (aside + wide),
               below + side * (aside + wide * 0.75), below + side * (aside - wide * 0.75)]  # fmt: skip
    colour = rng.uniform(30, 240, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(190, 245))
    _fill(alpha, outline, 255.0)
    _fill(layer, outline, colour)
    if rng.random() < 0.6:
        lid = [
            outline[0],
            outline[1],
            outline[1] + frame.down * 0.15 * frame.height,
            outline[0] + frame.down * 0.15 * frame.height,
        ]
        _fill(layer, lid, colour * rng.uniform(0.4, 0.9))


def _scarf(layer: NDArray[np.float32], alpha: Picture, frame: Frame, rng: np.random.Generator) -> None:
    """A scarf or a high collar: it ends below the chin, where a mask that was pulled down would begin."""
    u = np.linspace(-1.25, 1.25, 11)
    top = rng.uniform(1.75, 2.0) - rng.uniform(0.0, 0.35) * np.abs(u / 1.25) ** 2
    # Below the chin the face's own width ends; a scarf is as wide as the neck's clothes.
    edge = (
        frame.centre(top)
        + frame.across * (u * np.where(u < 0, frame.right, frame.left) * rng.uniform(0.8, 1.1))[:, None]
    )
    outline = [*edge, edge[-1] + frame.down * frame.height * 2.0, edge[0] + frame.down * frame.height * 2.0]
    colour = rng.uniform(20, 230, 3)
    _fill(alpha, outline, 255.0)
    _fill(layer, outline, colour)
    for _ in range(int(rng.integers(0, 6))):
        start, end = outline[int(rng.integers(0, 6))], outline[int(rng.integers(5, 13))]
        _line(layer, start, end + frame.down * frame.height * rng.uniform(0.1, 0.8), colour * rng.uniform(0.5, 1.2),
              frame.height * rng.uniform(0.03, 0.15))  # fmt: skip


def _phone(layer: NDArray[np.float32], alpha: Picture, frame: Frame, rng: np.random.Generator) -> None:
    middle = frame.centre(np.array(rng.uniform(0.8, 1.4))) + frame.across * rng.uniform(-0.5, 0.5) * frame.height
    turn = rng.normal(0.0, 0.35)
    across = frame.across * np.cos(turn) + frame.down * np.sin(turn)
    down = frame.down * np.cos(turn) - frame.across * np.sin(turn)
    wide, tall = rng.uniform(0.35, 0.5) * frame.height, rng.uniform(0.75, 1.0) * frame.height
    outline = [middle - across * wide - down * tall, middle + across * wide - down * tall,
               middle + across * wide + down * tall, middle - across * wide + down * tall]  # fmt: skip
    colour = np.full(3, rng.uniform(10, 60)) if rng.random() < 0.7 else rng.uniform(60, 230, 3)
    _fill(alpha, outline, 255.0)
    _fill(layer, outline, colour)
    lens = middle - across * wide * 0.55 - down * tall * 0.75
    _line(layer, lens, lens + down * tall * 0.15, colour * 0.4 + 20.0, wide * 0.35)
    _hand_below(layer, alpha, frame, middle + down * tall * 0.5, rng)


def _hand_below(
    layer: NDArray[np.float32], alpha: Picture, frame: Frame, at: NDArray[np.float64], rng: np.random.Generator
) -> None:
    skin, thick = _skin(layer, frame) * rng.uniform(0.85, 1.05), frame.height * 0.2
    for finger in range(3):
        start = at + frame.down * thick * finger + frame.across * frame.height * 0.55
        end = at + frame.down * thick * finger + frame.across * frame.height * rng.uniform(0.1, 0.25)
        _line(alpha, start, end, 255.0, thick)
        _line(layer, start, end, skin * rng.uniform(0.9, 1.05), thick)


_KINDS: Final[tuple[Callable[[NDArray[np.float32], Picture, Frame, np.random.Generator], None], ...]] = (
    _hand,
    _cup,
    _phone,
    _scarf,
)
_SHARES: Final = (0.45, 0.15, 0.15, 0.25)


def _skin(layer: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """The colour of the cheeks."""
    places = frame.points(np.array([-0.5, 0.5, -0.4, 0.4]), np.array([0.5, 0.5, 0.7, 0.7])).round().astype(int)
    rows, columns = places[:, 1].clip(0, layer.shape[0] - 1), places[:, 0].clip(0, layer.shape[1] - 1)
    return np.asarray(np.median(layer[rows, columns], 0), np.float32)


def _line(
    image: NDArray[np.float32] | Picture,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    colour: NDArray[np.floating] | float,
    thick: float,
) -> None:
    ends = [tuple(np.round(point).astype(int).tolist()) for point in (start, end)]
    shade = np.broadcast_to(np.asarray(colour, np.float64), 3).tolist()
    cv2.line(
        image, ends[0], ends[1], shade, max(1, round(thick)), cv2.LINE_AA if image.dtype == np.uint8 else cv2.LINE_8
    )


def _fill(
    image: NDArray[np.float32] | Picture, outline: list[NDArray[np.float64]], colour: NDArray[np.floating] | float
) -> None:
    shade = np.broadcast_to(np.asarray(colour, np.float64), 3).tolist()
    cv2.fillPoly(image, [np.round(np.array(outline)).astype(np.int32)], shade)
