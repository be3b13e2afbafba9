"""What cameras do to a face, done to the training crops.

The order is that of a camera: where the box sits, the light, then few pixels, noise and compression at those few pixels,
and last the enlargement to the network's input. Camera faces are 24-100 px wide, so the low resolution matters most.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from classify.crops import IMAGE_SIZE, MARGIN
from training.cache import CONTEXT
from training.video_artefacts import through_video

SCALE_JITTER: Final = 0.35
"""More than the detector's boxes of one face differ."""

SHIFT_JITTER: Final = 0.12
ROTATION_DEG: Final = 15.0

VIDEO_SHARE: Final = 0.12
"""Share of the views that go through a real H.264 encoder: footage has other artefacts than photos."""

SMALLEST_VIDEO_PX: Final = 16

VIEW_SCALES: Final = (0.8, 1.0, 1.25)
"""Of the crop's side: about as much as the detector's boxes of one face differ."""

Picture = NDArray[np.uint8]


def augmented(context: Picture, rng: np.random.Generator, *, size: int = IMAGE_SIZE) -> Picture:
    """One more view of a face.

    Args:
        context: (side, side, 3) uint8 RGB from `training.cache`: the face and its surroundings.
        rng: the same state gives the same view.
        size: side of the result.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    side, pixels = _square(context, rng)
    crop = _cut(context, side, size, rng)
    crop = _light(crop, rng)
    crop = _camera(crop, pixels, size, rng)
    if rng.random() < 0.3:
        crop = _cut_out(crop, rng)
    return crop


def centred(context: Picture, *, size: int = IMAGE_SIZE) -> Picture:
    """The plain view: (size, size, 3), as near to the running system's crop as the kept pixels allow."""
    side = context.shape[0] * (1.0 + 2.0 * MARGIN) / CONTEXT
    return _warp(context, np.array([context.shape[0] / 2.0] * 2), side, 0.0, False, size)


def steady_views(context: Picture, *, size: int = IMAGE_SIZE) -> NDArray[np.uint8]:
    """What is averaged where a face is judged more than once: (6, size, size, 3), three margins, each also mirrored."""
    side = context.shape[0] * (1.0 + 2.0 * MARGIN) / CONTEXT
    middle = np.array([context.shape[0] / 2.0] * 2)
    return np.stack(
        [_warp(context, middle, side * scale, 0.0, flip, size) for scale in VIEW_SCALES for flip in (False, True)]
    )


def _square(context: Picture, rng: np.random.Generator) -> tuple[float, float]:
    """Side of the square to cut, in pixels of `context`, and the side in pixels that the camera shall have had."""
    scale = np.exp(rng.uniform(np.log(1.0 - SCALE_JITTER), np.log(1.0 + SCALE_JITTER)))
    side = context.shape[0] * (1.0 + 2.0 * MARGIN) / CONTEXT * float(scale)
    if side <= 40.0 or rng.random() < 0.35:
        return side, side
    face_px = float(np.exp(rng.uniform(np.log(16.0), np.log(72.0))))
    return side, min(side, face_px * (1.0 + 2.0 * MARGIN))


def _cut(context: Picture, side: float, size: int, rng: np.random.Generator) -> Picture:
    face = context.shape[0] / CONTEXT
    middle = context.shape[0] / 2.0 + rng.uniform(-SHIFT_JITTER, SHIFT_JITTER, 2) * face
    angle = float(rng.normal(0.0, ROTATION_DEG / 2.0)) if rng.random() < 0.6 else 0.0
    angle = float(np.clip(angle, -ROTATION_DEG * 1.5, ROTATION_DEG * 1.5))
    return _warp(context, middle, side, angle, bool(rng.random() < 0.5), min(size, max(16, round(side))))


