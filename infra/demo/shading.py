"""Small painting tools that heads, masks and bodies share: smooth outlines, soft fills, relief shading.

A shape looks solid when its brightness follows its curvature. So a drawn shape first becomes a relief (a height
over the picture plane), and light from the upper left turns the relief into brightness.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
"""(H, W, 3) or (H, W) float32, 0..1, RGB."""
Points = npt.NDArray[np.float64]
"""(N, 2) x, y in pixels."""

LIGHT = (-0.38, -0.62, 0.69)
"""Towards the light: x right, y down, z to the camera. The portrait is lit from the upper left, so is the rest."""


def smooth_outline(points: Points, steps: int = 8, closed: bool = True) -> Points:
    """A Catmull-Rom curve through `points` ((N, 2) pixels): (N * steps, 2), or less one span where it is open."""
    ring = points if closed else np.vstack([points[:1], points, points[-1:]])
    count = len(points) if closed else len(points) - 1
    along = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    spans = []
    for i in range(count):
        a, b, c, d = (ring[(i + k - 1) % len(ring)] if closed else ring[i + k] for k in range(4))
        spans.append(0.5 * (2 * b + (c - a) * along + (2 * a - 5 * b + 4 * c - d) * along**2
                            + (3 * b - a - 3 * c + d) * along**3))  # fmt: skip
    curve = np.vstack(spans)
    return curve if closed else np.vstack([curve, points[-1:]])


def filled(shape: tuple[int, int], outline: Points, soften_px: float = 0.0) -> Picture:
    """Coverage (H, W) 0..1 of a closed outline, antialiased, its edge softened by a Gaussian of `soften_px`."""
    canvas = np.zeros(shape, np.uint8)
    # Four binary digits of sub-pixel position: edges that move slowly do not jump.
    cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return blurred(canvas.astype(np.float32) / np.float32(255), soften_px)


def stroked(shape: tuple[int, int], line: Points, width_px: float, soften_px: float = 0.0) -> Picture:
    """Coverage (H, W) 0..1 of an open line of the given width."""
    canvas = np.zeros(shape, np.uint8)
    path = np.round(line * 16).astype(np.int32)
    cv2.polylines(canvas, [path], False, (255,), max(1, round(width_px)), cv2.LINE_AA, 4)
    return blurred(canvas.astype(np.float32) / np.float32(255), soften_px)


def blurred(picture: Picture, sigma_px: float) -> Picture:
    """Gaussian blur; nothing happens for a sigma of 0."""
    if sigma_px <= 0:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.float32)


def dome(coverage: Picture, height_px: float, reach_px: float) -> Picture:
    """Relief (H, W) in pixels over a shape: it rises from the edge like a cushion and is flat beyond `reach_px`."""
    inside = (coverage > 0.5).astype(np.uint8)
    depth = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5), np.float32)
    part = np.clip(depth / np.float32(reach_px), 0, 1)
    cushion = np.sqrt(np.maximum(0, 1 - (1 - part) ** 2)).astype(np.float32)
    return blurred(cushion * np.float32(height_px), reach_px / 6)


def relief_light(relief: Picture, ambient: float = 0.45) -> Picture:
    """Brightness (H, W) of a relief in pixels under LIGHT: 1.0 for a surface that faces the camera."""
    dx = np.asarray(cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1 / 8), np.float32)
    dy = np.asarray(cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1 / 8), np.float32)
    x, y, z = LIGHT
    facing = (-dx * x - dy * y + z) / np.sqrt(dx * dx + dy * dy + 1)
    light = ambient + (1 - ambient) * np.clip(facing, 0, None) / z
    return np.asarray(np.clip(light, 0, 1.25), np.float32)


def grain(shape: tuple[int, int], seed: int, size_px: float) -> Picture:
    """Seeded Gaussian noise (H, W) of unit deviation whose spots are about `size_px` wide."""
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    soft = blurred(noise, size_px)
    return (soft / max(float(soft.std()), 1e-6)).astype(np.float32)


def painted(picture: Picture, colour: Picture, coverage: Picture) -> Picture:
    """`picture` (H, W, 3) with `colour` ((H, W, 3) or (3,)) over it where `coverage` (H, W) says so."""
    alpha = coverage[..., None]
    return (picture + (colour - picture) * alpha).astype(np.float32)
