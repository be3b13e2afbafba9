"""The data pack: `split.json`, COCO files under `scenes/`, class folders under `faces/SET/`.

Its labels are those seen at the review (`training.formats.reviewed`); `Picture.given` keeps those it came with.
"""

from pathlib import Path

from storage.errors import InputError
from training.formats import coco, reviewed
from training.formats.listed import SPLITS, Finder, Listing, Picture, read_json, shown
from training.labels import label_of


def applies(folder: Path) -> bool:
    """Whether `folder` is a pack."""
    return (folder / "split.json").is_file()


def read(folder: Path, source: str) -> Listing:  # noqa: ARG001 - a pack names its own sources
    """The pictures that `split.json` lists; each set under `scenes/` and `faces/` is a source.

    Raises:
        InputError: `split.json` or an annotation file is damaged or names pictures that have no label.
    """
    split_file = folder / "split.json"
    lists = read_json(split_file)
    try:
        split_of = {str(name): split for split in SPLITS for name in lists[split]}
    except (KeyError, TypeError) as error:
        raise InputError(f"{shown(split_file)} is damaged ({error!r}): fetch the pack again") from error
    listed: dict[str, coco.Annotated] = {}
    for coco_file in sorted((folder / "scenes").glob("*.coco.json")):
        listed |= {entry.name: entry for entry in coco.read_file(coco_file)}
    finder = Finder(folder)
    pictures = []
    for name, split in sorted(split_of.items()):
        parts = name.split("/")
        path = finder.find(name, [folder], shown(split_file))
        if parts[0] == "scenes" and name in listed:
            entry = listed[name]
            pictures.append(Picture(path, parts[1], split, entry.boxes, entry.labels, size=entry.size))
        elif parts[0] == "faces" and len(parts) > 3 and (label := label_of(parts[-2])) is not None:
            pictures.append(Picture(path, parts[1], split, portrait=label))
        else:
            raise InputError(f"{shown(split_file)} lists {shown(name)}, which has no label: fetch the pack again")
    if not pictures:
        raise InputError(f"{shown(split_file)} lists no pictures: fetch the pack again")
    pictures, changed = reviewed.reviewed(pictures, folder, reviewed.read_review())
    note = (f"{changed} labels of the pack were changed or left out by its review (training/formats/label_review.csv)",)
    return Listing(pictures, note if changed else ())
