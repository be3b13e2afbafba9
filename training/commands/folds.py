"""`maskwatch train --folds K`: K networks, each measured on the faces of the pictures that it did not see.

Each network is the average at the end of its last epoch, and its temperature is fitted on what the other networks say of
the other folds. Network, epochs and rates are fixed beforehand and chosen on no fold; but some constants (`PRIOR_SHARE` in
`training.calibration`, `INCORRECT_BONUS` in `training.batches`) were once chosen on the pack's `val`, which is in the pool.

That temperature is in the `labels.json` of each fold, which is what the running system, `evaluate` and `--teacher` go by. It
is known when all folds are done; the file's own output `probabilities` keeps the temperature 1, as its sum is noted then.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from classify.classifier import LiteRtClassifier
from classify.labels_file import labels_path
from storage.errors import InputError
from storage.files import write_bytes
from training.cache import Crops, Cut
from training.calibration import fit_temperature
from training.checkpoint import data_key
from training.commands.material import check_classes, cut_parts, for_validation, joined, prepared
from training.commands.one import FILE_NAME, Plan, Trained, hard, plan_of, train_one
from training.commands.options import TrainOptions
from training.commands.reporting import OnData, Told, as_table, json_bytes, leave_report
from training.commands.train import begin, teacher_of
from training.data_report import DataReport
from training.evaluation import MIN_FACE_PX, Evaluation, Measured, pooled, unclear_judged
from training.export import litert_outputs
from training.export.check import FOLD_AGREEMENT
from training.figures import softmax
from training.fold_notes import DONE_FILE, FOLDS_FILE, OOF_FILE, FoldNote, FoldsNote, fold_folder, read_fold, unfinish
from training.kept_split import TRAINED, keys_of, write_split
from training.lesson import Lesson, Watch
from training.network import in_columns, keras_module
from training.pictures import Picture
from training.progress import Progress, RunClock, silent
from training.splits import folds
from training.teacher import OutOfFold, write_out_of_fold
from training.tensorboard import Scalars


@dataclass(frozen=True, slots=True)
class FoldsResult:
    """What came out.

    Attributes:
        out: the folder, with `oof.npz` and a folder for each fold.
        folds: how many.
        temperatures: of each fold's model, fitted on the other folds.
        agreements: of each fold's 8-bit model with the network it was made of.
        seconds: all of it took, without what earlier runs did.
        out_of_fold: figures over all folds.
        data: the checks made on the pictures.
    """

    out: Path
    folds: int
    temperatures: tuple[float, ...]
    agreements: tuple[float, ...]
    seconds: float
    out_of_fold: Evaluation
    data: DataReport | None = None


def run_folds(options: TrainOptions, progress: Progress = silent, *, on_data: OnData | None = None) -> FoldsResult:
    """Train `options.folds` networks over the `train` and `val` pictures and measure them on what they did not see.

    `options.out` receives `fold-0`, `fold-1`, ... with what `run_train` leaves, `split.json`, the report, and at the very
    end `oof.npz` and `folds.json`, which are removed before a model changes: a folder without them has not finished. With
    `options.resume` finished folds are kept and the one that was interrupted goes on.

    Args:
        options: what `maskwatch train` takes.
        progress: told as work goes on.
        on_data: called with the data report before training.

    Raises:
        As `training.commands.train.run_train`.
    """
    started = time.monotonic()
    policy = begin(options)
    pictures, data = prepared(options, progress)
    if on_data is not None:
        on_data(data)
    parts = fold_parts(pictures, options.folds, options.seed)
    cuts = cut_parts(parts, options, progress)
    held = [cut.crops for cut in cuts.values()]
    everything = joined(held)
    check_classes(training=everything)
    plan = replace(plan_of(options, everything, policy), min_agreement=FOLD_AGREEMENT)
    name = FILE_NAME.format(options.backbone, options.image_size)
    keys = keys_of(pictures)
    clock = RunClock(options.folds)
    notes = []
    for fold in range(options.folds):
        clock.begin_part(fold)
        train = joined([crops for place, crops in enumerate(held) if place != fold])
        lesson = Lesson(train, for_validation(held[fold]), teacher_of(options, train, progress))
        staged = _staged(progress, f"fold {fold + 1}/{options.folds}")
        notes.append(_fold(plan, lesson, options.out, fold, Watch(staged, clock=clock)))
        held_out = {picture.path for picture in parts[f"fold-{fold}"]}
        splits = ["train" if its.split in TRAINED and its.path not in held_out else "test" for its in pictures]
        write_split(fold_folder(options.out, fold), keys, splits)
    found = _pool(plan, held, options.out, name)
    for fold, temperature in enumerate(found.temperatures.tolist()):
        _set_temperature(labels_path(fold_folder(options.out, fold) / name), temperature)
    measured = measure(options.out, found, cuts, name)
    result = FoldsResult(
        options.out, options.folds, tuple(found.temperatures.tolist()), tuple(each.agreement for each in notes),
        round(time.monotonic() - started, 1), measured[0], data,
    )  # fmt: skip
    facts = {
        "network": str(plan.network),
        "folds": options.folds,
        "faces of each fold": {str(fold): len(crops) for fold, crops in enumerate(held)},
        "temperatures, each fitted on the other folds": {str(n): t for n, t in enumerate(result.temperatures)},
        "labels equal to the trained networks'": {str(n): share for n, share in enumerate(result.agreements)},
        "seconds": result.seconds,
    }
    # One curve for all: the first fold's.
    told = Told(f"Out-of-fold figures of {Path(name).stem}", facts, data, as_table(options), notes[0].history)
    leave_report(options.out, measured, told)
    write_split(options.out, keys, [picture.split for picture in pictures])
    write_out_of_fold(options.out / OOF_FILE, found)
    note = FoldsNote(options.folds, options.seed, options.limit, options.sources, options.image_size, name)
    write_bytes(options.out / FOLDS_FILE, json_bytes(note))
    return result


def fold_parts(pictures: list[Picture], count: int, seed: int) -> dict[str, list[Picture]]:
    """The `train` and `val` pictures of each fold, by the fold's name; the same pictures and seed give the same folds."""
    pool = [picture for picture in pictures if picture.split in {"train", "val"}]
    of = folds(pool, count, seed=seed)
    return {
        f"fold-{fold}": [picture for picture, its in zip(pool, of.tolist(), strict=True) if its == fold]
        for fold in range(count)
    }


