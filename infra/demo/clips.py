"""Clips as files: H.264 in MP4 with the truth beside it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from infra.demo.corridor import CorridorRenderer
from infra.demo.scene import DemoClip
from infra.demo.truth import Truth, save_truth, truth_of, truth_path
from storage.files import replaced

Progress = Callable[[float], None]
ENCODER = {
    "preset": "veryfast",
    # The same seed has to give the same file. The number of threads shapes the bytes, so it is fixed; and whatever
    # rests on x264's look-ahead (crf, mbtree, weighted prediction, scene cuts, B-frames) gave other bytes from run to
    # run for the same frames, as if it read memory that nobody wrote. A constant quantiser without look-ahead gave
    # one file in 24 of 24 runs. 27 is visible compression (about crf 26); cameras send no B-frames either.
    "qp": "27",
    "x264-params": "threads=2:lookahead-threads=1:mbtree=0:weightp=0:bframes=0:scenecut=0:rc-lookahead=0"
    ":sync-lookahead=0",
}


def write_clip(clip: DemoClip, path: Path, progress: Progress | None = None) -> Truth:
    """Render `clip` to `path` (H.264, yuv420p, a keyframe every 2 s) and its truth to `<name>.truth.json` beside it.

    progress: called with the finished part, 0..1. Both files appear whole or not at all, the truth last. The same clip
    gives the same bytes on one version of the libraries and one processor family. Returns the truth. Raises
    StorageError where a file can't be written, SetupError without scikit-image.
    """
    renderer = CorridorRenderer(clip)
    with replaced(path) as temporary:
        encode(clip, renderer, temporary, progress)
    truth = truth_of(clip)
    save_truth(truth, truth_path(path))
    return truth


def encode(clip: DemoClip, renderer: CorridorRenderer, path: Path, progress: Progress | None) -> None:
    """Render every frame of `clip` into an MP4 file at `path`; progress: called with the finished part, 0..1."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=clip.fps, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = clip.lens.width, clip.lens.height, "yuv420p"
        stream.time_base = Fraction(1, clip.fps)
        stream.gop_size = 2 * clip.fps
        for number in range(clip.frames):
            # cv2's BT.601 conversion is faster than the library's own and is what players expect when untagged.
            planes = cv2.cvtColor(renderer.frame(number / clip.fps), cv2.COLOR_RGB2YUV_I420)
            picture = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, clip.fps)
            container.mux(stream.encode(picture))
            if progress is not None:
                progress((number + 1) / clip.frames)
        container.mux(stream.encode(None))
