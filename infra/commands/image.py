"""`maskwatch image` and `maskwatch faces`: still pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from classify.classifier import load_model
from classify.views import classify_crop
from infra.analysis import Analyzer, ImageReport, named
from infra.annotate import marked, write_picture
from infra.commands.options import Detector, Json, MinFace, Model
from infra.commands.targets import Targets
from infra.console import complain, emit, printable, progress_bar, results, say
from infra.settings import load_settings
from ingest.pictures import picture_paths, read_picture
from storage.errors import InputError
from storage.files import make_folder
from storage.report import shown, to_json
from storage.words import Label

Paths = Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False)]


class CropReport(msgspec.Struct, frozen=True):
    """One line of `maskwatch faces --json`."""

    image: str
    label: Label
    confidence: float
    unknown: bool
    probabilities: dict[str, float]


class Failure(msgspec.Struct, frozen=True):
    """The line of a picture that can't be read."""

    image: str
    error: str


def image(
    paths: Paths,
    annotate: Annotated[
        Path | None, typer.Option("--annotate", metavar="DIR", help="Write the pictures with boxes and labels here.")
    ] = None,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
) -> None:
    """Detect and classify the faces in pictures or folders of pictures."""
    settings = load_settings(model=model, detector=detector, min_face_px=min_face)
    inputs = list(_expanded(paths))
    targets = _targets([path for path, _ in inputs], annotate)
    failed = False
    with Analyzer(settings) as analyzer, progress_bar("pictures") as progress:
        for done, (path, error) in enumerate(inputs):
            try:
                if error is not None:
                    raise error
                rgb = read_picture(path, max_pixels=settings.max_picture_pixels)
                report = analyzer.report(rgb, shown(path))
            except InputError as problem:
                failed = True
                _fail(path, problem, json)
                continue
            if done < len(targets):
                write_picture(marked(rgb, report.faces), targets[done])
            _show_image(report, json)
            progress(done + 1, len(inputs))
    if annotate is not None:
        say(f"annotated pictures are in {annotate}")
    if failed:
        raise typer.Exit(1)


def faces(
    paths: Paths,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
) -> None:
    """Classify pictures that already are face crops, without detection (`--detector` has no effect)."""
    settings = load_settings(model=model, detector=detector, min_face_px=min_face)
    classifier = load_model(settings.model)
    failed = False
    for path, error in _expanded(paths):
        try:
            if error is not None:
                raise error
            rgb = read_picture(path, max_pixels=settings.max_picture_pixels)
        except InputError as problem:
            failed = True
            _fail(path, problem, json)
            continue
        verdict = classify_crop(classifier, rgb, min_face_px=settings.min_face_px)
        report = CropReport(
            shown(path), verdict.label, round(verdict.confidence, 4), verdict.unknown, named(verdict.probabilities)
        )
        if json:
            emit(to_json(report))
        else:
            doubt = " (unknown: the system would abstain)" if report.unknown else ""
            results.print(f"{report.image}: {report.label} {report.confidence:.2f}{doubt}", markup=False)
    if failed:
        raise typer.Exit(1)


def _targets(sources: list[Path], folder: Path | None) -> list[Path]:
    """A place for each annotated picture, settled before the first is written; none without a folder."""
    if folder is None:
        return []
    targets = Targets(sources)
    make_folder(folder)
    return [targets.inside(folder, source.stem, ".jpg") for source in sources]


def _expanded(paths: list[Path]) -> Iterator[tuple[Path, InputError | None]]:
    for path in paths:
        try:
            for picture in picture_paths(path):
                yield picture, None
        except InputError as error:
            yield path, error


def _fail(path: Path, error: InputError, json: bool) -> None:
    if json:
        emit(to_json(Failure(shown(path), printable(str(error)))))
    complain(str(error))


def _show_image(report: ImageReport, json: bool) -> None:
    if json:
        emit(to_json(report))
        return
    count = len(report.faces)
    results.print(
        f"{report.image}: {report.width}x{report.height}, {count} {'face' if count == 1 else 'faces'}", markup=False
    )
    for face in report.faces:
        x, y, width, height = face.box
        why = f" ({face.unknown_reason})" if face.unknown_reason else ""
        results.print(f"  {face.label}{why} {face.confidence:.2f} at {x},{y} {width}x{height}", markup=False)
