"""The demo from end to end on a small clip, and what a broken classifier does to its figure."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from classify.classifier import SHIPPED_MODEL
from infra.analysis import Analyzer
from infra.bench.machine import Moment
from infra.cli import run
from infra.demo.clips import write_clip
from infra.demo.live import demo_settings
from infra.demo.script import small_clip
from infra.demo.truth import Truth
from infra.footage import analyze_footage
from infra.scoring import TruthScore, added, score
from infra.settings import load_settings
from storage.snapshots import SnapshotFolder
from tests.starved import cut_short, lost_samples, skip_where_others_work


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    path = tmp_path_factory.mktemp("clip") / "entrance.mp4"
    return path, write_clip(small_clip(1280, 720, 12.0, 4, seed=3), path)


def measured(clip: tuple[Path, Truth], folder: Path, model: Path = SHIPPED_MODEL) -> TruthScore:
    path, truth = clip
    with Analyzer(load_settings(model=model)) as analyzer:
        report = analyze_footage(path, analyzer, SnapshotFolder(folder)).report
    return score(report.tracks, report.events, truth).score


def test_people_are_found_once_with_their_labels_and_nothing_is_invented(
    clip: tuple[Path, Truth], tmp_path: Path
) -> None:
    found = measured(clip, tmp_path)
    assert found.fragments <= 1
    assert msgspec.structs.replace(found, fragments=0) == TruthScore(
        tracks=4, right=4, missed=0, invented_events=0, counted_twice=0, id_switches=0
    )


@pytest.mark.slow
def test_with_a_broken_classifier_the_figure_falls(clip: tuple[Path, Truth], tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(SHIPPED_MODEL.read_bytes())
    labels = json.loads(SHIPPED_MODEL.with_name("labels.json").read_text())
    # The same network, but what it says of a mask it now says of none, and the other way round.
    one, two, *rest = labels["labels"]
    (tmp_path / "labels.json").write_text(json.dumps(labels | {"labels": [two, one, *rest]}))
    found = measured(clip, tmp_path, broken)
    assert found.right <= 1
    assert found.invented_events >= 1


SEEDS = range(3, 15) if os.environ.get("MASKWATCH_PROOF") else range(3, 6)


@pytest.mark.slow
def test_other_people_on_other_paths_are_found_as_well(tmp_path: Path) -> None:
    scores = []
    for seed in SEEDS:
        path = tmp_path / f"{seed}.mp4"
        scores.append(measured((path, write_clip(small_clip(1280, 720, 12.0, 4, seed=seed), path)), tmp_path))
    total = added(scores)
    assert total.right >= 0.9 * total.tracks
    assert total.invented_events == 0
    assert total.counted_twice <= total.tracks // 40


@pytest.mark.slow
def test_the_whole_demo_reaches_its_figure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    start = Moment.now()
    assert run(["demo", "--duration", "55", "--json", "--port", "0"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["cameras", "tracks", "events", "statistics", "truth"]
    assert report["cameras"] == 2
    assert {track["camera"] for track in report["tracks"]} == {"entrance", "ward"}
    assert len({track["id"] for track in report["tracks"]}) == len(report["tracks"])
    folder = tmp_path / "data" / "demo"
    assert all((folder / "system" / event["snapshot"]).is_file() for event in report["events"])
    skip_where_others_work(start)
    truth, cut = TruthScore(**report["truth"]), cut_short(lost_samples(demo_settings(load_settings(), folder)), 20)
    assert truth.tracks == 20
    assert truth.right >= 18 - cut
    assert truth.counted_twice <= cut
    assert truth.invented_events == 0
