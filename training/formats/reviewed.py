"""Labels of the data pack that were looked at again, face by face, against the label policy.

Every annotated face of 24 px and more was looked at in contact sheets of its class, without any model's opinion, and
what evidently breaks the policy (`storage.policy`) was written down in `label_review.csv`: picture, number of the face
in it (empty for a portrait), the label given, the label seen, and whether that is evident to anybody. The rule:

- evident: the label seen takes the place of the one given;
- `unclear`: nobody can tell, so the face neither trains nor counts, but is still a face for the detector, and counts
  where figures are given with the labels as they came;
- not evident: the label given stays.

Figures are published with the labels as given, too.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from storage.errors import InputError
from training.formats.listed import Picture
from training.labels import LABELS

REVIEW_FILE: Final = Path(__file__).with_name("label_review.csv")
UNCLEAR: Final = "unclear"


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of the review.

    Attributes:
        given: the pack's label.
        seen: the label by the policy; None where nobody can tell.
    """

    given: int
    seen: int | None


def read_review(path: Path = REVIEW_FILE) -> dict[tuple[str, int | None], Seen]:
    """What the review changes, by picture (relative to the pack) and number of the face; None for a portrait.

    Raises:
        InputError: the file is damaged.
    """
    changes: dict[tuple[str, int | None], Seen] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for line in csv.DictReader(stream):
                unclear = line["seen"] == UNCLEAR
                if line["sure"] != "yes" and not unclear:
                    continue
                seen = None if unclear else LABELS.index(line["seen"])
                face = int(line["face"]) if line["face"] else None
                changes[line["picture"], face] = Seen(LABELS.index(line["given"]), seen)
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is damaged ({error}): restore it from the repository") from error
    return changes


def reviewed(
    pictures: Sequence[Picture], root: Path, changes: Mapping[tuple[str, int | None], Seen]
) -> tuple[list[Picture], int]:
    """The pictures of a pack with the labels seen, and how many labels changed or were left out; none goes missing.

    A change whose given label is not the one found is passed over: the pack's own label was mended meanwhile.

    Args:
        pictures: of the pack, with the labels given.
        root: the pack.
        changes: from `read_review`.
    """
    done: list[Picture] = []
    count = 0
    for picture in pictures:
        name = picture.path.relative_to(root).as_posix()
        if picture.portrait is not None:
            change = changes.get((name, None))
            if change is None or change.given != picture.portrait:
                done.append(picture)
                continue
            count += 1
            if change.seen is None:
                done.append(replace(picture, unclear=(change.given,)))
            else:
                done.append(replace(picture, portrait=change.seen, given=(change.given,)))
            continue
        found = {face: changes[name, face] for face in range(len(picture.labels)) if (name, face) in changes}
        found = {face: change for face, change in found.items() if change.given == picture.labels[face]}
        count += len(found)
        done.append(_relabelled(picture, found) if found else picture)
    return done, count


def _relabelled(picture: Picture, found: Mapping[int, Seen]) -> Picture:
    labels = [found[face].seen if face in found else label for face, label in enumerate(picture.labels)]
    kept = [
        (box, label, given)
        for box, label, given in zip(picture.boxes, labels, picture.labels, strict=True)
        if label is not None
    ]
    unclear = [
        (box, given) for box, label, given in zip(picture.boxes, labels, picture.labels, strict=True) if label is None
    ]
    return replace(
        picture,
        boxes=tuple(box for box, _, _ in kept),
        labels=tuple(label for _, label, _ in kept),
        given=tuple(given for _, _, given in kept),
        ignored=(*picture.ignored, *(box for box, _ in unclear)),
        unclear=(*picture.unclear, *(given for _, given in unclear)),
    )
