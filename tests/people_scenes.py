"""Four scenes that put trackers to the test, with their truth: paths that cross, a second behind a pillar, somebody who turns
away beside somebody who does not, and somebody who waits for two minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np

from infra.demo.clips import encode
from infra.demo.corridor import CorridorRenderer, Frame
from infra.demo.masks import Wearing
from infra.demo.people import PLAIN_MASKS, cast
from infra.demo.scene import CEILING_M, Block, Corridor, DemoClip, Lens, Position, Stage, Walker, Waypoint
from infra.demo.truth import Truth, save_truth, truth_of, truth_path
from storage.files import replaced

LENS: Final = Lens(1280, 720)
FPS: Final = 10
CORRIDOR: Final = Corridor("entrance", 2.2, 9.0, ())
PALE: Final = (0.73, 0.72, 0.68)
STILL_M_S: Final = 0.02
"""Slower than this, in metres a second, is standing still."""


@dataclass(frozen=True)
class Sitter(Walker):
    """Somebody who does not move at all while the path stands still: no sway, no swinging arms."""

    def position(self, t: float) -> Position | None:
        """Where the person is at `t` seconds; None before and after the passage."""
        at = super().position(t)
        if at is None or np.hypot(at.vx, at.vz) > STILL_M_S:
            return at
        return replace(at, phase=self.gait)


@dataclass(frozen=True)
class PeopleScene:
    """A clip, and when whose face is turned away: (walker, from, to), in seconds."""

    name: str
    clip: DemoClip
    away: tuple[tuple[str, float, float], ...] = ()

    def is_away(self, walker: str, t: float) -> bool:
        """Whether only the back of somebody's head is to be seen at `t` seconds."""
        return any(who == walker and start <= t < end for who, start, end in self.away)

    def truth(self) -> Truth:
        """The truth of the clip, without the faces that are turned away."""
        whole = truth_of(self.clip)
        tracks = (
            msgspec.structs.replace(
                track, boxes=tuple(box for box in track.boxes if not self.is_away(track.id, box[0]))
            )
            for track in whole.tracks
        )
        return msgspec.structs.replace(whole, tracks=tuple(tracks))


def people_scenes(seed: int = 5) -> tuple[PeopleScene, ...]:
    """The four scenes: `crossing`, `hidden`, `turning`, `waiting`; 1280x720 at 10 fps."""
    people = cast(7, ward=False, rng=np.random.default_rng(seed))

    def walker(number: int, worn: Wearing, *path: tuple[float, float, float], kind: type[Walker] = Walker) -> Walker:
        who, points = people[number], tuple(Waypoint(*point) for point in path)
        mask = PLAIN_MASKS[number % len(PLAIN_MASKS)]
        stages = (Stage(points[0].at_s, worn),)
        return kind(f"p{number + 1}", who.head, who.body, mask, stages, points, who.height_m, who.gait)

    def clip(name: str, duration_s: float, *walkers: Walker, blocks: tuple[Block, ...] = ()) -> DemoClip:
        return DemoClip(name, LENS, FPS, duration_s, replace(CORRIDOR, blocks=blocks), walkers, seed)

    return (
        PeopleScene(
            "crossing",
            clip(
                "crossing",
                9.0,
                walker(0, "proper", (0.5, -2.0, 4.3), (7.0, 2.0, 4.3)),
                walker(1, "bare", (0.8, 1.9, 3.6), (7.2, -1.9, 3.6)),
            ),
        ),
        PeopleScene(
            "hidden",
            clip(
                "hidden",
                9.0,
                walker(2, "bare", (0.5, -2.0, 4.2), (6.5, 2.0, 4.2)),
                blocks=(Block(-0.30, 3.2, 0.46, CEILING_M, 0.1, PALE),),
            ),
        ),
        PeopleScene(
            "turning",
            clip(
                "turning",
                13.0,
                walker(3, "proper", (0.4, -1.8, 3.5), (2.4, -0.3, 3.5), (9.4, -0.3, 3.5), (11.6, -1.8, 3.5)),
                walker(4, "bare", (0.4, 1.8, 3.6), (2.4, 0.3, 3.6), (9.4, 0.3, 3.6), (11.6, 1.8, 3.6)),
            ),
            away=(("p5", 4.0, 7.0),),
        ),
        PeopleScene(
            "waiting",
            clip(
                "waiting",
                128.0,
                walker(5, "bare", (0.4, 1.6, 3.2), (3.0, 0.0, 3.2), (123.0, 0.0, 3.2), (125.6, -1.6, 3.2), kind=Sitter),
            ),
        ),
    )


def write_scene(scene: PeopleScene, path: Path) -> Truth:
    """Render a scene to `path`, as `infra.demo.clips.write_clip` does, and its truth beside it.

    Raises:
        StorageError: a file can't be written.
        SetupError: scikit-image is missing.
    """
    with replaced(path) as temporary:
        encode(scene.clip, _SceneRenderer(scene), temporary, None)
    truth = scene.truth()
    save_truth(truth, truth_path(path))
    return truth


class _SceneRenderer(CorridorRenderer):
    """Draws the back of a head where somebody is turned away."""

    def __init__(self, scene: PeopleScene) -> None:
        super().__init__(scene.clip)
        self._scene = scene
        self._faces = self._heads
        self._backs = {key: type(head).of(_back(head.levels[0])) for key, head in self._heads.items()}

    def frame(self, t: float) -> Frame:
        """The picture at `t` seconds: (height, width, 3) uint8 RGB."""
        self._heads = {
            key: (self._backs if self._scene.is_away(key[0], t) else self._faces)[key] for key in self._faces
        }
        return super().frame(t)


def _back(head: Frame) -> Frame:
    """A head's outline filled with its own hair: (height, width, 4) uint8, premultiplied RGBA."""
    alpha = head[..., 3]
    # The crown is hair, whoever it is.
    crown = head[: head.shape[0] // 4]
    hair = crown[crown[..., 3] > 250][:, :3].mean(axis=0)
    light = np.asarray(cv2.GaussianBlur(head[..., 1], (0, 0), 24), np.float64)
    light = 0.8 + 0.4 * light / max(float(light.max()), 1.0)
    colour = hair[None, None] * light[..., None] * (alpha[..., None] / 255.0)
    return np.dstack([colour.clip(0, 255).astype(np.uint8), alpha])
