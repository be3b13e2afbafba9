"""The label policy says the same everywhere that it is shown: documentation, console (see `test_console`) and model card."""

import re
from pathlib import Path

import pytest

from classify.labels_file import ModelLabels
from storage.policy import INTENDED_USE, LABEL_POLICY, NOT_JUDGED
from storage.words import MASK_LABELS, NOT_A_FACE, Label
from training.export.card import make_card

ACCURACY = Path(__file__).parent.parent / "docs" / "accuracy.md"


def labels_section() -> str:
    _, _, rest = ACCURACY.read_text(encoding="utf-8").partition("## Labels\n")
    return rest.partition("\n## ")[0]


def test_every_label_has_one_sentence() -> None:
    assert set(LABEL_POLICY) == {*Label, NOT_A_FACE}
    assert all(text.endswith(".") and text.count(". ") == 0 for text in LABEL_POLICY.values())


def test_the_documentation_says_what_the_policy_says() -> None:
    section = labels_section()
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)) == LABEL_POLICY
    assert NOT_JUDGED in section


@pytest.mark.parametrize("labels", [tuple(MASK_LABELS), (*MASK_LABELS, NOT_A_FACE), tuple(MASK_LABELS)[:2]])
def test_the_model_card_says_what_the_policy_says_of_the_model_s_own_labels(labels: tuple[str, ...]) -> None:
    card = make_card(ModelLabels(labels=tuple(str(label) for label in labels), image_size=112), [])
    said = dict(re.findall(r"^- `(\w+)`: (.+)$", card, re.MULTILINE))
    assert said == {str(label): LABEL_POLICY[label] for label in labels}
    assert NOT_JUDGED in card
    assert INTENDED_USE in card