def _warp(
    context: Picture, middle: NDArray[np.floating], side: float, angle_deg: float, flip: bool, size: int
) -> Picture:
    turn = np.deg2rad(angle_deg)
    step = side / size
    cos, sin = np.cos(turn) * step, np.sin(turn) * step
    mirror = -1.0 if flip else 1.0
    # Maps result pixels to context pixels, pixel centres at half-integers.
    linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    offset = middle - 0.5 - linear @ np.array([(size - 1) / 2.0] * 2)
    matrix = np.concatenate([linear, offset[:, None]], 1)
    warped = cv2.warpAffine(
        context, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return warped.astype(np.uint8, copy=False)


def _light(crop: Picture, rng: np.random.Generator) -> Picture:
    values = crop.astype(np.float32) / 255.0
    if rng.random() < 0.8:
        values = values ** np.float32(np.exp(rng.normal(0.0, 0.3)))
        values = (values - 0.5) * np.float32(rng.uniform(0.65, 1.3)) + 0.5 + np.float32(rng.normal(0.0, 0.08))
    if rng.random() < 0.5:
        grey = values.mean(2, keepdims=True)
        values = grey + (values - grey) * np.float32(rng.uniform(0.1, 1.4))
    if rng.random() < 0.5:
        values = values * rng.uniform(0.86, 1.14, 3).astype(np.float32)
    chance = rng.random()
    if chance < 0.06:  # coloured lamps: purple, blue, orange
        tint = np.array(((1.0, 0.45, 1.05), (0.5, 0.6, 1.2), (1.2, 0.8, 0.45))[rng.integers(3)], np.float32)
        values = values * (1.0 + (tint - 1.0) * np.float32(rng.uniform(0.5, 1.0)))
    elif chance < 0.14:  # dark scene, or a face against a window
        values = values * np.float32(rng.uniform(0.2, 0.55)) + np.float32(rng.uniform(0.0, 0.05))
    elif chance < 0.24:  # light from one side
        size = crop.shape[0]
        ramp = np.linspace(rng.uniform(0.35, 1.0), rng.uniform(1.0, 1.4), size, dtype=np.float32)
        ramp = ramp[::-1] if rng.random() < 0.5 else ramp
        values = values * (ramp[:, None, None] if rng.random() < 0.3 else ramp[None, :, None])
    return np.asarray(np.clip(values, 0.0, 1.0) * 255.0 + 0.5, np.uint8)


def _camera(crop: Picture, pixels: float, size: int, rng: np.random.Generator) -> Picture:
    """Few pixels, blur, noise and compression, then the enlargement to `size`."""
    few = max(12, round(pixels))
    if few < crop.shape[0]:
        interpolation = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
        crop = cv2.resize(crop, (few, few), interpolation=interpolation).astype(np.uint8, copy=False)
    chance = rng.random()
    if chance < 0.2:
        sigma = rng.uniform(0.3, 1.2) * crop.shape[0] / 80.0
        crop = cv2.GaussianBlur(crop, (0, 0), max(0.3, sigma)).astype(np.uint8, copy=False)
    elif chance < 0.35:
        length = max(3, round(crop.shape[0] * rng.uniform(0.03, 0.09)))
        crop = _motion_blur(crop, length, float(rng.uniform(0, 180)))
    if rng.random() < 0.35:
        noise = rng.normal(0.0, rng.uniform(1.0, 10.0), crop.shape).astype(np.float32)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    chance = rng.random()
    if chance < VIDEO_SHARE and crop.shape[0] >= SMALLEST_VIDEO_PX:
        crop = through_video(crop, qp=int(rng.integers(28, 44)), step=rng.integers(-2, 3, 2).tolist())
    elif chance < VIDEO_SHARE + 0.48:
        encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(22, 92))])[1]
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        crop = crop if decoded is None else decoded.astype(np.uint8, copy=False)
    if crop.shape[0] != size:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return crop


def _motion_blur(crop: Picture, length: int, angle_deg: float) -> Picture:
    kernel = np.zeros((length, length), np.float32)
    middle, reach = (length - 1) / 2.0, (length - 1) / 2.0
    dx, dy = np.cos(np.deg2rad(angle_deg)) * reach, np.sin(np.deg2rad(angle_deg)) * reach
    start, end = (round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(crop, -1, kernel / max(float(kernel.sum()), 1.0)).astype(np.uint8, copy=False)


def _cut_out(crop: Picture, rng: np.random.Generator) -> Picture:
    """Something in front: a rectangle too small to hide the lower face. It must not look like a mask."""
    size = crop.shape[0]
    height, width = (int(size * rng.uniform(0.08, 0.25)) for _ in range(2))
    y, x = int(rng.integers(0, size - height)), int(rng.integers(0, size - width))
    crop = crop.copy()
    crop[y : y + height, x : x + width] = rng.integers(0, 256, 3) if rng.random() < 0.5 else crop.mean((0, 1))
    return crop
