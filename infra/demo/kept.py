"""Clips that are made once and kept: rendering takes longer than analysing."""

from pathlib import Path

import msgspec

from infra.console import progress_bar, say
from infra.demo.clips import ENCODER, write_clip
from infra.demo.scene import DemoClip
from infra.demo.truth import truth_path
from storage.files import write_bytes


def kept_clip(clip: DemoClip, path: Path) -> Path:
    """Make sure that `clip` and its truth lie at `path`, and return it; one made earlier from the same script is kept.

    Raises:
        StorageError: it can't be written.
        SetupError: the demo's portrait is missing.
    """
    recipe = path.with_suffix(".recipe.json")
    wanted = msgspec.json.encode([clip, ENCODER])
    if path.exists() and truth_path(path).exists() and recipe.exists() and recipe.read_bytes() == wanted:
        return path
    say(f"making {path} ({clip.frames} frames)")
    with progress_bar(f"rendering {path.name}") as progress:
        write_clip(clip, path, lambda done: progress(done, 1.0))
    write_bytes(recipe, wanted)
    return path
