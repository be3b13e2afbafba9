"""Set-up: fetch the face detectors' model files. Run as `python -m detect.fetch FOLDER`.

MediaPipe 1.x carries no models; the last wheel that does is downloaded (by the hash in `requirements-models.lock`),
not installed, and the two BlazeFace files are taken out of it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from detect.blazeface import BlazeFace
from detect.models import DETECTORS, checked_model_file, extract_models
from detect.quiet import quiet_native_libraries
from storage.errors import MaskwatchError, SetupError

REQUIREMENT: Final = Path(__file__).parent.parent / "requirements-models.lock"
WHEEL_FOR: Final = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")
"""One certain wheel, whatever runs here: nothing in it but the models is used."""

LIMIT_S: Final = 600


def fetch_models(folder: Path) -> None:
    """Put the detectors' model files into `folder`, unless they are there already.

    Raises:
        SetupError: the download failed or brought something else.
    """
    try:
        for model in DETECTORS.values():
            checked_model_file(folder / model.file_name, model)
    except SetupError:
        with tempfile.TemporaryDirectory() as name:
            extract_models(_download(Path(name)), folder)


def _download(folder: Path) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
        *WHEEL_FOR, "--dest", str(folder), "--requirement", str(REQUIREMENT),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)  # noqa: S603 no shell, fixed words
    except subprocess.TimeoutExpired:
        raise SetupError(f"the download of the face detectors' models took longer than {LIMIT_S} s") from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SetupError(
            f"the face detectors' models can't be downloaded ({reason}): run `make setup` again when the package index "
            "can be reached, or set MASKWATCH_DETECTOR_MODEL to a file you have"
        )
    return wheels[0]


def main() -> int:
    """Fetch, then load each detector once, so that a missing system library shows at set-up."""
    quiet_native_libraries()
    folder = Path(sys.argv[1])
    try:
        fetch_models(folder)
        for model in DETECTORS.values():
            BlazeFace(model, folder / model.file_name).close()
    except MaskwatchError as error:
        sys.stderr.write(f"set-up: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
