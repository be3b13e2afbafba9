"""`maskwatch train --folds K`: K networks, each measured on the faces of the pictures that it did not see.

No choice is made with the faces that are measured on: each network is the average at the end of its last epoch, and its
temperature is fitted on what the other networks say of the other folds.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from storage.errors import InputError
from storage.files import write_bytes
from training.cache import Crops, Cut
from training.calibration import fit_temperature
from training.checkpoint import Epoch, data_key
from training.commands.material import check_classes, cut_parts, for_validation, joined, prepared
from training.commands.one import FILE_NAME, Plan, Trained, hard, plan_of, train_one
from training.commands.options import TrainOptions
from training.commands.reporting import OnData, Told, as_table, json_bytes, leave_report
from training.commands.train import begin, teacher_of
from training.data_report import DataReport
from training.evaluation import MIN_FACE_PX, Evaluation, Measured, pooled
from training.export import litert_outputs
from training.figures import softmax
from training.lesson import Lesson, Watch
from training.network import in_columns, keras_module
from training.pictures import Picture
from training.progress import Progress, RunClock, silent
from training.splits import folds
from training.teacher import FILE_NAME as OOF_FILE
from training.teacher import OutOfFold, write_out_of_fold
from training.tensorboard import Scalars

DONE_FILE: Final = "fold.json"
FOLDS_FILE: Final = "folds.json"


class FoldNote(msgspec.Struct, frozen=True):
    """Written when a fold is finished, so that a run that goes on does not repeat it.

    Attributes:
        key: of the network, the options and the crops.
        sha256: of the model file.
        agreement: share of the held-out faces on which the file gives the trained network's label.
        history: the epochs.
    """

    key: str
    sha256: str
    agreement: float
    history: tuple[Epoch, ...]


class FoldsNote(msgspec.Struct, frozen=True):
    """How the data was divided, for `maskwatch evaluate` on the folder."""

    folds: int
    seed: int
    limit: int | None
    sources: tuple[str, ...] | None
    image_size: int
    model: str


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

    `options.out` receives `fold-0`, `fold-1`, ... with what `run_train` leaves, `oof.npz`, `folds.json` and the report.
    With `options.resume` finished folds are kept and the one that was interrupted goes on.

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
    cuts = cut_parts(fold_parts(pictures, options.folds, options.seed), options, progress)
    held = [cut.crops for cut in cuts.values()]
    everything = joined(held)
    check_classes(training=everything)
    plan = plan_of(options, everything, policy)
    name = FILE_NAME.format(options.backbone, options.image_size)
    note = FoldsNote(options.folds, options.seed, options.limit, options.sources, options.image_size, name)
    write_bytes(options.out / FOLDS_FILE, json_bytes(note))
    clock = RunClock(options.folds)
    notes = []
    for fold in range(options.folds):
        clock.begin_part(fold)
        train = joined([crops for place, crops in enumerate(held) if place != fold])
        lesson = Lesson(train, for_validation(held[fold]), teacher_of(options, train, progress))
        staged = _staged(progress, f"fold {fold + 1}/{options.folds}")
        notes.append(_fold(plan, lesson, options.out / f"fold-{fold}", staged, clock))
    found = _pool(plan, held, options.out, name)
    write_out_of_fold(options.out / OOF_FILE, found)
    for fold, temperature in enumerate(found.temperatures.tolist()):
        _set_temperature(options.out / f"fold-{fold}" / "labels.json", temperature)
    measured = measure(found, cuts)
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
    return result


def fold_parts(pictures: list[Picture], count: int, seed: int) -> dict[str, list[Picture]]:
    """The `train` and `val` pictures of each fold, by the fold's name; the same pictures and seed give the same folds."""
    pool = [picture for picture in pictures if picture.split in {"train", "val"}]
    of = folds(pool, count, seed=seed)
    return {
        f"fold-{fold}": [picture for picture, its in zip(pool, of.tolist(), strict=True) if its == fold]
        for fold in range(count)
    }


def measure(found: OutOfFold, cuts: dict[str, Cut]) -> Measured:
    """Figures over all folds, from the probabilities that `found` has of the crops of each."""
    parts = [(cut.crops, found.probabilities[found.fold == fold]) for fold, cut in enumerate(cuts.values())]
    return pooled(parts, unreadable=sum(len(cut.unreadable) for cut in cuts.values()))


def _fold(plan: Plan, lesson: Lesson, out: Path, progress: Progress, clock: RunClock) -> FoldNote:
    """Train one fold, unless that is done."""
    key = f"{plan.network}; {plan.fit}; {plan.start}; {data_key(lesson.train, lesson.soft)}"
    done = out / DONE_FILE
    if plan.resume and done.is_file():
        try:
            note = msgspec.json.decode(done.read_bytes(), type=FoldNote)
        except (OSError, msgspec.MsgspecError) as error:
            raise InputError(f"{done} is damaged ({error}): remove {out} to train this fold again") from error
        if note.key != key:
            raise InputError(
                f"{out} is finished, but with other options or data: repeat them, or train without --resume into "
                "another folder"
            )
        return note
    done.unlink(missing_ok=True)
    with Scalars(out / "tensorboard") as scalars:
        trained = train_one(plan, lesson, out, Watch(progress, scalars, clock), calibrate=False)
    note = _noted(key, trained)
    write_bytes(done, json_bytes(note))
    keras_module().utils.clear_session()
    return note


def _staged(progress: Progress, part: str) -> Progress:
    def tell(stage: str, done: int, total: int, note: str = "") -> None:
        progress(f"{part}, {stage}", done, total, note)

    return tell


def _noted(key: str, trained: Trained) -> FoldNote:
    from classify.classifier import LiteRtClassifier

    sha256 = LiteRtClassifier(trained.exported.path).sha256
    return FoldNote(key, sha256, trained.exported.agreement, trained.fitted.history)


def _pool(plan: Plan, held: list[Crops], out: Path, name: str) -> OutOfFold:
    """What each fold's 8-bit model says of its own held-out faces, with temperatures from the other folds."""
    parts = [
        in_columns(litert_outputs((out / f"fold-{fold}" / name).read_bytes(), crops.exact)[0], plan.network.labels)
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
