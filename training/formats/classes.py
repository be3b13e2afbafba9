"""A folder for each class, with or without folders for train, val(idation) and test above them."""

from pathlib import Path

from storage.errors import InputError
from training.formats.listed import SUFFIXES, Listing, Picture, pictures_in, shown, split_named
from training.labels import label_of


def applies(folder: Path) -> bool:
    """Whether a subfolder, or one below a split's folder, has the name of a class."""
    return any(label_of(child.name) is not None for _, _, child in _class_folders(folder))


def read(folder: Path, source: str) -> Listing:
    """All pictures below each class folder.

    Raises:
        InputError: one of them holds no picture.
    """
    pictures: list[Picture] = []
    notes = []
    for split, top, child in _class_folders(folder):
        label, files = label_of(child.name), pictures_in(child)
        if label is None:
            if files:
                notes.append(f"{shown(child)} is named for no known class: its {len(files)} pictures were left out")
            continue
        if not files and top is folder:
            raise InputError(f"{shown(child)} holds no pictures ({', '.join(sorted(SUFFIXES))}): add some or remove it")
        pictures += [Picture(path, source, split, portrait=label) for path in files]
    return Listing(pictures, tuple(notes))


def _class_folders(folder: Path) -> list[tuple[str, Path, Path]]:
    """Split (or empty), the folder above, and each folder that may be a class."""
    found = []
    for child in _subfolders(folder):
        split = split_named(child.name) if label_of(child.name) is None else ""
        if split:
            found += [(split, child, grandchild) for grandchild in _subfolders(child)]
        else:
            found.append(("", folder, child))
    return found


def _subfolders(folder: Path) -> list[Path]:
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError as error:
        raise InputError(f"the folder {shown(folder)} can't be read: {error.strerror}") from error
    return [child for child in children if not child.name.startswith(".") and child.name != "__MACOSX"]
