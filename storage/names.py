"""Names that people give: kept in one form, and found by words that mean one thing only.

Identifiers and names are taken in the same places (options of commands, cells of lists); so no name is given that is an
identifier, or may become one. Where an earlier version took such names, `id:` before an identifier says what is meant.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from storage.errors import ConflictError

NONE: Final = "none"
"""Takes away, in lists and options; nothing has this name, therefore."""

BY_IDENTIFIER: Final = "id:"


class Named(Protocol):
    """What has an identifier and a name."""

    @property
    def id(self) -> str:
        """Unique among all of its kind."""
        ...

    @property
    def name(self) -> str:
        """For people."""
        ...


N = TypeVar("N", bound=Named)


def normal_name(given: str) -> str:
    """The name without space around it, and with each letter in one form (NFC); some systems write `ü` as two characters.

    >>> normal_name("Tu\u0308r ") == "T\u00fcr"
    True
    """
    return unicodedata.normalize("NFC", given.strip())


def alike(name: str) -> str:
    """What names have in common that differ in nothing but capital letters.

    >>> alike("DOOR") == alike("Door")
    True
    """
    return normal_name(normal_name(name).casefold())


def by_word(known: Iterable[N], given: str) -> N | None:
    """The one that has the word for its identifier or its name; None: there is none.

    Args:
        known: in the order in which those of the same name are to be taken.
        given: an identifier, `id:` and an identifier, or a name.

    Raises:
        ConflictError: it is the identifier of one and the name of another.
    """
    everything, word = list(known), normal_name(given)
    identified = next((one for one in everything if one.id == word), None)
    named = [one for one in everything if normal_name(one.name) == word]
    # Two that differ only in form: from an earlier version.
    called = next((one for one in named if one.name == given), named[0] if named else None)
    if identified is not None and called is not None and identified.id != called.id:
        raise ConflictError(
            f"{word!r} is the identifier of {identified.name!r} and the name of {called.id}: write "
            f"{BY_IDENTIFIER}{identified.id} or {BY_IDENTIFIER}{called.id}"
        )
    if identified is None and called is None and word.startswith(BY_IDENTIFIER):
        return next((one for one in everything if one.id == word.removeprefix(BY_IDENTIFIER)), None)
    return identified or called


def word_for(one: N, known: Iterable[N]) -> str:
    """A word that `by_word` finds it by: its name where that means nothing else, or else its identifier."""
    others = [other for other in known if other.id != one.id]
    for word in (one.name, one.id):
        if alike(word) != NONE and all(word != other.id and alike(word) != alike(other.name) for other in others):
            return word
    return f"{BY_IDENTIFIER}{one.id}"
