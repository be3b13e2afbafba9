"""`maskwatch evaluate`: the figures of a model, or of all models of a `--folds` folder, on labelled data."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from storage.errors import InputError, UsageError
from training import looking
from training.cache import Cut, cut_crops
from training.commands.folds import FOLDS_FILE, FoldsNote, fold_parts
from training.commands.reporting import Told, as_table, leave_report
from training.detection import measure_detection
from training.evaluation import Evaluation, evaluate, pooled
from training.pictures import SPLITS, Picture, prepare
from training.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What `maskwatch evaluate` takes.

    Attributes:
        model: a model file with its `labels.json`, or a folder that `maskwatch train --folds K` left.
        data: packs, or folders of any layout that `training.pictures` reads.
        split: `train`, `val`, `test` or `all`; a folds folder is always measured out of fold.
        out: folder for the report, if wanted.
        detector: as in `TrainOptions`.
        seed: of the split of folders that bring none.
        limit: as in `TrainOptions`.
        sources: as in `TrainOptions`.
    """

    model: Path
    data: tuple[Path, ...]
    split: str = "test"
    out: Path | None = None
    detector: Path | None = None
    seed: int = 0
    limit: int | None = None
    sources: tuple[str, ...] | None = None


def run_evaluate(options: EvaluateOptions, progress: Progress = silent) -> Evaluation:
    """Measure a model on labelled data; a LiteRT one needs no TensorFlow.

    Args:
        options: what `maskwatch evaluate` takes.
        progress: told after every picture.

    Raises:
        UsageError: there is no such split.
        InputError: the data or the model can't be used.
        SetupError: the model or the detector is missing.
        StorageError: `out` can't be written.
    """
    if options.split not in {*SPLITS, "all"}:
        raise UsageError(f"there is no split {options.split!r}: choose one of {', '.join(SPLITS)} or all")
    return (_out_of_fold if options.model.is_dir() else _one)(options, progress)


def _one(options: EvaluateOptions, progress: Progress) -> Evaluation:
    from classify.classifier import load_model

    classifier = load_model(options.model)
    whole, data = prepare(
        options.data, seed=options.seed, limit=options.limit, sources=options.sources, progress=progress
    )
    pictures = [picture for picture in whole if options.split in {picture.split, "all"}]
    if not pictures:
        raise InputError(f"no picture is in the split {options.split}: choose another, or all")
    stage = f"faces of {options.split}"
    cut = _cut(pictures, options, classifier.image_size, progress, stage)
    found, crops, probabilities = evaluate(classifier, cut, options.split, file=options.model)
    if any(picture.portrait is None for picture in pictures):
        with closing(looking.running_looker(options.data, options.detector)) as looker:
            found = replace(found, detection=measure_detection(pictures, looker, classifier, progress))
    if options.out is not None:
        told = Told(f"{classifier.name} on {options.split}", data=data, options=as_table(options))
        measured = (found, crops, probabilities)
        leave_report(options.out, measured, told, classifier=classifier, file=options.model)
    return found


def _out_of_fold(options: EvaluateOptions, progress: Progress) -> Evaluation:
    """All models of a folds folder, each on the pictures that it did not see."""
    from classify.classifier import LiteRtClassifier

    path = options.model / FOLDS_FILE
    try:
        note = msgspec.json.decode(path.read_bytes(), type=FoldsNote)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"{options.model} is not a folder that `maskwatch train --folds K` has finished ({error}): name a model file"
        ) from error
    pictures, data = prepare(options.data, seed=note.seed, limit=note.limit, sources=note.sources, progress=progress)
    parts, unreadable = [], 0
    for name, members in fold_parts(pictures, note.folds, note.seed).items():
        classifier = LiteRtClassifier(options.model / name / note.model)
        cut = _cut(members, options, note.image_size, progress, f"faces of {name}")
        parts.append((cut.crops, classifier.classify(cut.crops.exact)))
        unreadable += len(cut.unreadable)
    measured = pooled(parts, unreadable=unreadable)
    if options.out is not None:
        told = Told(f"Out-of-fold figures of {options.model.name}", data=data, options=as_table(options))
        leave_report(options.out, measured, told)
    return measured[0]


def _cut(pictures: list[Picture], options: EvaluateOptions, size: int, progress: Progress, stage: str) -> Cut:
    with closing(looking.open_looker(options.data, options.detector)) as looker:
        return cut_crops(pictures, looker, exact=True, image_size=size, progress=progress, stage=stage)
