"""The empty corridor, ray-cast once per clip: floor, ceiling, walls, doors, lamps, pillars and furniture.

For every pixel the nearest of a few planes and boxes is found in closed form, given a surface by its place in the
world, and lit by the ceiling's lamps. It takes a second or two; frames are then made from copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.demo.scene import CAMERA_HEIGHT_M, CEILING_M, Block, Corridor, Lens
from infra.demo.shading import Picture, blurred, grain

_BEHIND_JUNCTION_M = 3.2
_FLOOR, _CEILING, _WALL, _END, _BLOCK = range(5)


@dataclass(frozen=True, eq=False)
class Screen:
    """Something that hides what is farther than `z_m`: its rectangle in pixels and its mask (h, w) uint8, 0 or 255."""

    z_m: float
    x: int
    y: int
    mask: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The empty corridor with all lamps on and with half of them, (H, W, 3) uint8 RGB, and what hides people in it."""

    bright: npt.NDArray[np.uint8]
    dim: npt.NDArray[np.uint8]
    screens: tuple[Screen, ...]


@dataclass(frozen=True, eq=False)
class _Rays:
    """Where each pixel's ray (dx, -dy, 1) ends: place, kind of surface, number of the block plus one."""

    dx: Picture
    dy: Picture
    x: Picture
    y: Picture
    z: Picture
    surface: npt.NDArray[np.int16]
    block: npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class _Hits:
    """The same places with their colour (H, W, 3), own light (H, W, 3) and cosine towards straight up."""

    albedo: Picture
    glow: Picture
    x: Picture
    y: Picture
    z: Picture
    facing: Picture
    block: npt.NDArray[np.int16]


@dataclass(frozen=True)
class _Palette:
    wall: tuple[float, float, float]
    dado: tuple[float, float, float]
    floor: tuple[float, float, float]
    door: tuple[float, float, float]
    glass_end: bool


_PALETTES = {
    "entrance": _Palette((0.84, 0.82, 0.77), (0.46, 0.53, 0.62), (0.55, 0.54, 0.52), (0.52, 0.36, 0.24), True),
    "ward": _Palette((0.80, 0.84, 0.79), (0.52, 0.66, 0.60), (0.66, 0.62, 0.53), (0.74, 0.68, 0.55), False),
}


def lamps(corridor: Corridor) -> list[float]:
    """The depths in metres of the ceiling lamps."""
    return [float(z) for z in np.arange(0.9, corridor.length_m + _BEHIND_JUNCTION_M, 2.3)]


def light_on(x: Picture, y: Picture, z: Picture, facing: Picture, corridor: Corridor, level: float) -> Picture:
    """Light on points of the world (arrays of one shape), about 0.6..1.5.

    facing: cosine towards straight up, or -1 for a surface that faces the camera or the side. level: 1 for all lamps,
    0 for every second lamp.
    """
    total = np.full(z.shape, 0.52 + 0.12 * level, np.float32)
    for k, lamp_z in enumerate(lamps(corridor)):
        power = 1.0 if k % 2 == 0 else level
        dy, dz = np.maximum(CEILING_M - y, 0.05), lamp_z - z
        square = x * x * 0.55 + dy * dy + dz * dz * 0.75 + 0.35
        cosine = np.where(facing >= 0, dy / np.sqrt(square), 0.62)
        total += np.float32(1.15 * power) * cosine / square
    return total


def render_backdrop(lens: Lens, corridor: Corridor, seed: int) -> Backdrop:
    """Ray-cast the corridor of a clip."""
    shape = (lens.height, lens.width)
    bright, dim = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
    hidden = np.zeros(shape, np.int16)
    offsets = ((0.25, 0.3), (0.75, 0.7))  # two rays a pixel: edges without stairs
    for right, down in offsets:
        hits = _cast(lens, corridor, right, down)
        bright += _exposed(hits, corridor, 1.0) / len(offsets)
        dim += _exposed(hits, corridor, 0.0) / len(offsets)
        hidden = hits.block
    dirt = 1 + 0.012 * grain(shape, seed, lens.width / 60)[..., None]
    return Backdrop(_developed(bright * dirt), _developed(dim * dirt), tuple(_screens(lens, corridor, hidden)))


def _exposed(hits: _Hits, corridor: Corridor, level: float) -> Picture:
    light = light_on(hits.x, hits.y, hits.z, hits.facing, corridor, level)[..., None]
    return np.clip(hits.albedo * light + hits.glow * (0.55 + 0.45 * level), 0, 1).astype(np.float32)


def _developed(picture: Picture) -> npt.NDArray[np.uint8]:
    return np.round(np.clip(blurred(picture, 0.6), 0, 1) * 255).astype(np.uint8)