def measure(folder: Path, found: OutOfFold, cuts: dict[str, Cut], name: str) -> Measured:
    """Figures over all folds, from the probabilities that `found` has of the crops of each."""
    parts = [(cut.crops, found.probabilities[found.fold == fold]) for fold, cut in enumerate(cuts.values())]
    unclear = [
        judged
        for fold, cut in enumerate(cuts.values())
        for judged in unclear_judged(LiteRtClassifier(fold_folder(folder, fold) / name), cut.unclear)
    ]
    return pooled(parts, unreadable=sum(len(cut.unreadable) for cut in cuts.values()), unclear=unclear)


def _fold(plan: Plan, lesson: Lesson, folder: Path, fold: int, watch: Watch) -> FoldNote:
    """Train one fold, unless that is done."""
    key = f"{plan.network}; {plan.fit}; {plan.start}; {data_key(lesson.train, lesson.soft)}"
    out = fold_folder(folder, fold)
    done = out / DONE_FILE
    if plan.resume and done.is_file():
        note = read_fold(folder, fold)
        if note.key != key:
            raise InputError(
                f"{out} is finished, but with other options or data: repeat them, or train without --resume into "
                "another folder"
            )
        return note
    unfinish(folder)
    done.unlink(missing_ok=True)
    with Scalars(out / "tensorboard") as scalars:
        trained = train_one(plan, lesson, out, replace(watch, scalars=scalars), calibrate=False)
    note = _noted(key, trained)
    write_bytes(done, json_bytes(note))
    keras_module().utils.clear_session()
    return note


def _staged(progress: Progress, part: str) -> Progress:
    def tell(stage: str, done: int, total: int, note: str = "") -> None:
        progress(f"{part}, {stage}", done, total, note)

    return tell


def _noted(key: str, trained: Trained) -> FoldNote:
    sha256 = LiteRtClassifier(trained.exported.path).sha256
    return FoldNote(key, sha256, trained.exported.agreement, trained.fitted.history)


def _pool(plan: Plan, held: list[Crops], out: Path, name: str) -> OutOfFold:
    """What each fold's 8-bit model says of its own held-out faces, with temperatures from the other folds."""
    parts = [
        in_columns(litert_outputs((fold_folder(out, fold) / name).read_bytes(), crops.exact)[0], plan.network.labels)
        for fold, crops in enumerate(held)
    ]
    logits, faces = np.concatenate(parts), joined(held)
    fold = np.repeat(np.arange(len(held), dtype=np.int64), [len(crops) for crops in held])
    fitted_on = hard(faces) & (faces.widths >= MIN_FACE_PX)
    fitted_on = fitted_on if fitted_on.any() else np.ones(len(faces), np.bool_)
    others = [fitted_on & (fold != each) for each in range(len(held))]
    temperatures = np.array([fit_temperature(logits[each], faces.labels[each]) for each in others])
    probabilities = np.concatenate(
        [softmax(part, temperature) for part, temperature in zip(parts, temperatures, strict=True)]
    )
    return OutOfFold(fold, faces.labels, faces.widths, faces.scores, faces.sources, faces.origins, faces.names,
                     logits, temperatures, probabilities)  # fmt: skip


def _set_temperature(path: Path, temperature: float) -> None:
    content = msgspec.json.decode(path.read_bytes())
    write_bytes(path, json_bytes({**content, "temperature": temperature}))
