"""`maskwatch explain`: where the classifier looks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import cv2
import msgspec
import numpy as np
import typer
from numpy.typing import NDArray

from classify.classifier import FaceClassifier, load_model, model_file
from classify.crops import crop_faces
from classify.views import classify_crop
from infra.analysis import Analyzer, FaceReport, face_report, named
from infra.annotate import Mark, draw, write_picture
from infra.commands.options import Detector, Json, MinFace, Model
from infra.commands.targets import Targets
from infra.console import emit, results, say
from infra.settings import Settings, load_settings
from ingest.pictures import read_picture
from storage.errors import InputError, UsageError
from storage.files import check_writable, write_bytes
from storage.messages import Box
from storage.report import shown, to_json
from storage.words import Label
from training.explanation import heat_maps
from training.gradcam import coloured, enlarged
from training.labels import LABELS

LEGIBLE_PX: Final = 120
"""Pictures are written enlarged until their faces are about this wide."""

LARGEST_PX: Final = 2400


class ExplainedFace(FaceReport, frozen=True):
    """A face as `maskwatch image` reports it, and where what is said of it comes from.

    Attributes:
        explained: the label that the heat is of.
        square: x, y, width, height of what the classifier saw, in pixels of the picture; it may reach beyond it.
        heat: rows from top to bottom over that square; above 0 speaks for the label, below against it.
        hottest: x, y in pixels of the picture, None where nothing speaks for the label.
    """

    explained: str
    square: Box
    heat: list[list[float]]
    hottest: tuple[int, int] | None


class Explanation(msgspec.Struct, frozen=True):
    """What `maskwatch explain --json` prints."""

    image: str
    width: int
    height: int
    out: str
    faces: list[ExplainedFace]


def explain(
    image: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write the picture with heat here, .jpg or .png.")],
    label: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="LABEL", help=f"Label to explain: {', '.join(LABELS)}; each face's own if none."
        ),
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="The picture already is a face crop: nothing is detected.")
    ] = False,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
) -> None:
    """Show which parts of each face speak for its label (Grad-CAM)."""
    settings = load_settings(model=model, detector=detector, min_face_px=min_face)
    if label is not None and label not in LABELS:
        raise UsageError(f"there is no class {label!r}: choose one of {', '.join(LABELS)}")
    if out.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise UsageError(f"--out {out} must end in .jpg or .png")
    Targets([image]).named(out)
    rgb = read_picture(image, max_pixels=settings.max_picture_pixels)
    check_writable(out)
    classifier, faces = _judged(settings, rgb, crop=crop)
    if not faces:
        raise InputError(
            f"no face was found in {image}: give a picture with larger faces, or --crop if it already is a face"
        )
    explained = _explained(
        classifier, model_file(settings.model), rgb, faces, label, margin=0.0 if crop else classifier.margin
    )
    _write(out, _drawn(rgb, explained))
    report = Explanation(shown(image), rgb.shape[1], rgb.shape[0], shown(out), explained)
    if json:
        emit(to_json(report))
        return
    for face in explained:
        x, y, width, height = face.box
        where = f"hottest at {face.hottest[0]},{face.hottest[1]}" if face.hottest else "nothing speaks for it"
        results.print(
            f"{face.label} {face.confidence:.2f} at {x},{y} {width}x{height}; {face.explained}: {where}", markup=False
        )
    say(f"the picture with heat is {out}: yellow speaks most for the label")


def _judged(settings: Settings, rgb: NDArray[np.uint8], *, crop: bool) -> tuple[FaceClassifier, list[FaceReport]]:
    """The faces, as `maskwatch image` or, for a crop, `maskwatch faces` judges them."""
    if not crop:
        with Analyzer(settings) as analyzer:
            found = analyzer.faces_in_picture(rgb)
            return analyzer.classifier, [face_report(face, settings.min_face_px) for face in found]
    classifier = load_model(settings.model)
    verdict = classify_crop(classifier, rgb, min_face_px=settings.min_face_px)
    label = Label.UNKNOWN if verdict.unknown else verdict.label
    whole = (0, 0, rgb.shape[1], rgb.shape[0])
    return classifier, [FaceReport(whole, 1.0, label, round(verdict.confidence, 4), None, named(verdict.probabilities))]


def _explained(
    classifier: FaceClassifier,
    file: Path,
    rgb: NDArray[np.uint8],
    faces: Sequence[FaceReport],
    label: str | None,
    *,
    margin: float,
) -> list[ExplainedFace]:
    boxes = np.array([face.box for face in faces], np.float32)
    crops = crop_faces(rgb, boxes, size=classifier.image_size, margin=margin)
    labels = [label or max(face.probabilities, key=face.probabilities.__getitem__) for face in faces]
    heats = heat_maps(classifier, crops, np.array([LABELS.index(name) for name in labels], np.int64), file=file)
    if heats is None:
        raise InputError(
            f"{file} gives no activation maps, so it can't be explained: give a .tflite file that `maskwatch train` "
            "wrote, or a .keras file"
        )
    explained = []
    for face, name, heat in zip(faces, labels, heats, strict=True):
        square = _square(face.box, margin)
        row, column = np.unravel_index(int(heat.argmax()), heat.shape)
        x, y, side, _ = square
        hottest = (
            round(x + (float(column) + 0.5) * side / heat.shape[1]),
            round(y + (float(row) + 0.5) * side / heat.shape[0]),
        )
        told = (face.box, face.detection_score, face.label, face.confidence, face.unknown_reason, face.probabilities)
        explained.append(
            ExplainedFace(*told, name, square, heat.round(4).tolist(), hottest if heat.max() > 0 else None)
        )
    return explained


def _square(box: Box, margin: float) -> Box:
    """What `classify.crops.crop_face` cuts."""
    x, y, width, height = box
    side = max(2, round((1.0 + 2.0 * margin) * max(width, height)))
    return round(x + width / 2.0 - side / 2.0), round(y + height / 2.0 - side / 2.0), side, side


def _drawn(rgb: NDArray[np.uint8], faces: Sequence[ExplainedFace]) -> NDArray[np.uint8]:
    """The picture, enlarged where its faces are small, with heat, boxes, labels and confidence."""
    typical = float(np.median([max(face.box[2:]) for face in faces]))
    scale = max(1.0, min(LEGIBLE_PX / typical, LARGEST_PX / max(rgb.shape[:2])))
    width, height = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    picture = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    canvas = np.zeros((height, width), np.float32)
    marks = []
    for face in faces:
        left, top, side, _ = (round(part * scale) for part in face.square)
        heat = enlarged(np.array(face.heat, np.float32), max(1, side), max(1, side))
        inside = canvas[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
        rows, columns = inside.shape
        part = heat[max(0, -top) : max(0, -top) + rows, max(0, -left) : max(0, -left) + columns]
        # Where faces overlap, the hotter one shows.
        np.maximum(inside, part, out=inside)
        x, y, box_width, box_height = (round(part * scale) for part in face.box)
        other = "" if face.explained == face.label else f" ({face.explained}?)"
        marks.append(Mark((x, y, box_width, box_height), face.label, f"{face.label} {face.confidence:.2f}{other}"))
    return draw(coloured(picture, canvas), marks)


def _write(out: Path, rgb: NDArray[np.uint8]) -> None:
    if out.suffix.lower() == ".png":
        write_bytes(out, cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes())
    else:
        write_picture(rgb, out)