def _cast(lens: Lens, corridor: Corridor, right: float, down: float) -> _Hits:
    """What the rays through the pixels' (right, down) point meet first."""
    columns = (np.arange(lens.width, dtype=np.float32) + right - lens.width / 2) / lens.focal_px
    rows = (np.arange(lens.height, dtype=np.float32) + down - lens.horizon_px) / lens.focal_px
    dx = np.broadcast_to(columns[None, :], (lens.height, lens.width)).astype(np.float32)
    dy = np.broadcast_to(rows[:, None], dx.shape).astype(np.float32)
    half, end = np.float32(corridor.half_width_m), np.float32(corridor.length_m + _BEHIND_JUNCTION_M)
    with np.errstate(divide="ignore"):
        level = np.where(dy > 0, CAMERA_HEIGHT_M / dy, (CAMERA_HEIGHT_M - CEILING_M) / dy).astype(np.float32)
        side = half / np.abs(dx)
    side = np.where(side < corridor.length_m, side, np.inf).astype(np.float32)  # beyond the junction there is no wall
    z = np.minimum(np.minimum(level, side), end)
    surface = np.where(z == level, np.where(dy > 0, _FLOOR, _CEILING), np.where(z == side, _WALL, _END))
    block = np.zeros(dx.shape, np.int16)
    for k, standing in enumerate(corridor.blocks):
        depth = _hit_block(standing, dx, dy)
        closer = depth < z
        z, surface = np.where(closer, depth, z), np.where(closer, _BLOCK, surface)
        block[closer] = k + 1
    x, y = dx * z, np.float32(CAMERA_HEIGHT_M) - dy * z
    return _surfaces(corridor, _Rays(dx, dy, x, y, z.astype(np.float32), surface.astype(np.int16), block))


def _surfaces(corridor: Corridor, rays: _Rays) -> _Hits:
    """Colour, glow and direction of every surface that was met."""
    palette = _PALETTES[corridor.style]
    x, y, z = rays.x, rays.y, rays.z
    albedo = np.zeros((*x.shape, 3), np.float32)
    glow = np.zeros_like(albedo)
    floor, ceiling, wall, end = (rays.surface == s for s in (_FLOOR, _CEILING, _WALL, _END))
    # Floor: tiles with joints, each a little different, and a polish that mirrors lamps and the far end.
    tile = _speckle(np.floor(x / 0.6), np.floor(z / 0.6))
    joint = (np.mod(x, 0.6) < 0.012) | (np.mod(z, 0.6) < 0.03)
    shade = (0.96 + 0.07 * tile - 0.16 * joint)[..., None]
    albedo[floor] = (np.array(palette.floor, np.float32) * shade)[floor]
    with np.errstate(divide="ignore", invalid="ignore"):
        mirrored = np.where(rays.dy > 0, (CAMERA_HEIGHT_M + CEILING_M) / rays.dy, 0).astype(np.float32)
        polish = 0.10 + 0.35 * (1 - np.clip(rays.dy * 3, 0, 1)) ** 2
        shine = _lamp(rays.dx * mirrored, mirrored, corridor, 0.22) * polish
        shine += 0.25 * polish * (mirrored > corridor.length_m + _BEHIND_JUNCTION_M)
    glow[floor] = np.repeat(shine[..., None], 3, axis=2)[floor]
    # Ceiling: panels and lamps.
    seam = (np.mod(x + 0.3, 0.6) < 0.015) | (np.mod(z, 0.6) < 0.02)
    albedo[ceiling] = (np.array((0.80, 0.80, 0.78), np.float32) * (1 - 0.14 * seam)[..., None])[ceiling]
    glow[ceiling] = (_lamp(x, z, corridor, 0.02)[..., None] * np.array((1.0, 0.99, 0.95), np.float32))[ceiling]
    albedo[wall] = _wall(z, y, np.sign(x), palette)[wall]
    albedo[end] = _wall(x + np.float32(40.7), y, np.ones_like(x), palette)[end]
    if palette.glass_end:
        pane = end & (np.abs(x) < 1.25) & (y < 2.35)
        bar = (np.abs(np.mod(x + 1.25, 0.625)) < 0.05) | (np.abs(y - 1.05) < 0.04) | (y > 2.28) | (y < 0.1)
        sky = np.clip((y - 0.2) / 2.2, 0, 1)[..., None]
        outside = (1 - sky) * np.array((0.42, 0.46, 0.42), np.float32) + sky * np.array((0.86, 0.92, 0.99), np.float32)
        glow[pane] = (outside * np.where(bar, 0.12, 1.0)[..., None])[pane]
        albedo[pane] = 0.05
    for k, block in enumerate(corridor.blocks):
        front = rays.block == k + 1
        edge = (np.mod(y, 0.55) < 0.012) & (block.height_m < 2)
        side = np.where(np.abs(z - block.z_m) < 1e-3, 1.0, 0.74) * (1 - 0.25 * edge) * (1 - 0.35 * (y < 0.1))
        top = np.where(y > block.height_m - 1e-3, 1.12, 1.0)
        albedo[front] = (np.array(block.colour, np.float32) * (side * top)[..., None])[front]
    # Corners gather less light: darker where floor, wall and ceiling meet.
    corner = np.minimum(
        np.abs(corridor.half_width_m - np.abs(x)) + 2.0 * end, np.minimum(y, CEILING_M - y) + 2.0 * floor
    )
    albedo *= (1 - 0.30 * np.exp(-np.clip(corner, 0, 9) / 0.14))[..., None]
    facing = np.where(floor, 1.0, -1.0).astype(np.float32)
    return _Hits(albedo, glow, x, y, z, facing, rays.block)


