"""`maskwatch evaluate`: the figures of a model, or of all models of a `--folds` folder, on labelled data."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.classifier import model_file
from storage.errors import InputError, UsageError
from training import looking
from training.cache import Cut, cut_crops
from training.commands.options import check_out
from training.commands.reporting import Told, as_table, leave_report
from training.detection import measure_detection
from training.evaluation import Evaluation, evaluate, pooled, unclear_judged
from training.fold_notes import fold_model, is_finished, read_folds
from training.kept_split import TRAINED, Split, keys_of, read_split, settled
from training.pictures import SPLITS, Picture, prepare
from training.progress import Progress, silent
from training.seeds import check_seed
from training.teacher import SEVERAL, UNKNOWN, folds_of, out_of_fold

OnNote = Callable[[str], None]
"""Called with a sentence about the figures that are to come."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What `maskwatch evaluate` takes.

    Attributes:
        model: a model file with its `labels.json`, or a folder that `maskwatch train` left, with `--folds K` too.
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


def run_evaluate(options: EvaluateOptions, progress: Progress = silent, *, on_note: OnNote | None = None) -> Evaluation:
    """Measure a model on labelled data; a LiteRT one needs no TensorFlow.

    Where a `split.json` lies beside the model, that says which pictures the model was trained on: none of them counts for
    `test`, those that it knows keep their split, and others that bring none are for `test`.

    Args:
        options: what `maskwatch evaluate` takes.
        progress: told after every picture.
        on_note: called with a sentence for whoever reads the figures.

    Raises:
        UsageError: there is no such split, a number is out of range, or `out` is a folder of pictures.
        InputError: the data or the model can't be used, or a folder's models were not trained on the data.
        SetupError: the model or the detector is missing.
        StorageError: `out` can't be written.
    """
    if options.split not in {*SPLITS, "all"}:
        raise UsageError(f"there is no split {options.split!r}: choose one of {', '.join(SPLITS)} or all")
    check_seed(options.seed)
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit must be 1 or more, not {options.limit}")
    if options.out is not None:
        check_out(options.data, options.out)
    if options.model.is_dir() and (is_finished(options.model) or any(options.model.glob("fold-*"))):
        return _out_of_fold(options, progress, on_note)
    return _one(replace(options, model=model_file(options.model)), progress, on_note)


def _one(options: EvaluateOptions, progress: Progress, on_note: OnNote | None) -> Evaluation:
    from classify.classifier import load_model

    classifier = load_model(options.model)
    known = read_split(options.model.parent)
    whole, data = prepare(
        options.data, seed=options.seed, limit=options.limit, sources=options.sources,
        divide=None if known is None else settled(known), image_size=classifier.image_size, progress=progress,
    )  # fmt: skip
    pictures = [picture for picture in whole if options.split in {picture.split, "all"}]
    if not pictures:
        raise InputError(f"no picture is in the split {options.split}: choose another, or all")
    facts = {}
    if options.split == "all" and known is not None:
        facts["pictures"] = _trained_on(pictures, known)
        if on_note is not None:
            on_note(facts["pictures"])
    stage = f"faces of {options.split}"
    cut = _cut(pictures, options, classifier.image_size, progress, stage)
    found, crops, probabilities = evaluate(classifier, cut, options.split, file=options.model)
    if any(picture.portrait is None for picture in pictures):
        with closing(looking.running_looker(options.data, options.detector)) as looker:
            found = replace(found, detection=measure_detection(pictures, looker, classifier, progress))
    if options.out is not None:
        told = Told(f"{classifier.name} on {options.split}", facts, data=data, options=as_table(options))
        measured = (found, crops, probabilities)
        leave_report(options.out, measured, told, classifier=classifier, file=options.model)
    return found


def _trained_on(pictures: list[Picture], known: dict[str, Split]) -> str:
    count = sum(known.get(key) in TRAINED for key in keys_of(pictures))
    return (
        f"the model was trained on {count} of these {len(pictures)} pictures, so that the figures are better than on new "
        "ones: take --split test for those"
        if count
        else f"the model was trained on none of these {len(pictures)} pictures"
    )


def _out_of_fold(options: EvaluateOptions, progress: Progress, on_note: OnNote | None) -> Evaluation:
    """All models of a folds folder, each on the faces that it did not see, by what the run noted of each face."""
    note = read_folds(options.model)
    judged = out_of_fold(options.model, note)
    known = read_split(options.model)
    # Beyond what the run knows a limited one has left pictures out; a whole one has not seen them, which is told.
    other = "train" if note.limit is None else "test"
    pictures, data = prepare(
        options.data, seed=note.seed, limit=note.limit, sources=note.sources,
        divide=None if known is None else settled(known, other=other), image_size=note.image_size, progress=progress,
    )  # fmt: skip
    pool = [picture for picture in pictures if picture.split in TRAINED]
    if not pool:
        raise InputError(
            f"the models in {options.model} were trained on none of the pictures: give the same DATA folders"
        )
    cut = _cut(pool, options, note.image_size, progress, "faces")
    folds = folds_of(judged, cut.crops)
    if unknown := int((folds == UNKNOWN).sum()):
        raise InputError(
            f"{unknown} of {len(folds)} faces are not those that the models in {options.model} were trained on, so which of "
            "them has not seen their pictures is not known: give the very DATA folders, or name one model file"
        )
    several = int((folds == SEVERAL).sum())
    if several and on_note is not None:
        on_note(f"{several} faces are left out: faces in different folds can't be told from them")
    parts, unclear = [], []
    without_label = _unclear_folds(cut, folds)
    for fold in sorted(set(folds[folds >= 0].tolist())):
        crops, classifier = cut.crops.chosen(folds == fold), fold_model(options.model, note, fold)
        parts.append((crops, classifier.classify(crops.exact)))
        unclear += unclear_judged(
            classifier, None if cut.unclear is None else cut.unclear.chosen(without_label == fold)
        )
    measured = pooled(parts, unreadable=len(cut.unreadable), unclear=unclear)
    if options.out is not None:
        told = Told(f"Out-of-fold figures of {options.model.name}", data=data, options=as_table(options))
        leave_report(options.out, measured, told)
    return measured[0]


def _unclear_folds(cut: Cut, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each face whose label nobody can tell: that of its picture's other faces.

    A picture without others was in no training, so any model will do.
    """
    if cut.unclear is None:
        return np.empty(0, np.int64)
    crops = cut.crops
    fold_of = dict(zip(zip(crops.sources.tolist(), crops.names.tolist(), strict=True), folds.tolist(), strict=True))
    pictures = zip(cut.unclear.sources.tolist(), cut.unclear.names.tolist(), strict=True)
    return np.array([max(0, fold_of.get(picture, 0)) for picture in pictures], np.int64)


def _cut(pictures: list[Picture], options: EvaluateOptions, size: int, progress: Progress, stage: str) -> Cut:
    with closing(looking.open_looker(options.data, options.detector)) as looker:
        return cut_crops(pictures, looker, exact=True, image_size=size, progress=progress, stage=stage)
