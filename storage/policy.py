"""What each label means: the one place that the documentation, the model card and the page take it from."""

from typing import Final

from storage.words import NOT_A_FACE, Label

LABEL_POLICY: Final[dict[str, str]] = {
    Label.WITH_MASK.value: "Nose, mouth and chin are covered by a mask, a respirator, or a cloth or gaiter worn as one.",
    Label.WITHOUT_MASK.value: (
        "No mask is worn; a hand, a cup or a phone in front of a bare face, a mask that hangs from one ear, and a visor "
        "alone count as none."
    ),
    Label.INCORRECT_MASK.value: (
        "A mask is worn but nostrils, mouth or chin show: it sits under the chin, on the forehead or over the eyes; "
        "a clear chin shield counts as this, too."
    ),
    Label.UNKNOWN.value: (
        "It can't be told: too small, blurred, dark, turned away, hidden or seen too briefly, or the faces of a passage "
        "contradict each other."
    ),
    NOT_A_FACE: "The detector took something else for a face; the system drops it.",
}
"""By the label's name, one sentence each."""

NOT_JUDGED: Final = (
    "The kind of mask, how well it fits and what is under it are not judged, and never who the person is."
)

INTENDED_USE: Final = (
    "For counting how masks are worn in a building. Not for identifying people, and not for decisions about a single "
    "person without somebody looking at the picture."
)
