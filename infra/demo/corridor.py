"""Renders the frames of a clip: the empty corridor, people from far to near, what hides them, light and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.backdrop import light_on, render_backdrop
from infra.demo.body import BODY_PX_PER_M, Body, Part, draw_body
from infra.demo.figure import Affine, Figure, Place, pose
from infra.demo.masks import Wearing, draw_mask
from infra.demo.portrait import cut_head, sprite, tinted
from infra.demo.scene import DemoClip, Walker
from infra.demo.shading import blurred

Frame = npt.NDArray[np.uint8]
_SHUTTER = 0.2
"""The part of a frame's time during which the shutter is open: motion blur."""
_NOISE_SIGMA = 2.2


@dataclass(frozen=True, eq=False)
class _Mipmap:
    """A sprite at full, half and quarter size: shrinking far by a plain warp would alias."""

    levels: tuple[Frame, ...]

    @staticmethod
    def of(rgba: Frame) -> _Mipmap:
        levels = [rgba]
        for _ in range(2):
            levels.append(
                np.asarray(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            )
        return _Mipmap(tuple(levels))

    def pick(self, matrix: Affine) -> tuple[Frame, Affine]:
        """The level that is shrunk by less than two, and the map from its pixels."""
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        level = 0 if scale > 0.6 else 1 if scale > 0.3 else 2
        picked = matrix.copy()
        # Pixel centres lie at halves: a smaller level's pixel 0 is not the larger one's pixel 0.
        picked[:, 2] += matrix[:, :2] @ np.full(2, (2**level - 1) / 2)
        picked[:, :2] *= 2**level
        return self.levels[level], picked


@dataclass(frozen=True, eq=False)
class _Limbs:
    upper_arm: _Mipmap
    forearm: _Mipmap
    thigh: _Mipmap
    shin: _Mipmap
    torso: _Mipmap
    parts: Body


class CorridorRenderer:
    """Makes the frames of one clip. Preparing takes a few seconds for 1080p, a frame about 10 ms of one core.

    A frame depends on the clip and its time only, not on the frames before it.
    """

    def __init__(self, clip: DemoClip) -> None:
        self._clip = clip
        lens = clip.lens
        self._backdrop = render_backdrop(lens, clip.corridor, clip.seed)
        self._screens = sorted(self._backdrop.screens, key=lambda screen: -screen.z_m)
        self._heads = {(w.id, worn): _Mipmap.of(_head(w, worn)) for w in clip.walkers for worn in _worn(w)}
        self._bodies = {w.id: _limbs(w, clip.seed * 100 + k) for k, w in enumerate(clip.walkers)}
        self._shadow = _Mipmap.of(_shadow())
        self._lights = {level: _light_by_depth(clip, level) for level in (0.0, 1.0)}
        self._noise = _noise(lens.height + 64, lens.width + 64, clip.seed)

    def frame(self, t: float) -> Frame:
        """The picture at `t` seconds: (height, width, 3) uint8 RGB."""
        clip = self._clip
        day, gain = clip.daylight(t), clip.exposure(t)
        empty = cv2.addWeighted(self._backdrop.bright, day * gain, self._backdrop.dim, (1 - day) * gain, 0)
        picture = np.asarray(empty.copy(), np.uint8)
        figures = [(figure, walker) for walker in clip.walkers if (figure := pose(walker, clip.lens, t))]
        screens = list(self._screens)
        for figure, walker in sorted(figures, key=lambda pair: -pair[0].z_m):
            while screens and screens[0].z_m >= figure.z_m:
                screens.pop(0)
            self._draw(picture, walker, figure, t, gain * self._light_at(figure.z_m, day))
            for screen in screens:  # all nearer ones: the empty corridor comes back over this person
                rows, columns = (
                    slice(screen.y, screen.y + screen.mask.shape[0]),
                    slice(screen.x, screen.x + screen.mask.shape[1]),
                )
                if _touches(figure, screen.x, screen.x + screen.mask.shape[1]):
                    cv2.copyTo(np.asarray(empty)[rows, columns], screen.mask, picture[rows, columns])
        return self._grained(picture, t)

    def _light_at(self, z_m: float, day: float) -> float:
        depths, dim = self._lights[0.0]
        bright = self._lights[1.0][1]
        return float(np.interp(z_m, depths, bright) * day + np.interp(z_m, depths, dim) * (1 - day))

    def _draw(self, picture: Frame, walker: Walker, figure: Figure, t: float, light: float) -> None:
        limbs = self._bodies[walker.id]
        parts = limbs.parts
        blur = tuple(round(abs(v) * _SHUTTER / self._clip.fps) for v in figure.speed_px)
        pen = _Pen(picture, light, (blur[0], blur[1]))
        wide, deep = 0.36 * figure.px_per_m, 0.36 * figure.px_per_m * 0.25
        shadow = np.array([[wide / 64, 0, figure.feet[0] - wide], [0, deep / 64, figure.feet[1] - deep]])
        pen.lay(self._shadow, shadow)
        far_leg = 0 if figure.legs[0].end[1] < figure.legs[1].end[1] else 1
        for leg in (figure.legs[far_leg], figure.legs[1 - far_leg]):
            pen.limb(limbs.thigh, parts.thigh, leg.top, leg.middle, figure.body_scale)
            pen.limb(limbs.shin, parts.shin, leg.middle, leg.end, figure.body_scale)
        torso = _torso_map(parts.torso, figure)
        pen.lay(limbs.torso, torso)
        if figure.hands_up < 0.2:
            self._arms(pen, limbs, figure)
        pen.lay(self._heads[walker.id, walker.wearing_at(t)], figure.head)
        if figure.hands_up >= 0.2:
            self._arms(pen, limbs, figure)

    def _arms(self, pen: _Pen, limbs: _Limbs, figure: Figure) -> None:
        for arm in figure.arms:
            pen.limb(limbs.upper_arm, limbs.parts.upper_arm, arm.top, arm.middle, figure.body_scale)
            pen.limb(limbs.forearm, limbs.parts.forearm, arm.middle, arm.end, figure.body_scale)

    def _grained(self, picture: Frame, t: float) -> Frame:
        """Sensor noise: one tile, shifted anew for every frame."""
        number = round(t * self._clip.fps)
        down, right = (number * 37) % 64, (number * 23) % 64
        height, width = picture.shape[:2]
        tile = self._noise[down : down + height, right : right + width]
        return np.asarray(cv2.addWeighted(picture, 1.0, tile, 1.0, -128.0, dst=picture), np.uint8)


@dataclass(frozen=True, eq=False)
class _Pen:
    """Lays sprites on a picture, with the light and the motion blur of one person."""

    picture: Frame
    light: float
    blur: tuple[int, int]

    def limb(self, sprite_levels: _Mipmap, part: Part, start: Place, end: Place, scale: float) -> None:
        """A limb from `start` to `end` in the picture: as long as that, as wide as the person's scale says."""
        along = np.array(end) - np.array(start)
        length = float(np.hypot(along[0], along[1]))
        if length < 0.5:
            return
        down = along / length
        right = np.array([down[1], -down[0]])
        own = part.end[1] - part.start[1]
        linear = np.column_stack([right * scale / BODY_PX_PER_M, down * length / own])
        self.lay(sprite_levels, np.column_stack([linear, np.array(start) - linear @ np.array(part.start)]))

    def lay(self, sprite_levels: _Mipmap, matrix: Affine) -> None:
        """Composite a premultiplied sprite through `matrix` (sprite pixels to picture pixels)."""
        rgba, matrix = sprite_levels.pick(matrix)
        height, width = rgba.shape[:2]
        corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ matrix[:, :2].T + matrix[:, 2]
        margin = 1 + max(self.blur)
        left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - margin, 0)
        limit = (self.picture.shape[1], self.picture.shape[0])
        right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + margin, limit)
        if right <= left or bottom <= top:
            return
        local = matrix.copy()
        local[:, 2] -= (left, top)
        warped = cv2.warpAffine(rgba, local, (int(right - left), int(bottom - top)))
        if max(self.blur) > 1:
            warped = cv2.blur(warped, (max(1, self.blur[0]), max(1, self.blur[1])))
        red, green, blue, alpha = cv2.split(warped)
        colour = cv2.convertScaleAbs(cv2.merge((red, green, blue)), alpha=self.light)
        clear = cv2.bitwise_not(alpha)
        region = self.picture[top:bottom, left:right]
        cv2.add(cv2.multiply(region, cv2.merge((clear, clear, clear)), scale=1 / 255), colour, dst=region)


