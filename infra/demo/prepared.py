"""The demo's two clips, made by a process of its own: its memory is not the demo's, and most starts need none of it.

`python -m infra.demo.prepared FOLDER` is that process.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from infra.console import complain
from infra.demo.truth import Truth, load_truth, truth_path
from storage.errors import MaskwatchError, SetupError
from storage.files import write_bytes

CAMERAS: Final = ("entrance", "ward")

NOT_PICTURES: Final = frozenset({"__init__.py", "prepared.py", "live.py", "export.py", "serve.py"})
"""What does not shape the clips; whatever else of this package changes, they are looked at anew."""


def prepared_clips(folder: Path) -> list[Truth]:
    """See to it that the demo's clips lie in `folder`, as `entrance.mp4` and `ward.mp4`; gives their truth.

    Raises:
        SetupError: they can't be made; what is wrong was said on stderr.
    """
    clips = [folder / f"{camera}.mp4" for camera in CAMERAS]
    made_by = folder / "made-by.sha256"
    there = all(clip.exists() and truth_path(clip).exists() for clip in clips)
    if not (there and made_by.exists() and made_by.read_bytes() == _fingerprint()):
        command = [sys.executable, "-P", "-m", "infra.demo.prepared", str(folder)]
        if subprocess.run(command, check=False).returncode != 0:  # noqa: S603 our own program
            raise SetupError(f"the demo's clips could not be made in {folder}")
        write_bytes(made_by, _fingerprint())
    return [load_truth(truth_path(clip)) for clip in clips]


def main() -> None:
    """Entry point of the process that renders."""
    from infra.demo.kept import kept_clip
    from infra.demo.script import demo_clips

    try:
        for clip in demo_clips():
            kept_clip(clip, Path(sys.argv[1]) / f"{clip.camera}.mp4")
    except MaskwatchError as error:
        complain(str(error))
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


def _fingerprint() -> bytes:
    """Of the program that makes the clips."""
    sources = sorted(file for file in Path(__file__).parent.glob("*.py") if file.name not in NOT_PICTURES)
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest().encode()


if __name__ == "__main__":
    main()
