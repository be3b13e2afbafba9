"""The notebook for whoever comes from a notebook project: it is committed without results, and it runs."""

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs" / "train-your-own.ipynb"
CELL_LIMIT_S = 300
NEEDS = "the training set is not installed: run `make setup-train`"


@pytest.fixture
def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return found


def test_no_result_is_stored(cells: list[dict[str, Any]]) -> None:
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None and cell["metadata"] == {} for cell in code)
    assert not any("attachments" in cell for cell in cells)


def test_no_place_on_somebody_s_machine_is_named() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.>])(?:~|/)(?:home|root|work|tmp|Users|mnt|opt|usr)\b|[A-Z]:\\\\|shared/data", text)
    assert str(NOTEBOOK.parent.parent) not in text
    assert set(json.loads(text)["metadata"]) == {"kernelspec", "language_info"}


def test_every_code_cell_comes_after_a_word_about_it(cells: list[dict[str, Any]]) -> None:
    for before, cell in pairwise(cells):
        if cell["cell_type"] == "code":
            assert before["cell_type"] == "markdown"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("tensorflow", reason=NEEDS)
    import nbformat
    from nbclient import NotebookClient

    # What it makes, and what Jupyter keeps, stays in the test's folder.
    for name in ("TMPDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=CELL_LIMIT_S, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()

    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert len(pictures) == 4
    assert "without_mask-020.jpg without_mask" in said
    assert "\x1b" not in said
    (made,) = (tmp_path / "tmpdir").glob("train-your-own-*")
    for name in ("runs/mine/report.html", "runs/test/report.html", "models/mask.tflite", "models/MODEL.md"):
        assert (made / name).is_file(), name
    figures = json.loads((made / "runs/test/report.json").read_text())["evaluation"]["report"]["overall"]
    assert figures["two_class_accuracy"]["value"] >= 0.8