def _torso_map(part: Part, figure: Figure) -> Affine:
    grow = figure.body_scale / BODY_PX_PER_M
    cos, sin = np.cos(figure.roll) * grow, np.sin(figure.roll) * grow
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, np.array(figure.neck) - linear @ np.array(part.start)])


def _touches(figure: Figure, left: float, right: float) -> bool:
    reach = 0.6 * figure.px_per_m
    return bool(figure.neck[0] + reach > left and figure.neck[0] - reach < right)


def _worn(walker: Walker) -> set[Wearing]:
    return {stage.wearing for stage in walker.stages}


def _head(walker: Walker, wearing: Wearing) -> Frame:
    sheet = cut_head()
    colour, alpha = draw_mask(sheet, tinted(sheet, walker.head), walker.mask, wearing)
    return sprite(colour, alpha, walker.head)


def _limbs(walker: Walker, seed: int) -> _Limbs:
    parts = draw_body(walker.body, walker.head.skin, seed)
    return _Limbs(
        upper_arm=_Mipmap.of(parts.upper_arm.rgba),
        forearm=_Mipmap.of(parts.forearm.rgba),
        thigh=_Mipmap.of(parts.thigh.rgba),
        shin=_Mipmap.of(parts.shin.rgba),
        torso=_Mipmap.of(parts.torso.rgba),
        parts=parts,
    )


def _shadow() -> Frame:
    """A soft dark spot (128, 128, 4) for the floor under the feet."""
    spot = np.zeros((128, 128), np.float32)
    cv2.circle(spot, (64, 64), 40, (0.55,), -1)
    alpha = np.round(blurred(spot, 12) * 255).astype(np.uint8)
    return np.dstack([np.zeros((128, 128, 3), np.uint8), alpha])


def _light_by_depth(clip: DemoClip, level: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Depths in metres and the light on a face there."""
    z = np.linspace(0.5, clip.corridor.length_m + 4, 60, dtype=np.float32)
    zero = np.zeros_like(z)
    light = light_on(zero, zero + np.float32(1.6), z, zero - 1, clip.corridor, level)
    # A camera exposes for faces and the portrait is well lit already: keep half of the lamps' ups and downs.
    return z, (0.30 + 0.62 * light / np.float32(1.25)).astype(np.float32)


def _noise(height: int, width: int, seed: int) -> Frame:
    """Noise around 128: mostly in brightness, a little in colour."""
    rng = np.random.default_rng(seed + 77)
    luma = rng.standard_normal((height, width, 1), np.float32) * np.float32(_NOISE_SIGMA)
    chroma = rng.standard_normal((height, width, 3), np.float32) * np.float32(_NOISE_SIGMA * 0.5)
    return np.clip(np.round(128 + luma + chroma), 0, 255).astype(np.uint8)