def _lamp(x: Picture, z: Picture, corridor: Corridor, soft_m: float) -> Picture:
    """Coverage of the ceiling by lamps at (x, z), with edges `soft_m` wide."""
    near = np.full(x.shape, np.inf, np.float32)
    for lamp_z in lamps(corridor):
        near = np.minimum(near, np.maximum(np.abs(x) - 0.3, np.abs(z - np.float32(lamp_z)) - 0.6))
    return np.asarray(np.clip(0.5 - near / np.float32(2 * soft_m), 0, 1), np.float32)


def _wall(along: Picture, y: Picture, side: Picture, palette: _Palette) -> Picture:
    """Colour of a wall at `along` metres and height y: dado, rail, skirting, doors with frames, notices."""
    colour = np.where((y < 1.0)[..., None], np.array(palette.dado, np.float32), np.array(palette.wall, np.float32))
    colour = np.where(((y > 0.93) & (y < 1.05))[..., None], np.array((0.58, 0.46, 0.34), np.float32), colour)
    colour = colour * np.where(y < 0.1, 0.55, 1.0)[..., None]
    bay = np.mod(along + 0.9 * side, 3.4)
    frame = (bay > 0.50) & (bay < 1.62) & (y < 2.16)
    leaf = (bay > 0.56) & (bay < 1.56) & (y < 2.10)
    window = (bay > 1.28) & (bay < 1.42) & (y > 1.15) & (y < 1.85)
    handle = (bay > 0.62) & (bay < 0.72) & (np.abs(y - 1.02) < 0.03)
    colour = np.where(frame[..., None], np.array((0.42, 0.42, 0.42), np.float32), colour)
    wood = np.array(palette.door, np.float32) * (1 + 0.05 * np.sin(along * 60 + 3 * np.sin(y * 3)))[..., None]
    colour = np.where(leaf[..., None], wood, colour)
    colour = np.where((window & leaf)[..., None], np.array((0.30, 0.36, 0.40), np.float32), colour)
    colour = np.where(handle[..., None], np.array((0.75, 0.75, 0.76), np.float32), colour)
    sheet = (bay > 2.15) & (bay < 2.75) & (y > 1.3) & (y < 2.05)
    text = (np.mod(y, 0.07) < 0.03) & (bay > 2.22) & (bay < 2.66) & (y < 1.85)
    notice = np.where((sheet & text)[..., None], np.array((0.45, 0.50, 0.58), np.float32),
                      np.array((0.93, 0.92, 0.88), np.float32))  # fmt: skip
    return np.where(sheet[..., None], notice, colour).astype(np.float32)


def _speckle(a: Picture, b: Picture) -> Picture:
    """A number in 0..1 for each pair of whole numbers, without order."""
    mixed = np.sin(a * np.float32(12.9898) + b * np.float32(78.233)) * np.float32(437.5)
    return (mixed - np.floor(mixed)).astype(np.float32)


def _screens(lens: Lens, corridor: Corridor, hidden: npt.NDArray[np.int16]) -> list[Screen]:
    """Masks of the blocks, and of both walls for those who are beyond the junction's corners."""
    found = [_screen(block.z_m, hidden == k + 1) for k, block in enumerate(corridor.blocks)]
    corner = corridor.half_width_m * lens.scale(corridor.length_m)
    columns = np.broadcast_to(np.arange(lens.width) + 0.5, hidden.shape)
    sides = (columns < lens.width / 2 - corner, columns > lens.width / 2 + corner)
    return found + [_screen(corridor.length_m, beyond) for beyond in sides if beyond.any()]


def _screen(z_m: float, where: npt.NDArray[np.bool_]) -> Screen:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not len(rows):
        return Screen(z_m, 0, 0, np.zeros((0, 0), np.uint8))
    part = where[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Screen(z_m, int(columns[0]), int(rows[0]), np.where(part, np.uint8(255), np.uint8(0)))


def _hit_block(block: Block, dx: Picture, dy: Picture) -> Picture:
    """Depth at which the ray (dx, dy, 1) meets the block, by the slab method (Kay, Kajiya 1986); inf for a miss."""
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.full(dx.shape, block.z_m, np.float32)
        far = near + np.float32(block.depth_m)
        slabs = ((block.x_m, block.x_m + block.width_m, dx),
                 (CAMERA_HEIGHT_M - block.height_m, CAMERA_HEIGHT_M, dy))  # fmt: skip
        for low, high, slope in slabs:
            a, b = np.float32(low) / slope, np.float32(high) / slope
            near, far = np.maximum(near, np.minimum(a, b)), np.minimum(far, np.maximum(a, b))
    return np.where(near <= far, near, np.float32(np.inf)).astype(np.float32)
