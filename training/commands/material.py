"""From DATA folders to the crops that are trained on."""

from storage.errors import InputError
from training import looking
from training.cache import Crops, Cut, joined
from training.commands.options import TrainOptions
from training.data_report import DataReport
from training.evaluation import MIN_FACE_PX
from training.labels import LABELS
from training.pictures import Picture, prepare
from training.progress import Progress

__all__ = ["check_classes", "cut_parts", "for_validation", "joined", "labels_of", "prepared"]


def prepared(options: TrainOptions, progress: Progress) -> tuple[list[Picture], DataReport]:
    """The labelled pictures that the options ask for, and the report of the checks made on them.

    Raises:
        InputError: the data can't be used, or its splits leak into each other.
    """
    return prepare(
        options.data,
        seed=options.seed,
        limit=options.limit,
        sources=options.sources,
        shares=options.shares,
        image_size=options.image_size,
        progress=progress,
    )


def cut_parts(parts: dict[str, list[Picture]], options: TrainOptions, progress: Progress) -> dict[str, Cut]:
    """The crops of each named part, from the files in `options.out` where they were cut before.

    Raises:
        InputError: a part has no picture, or no face.
        SetupError: the detector is missing.
        StorageError: `options.out` can't be written.
    """
    looker = looking.open_looker(options.data, options.detector)
    try:
        return {
            name: looking.kept_cut(options.out, name, pictures, looker, options.image_size, progress)
            for name, pictures in parts.items()
        }
    finally:
        looker.close()


def labels_of(crops: Crops) -> tuple[str, ...]:
    """The labels that some crop has, in the order of `LABELS`: a network trained on them has these outputs."""
    return tuple(LABELS[label] for label in sorted(set(crops.labels.tolist())))


def check_classes(**parts: Crops) -> None:
    """Refuse a part without faces of both main classes.

    Raises:
        InputError: one is missing.
    """
    for name, crops in parts.items():
        if missing := [LABELS[label] for label in (0, 1) if not (crops.labels == label).any()]:
            raise InputError(
                f"the {name} part has no usable face of class {' nor '.join(missing)}: add pictures of it "
                f"(about ten a class at least)"
            )


def for_validation(crops: Crops) -> Crops:
    """Faces the running system would judge; where none is that large, all of them."""
    large = crops.widths >= MIN_FACE_PX
    return crops.chosen(large) if large.any() else crops
