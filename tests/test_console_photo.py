"""Try a photo in the console: what is found is drawn over the picture and said in words, and so is why a picture is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from infra.looking_up import looking_up
from infra.settings import load_settings
from storage.asking import Asking
from tests.api_server import Api, api_fixture, migrated_fixture  # noqa: F401
from tests.console_pages import LIMIT_MS, Console, browser_fixture, console_fixture  # noqa: F401

WITHIN_PX = 4


@pytest.fixture(name="answered")
def answered_fixture(api: Api) -> Iterator[Api]:
    """An API whose questions are answered."""
    with looking_up(Asking(api.context.bus), load_settings()):
        yield api


def test_a_picture_is_looked_at_and_one_that_is_none_is_refused(
    answered: Api, console: Console, photo: Path, tmp_path: Path
) -> None:
    page = console.open("photo")
    chooser = page.get_by_label("Choose a picture")
    chooser.set_input_files(photo)
    result = page.locator("section").filter(has_text="What is found")
    expect(result).to_contain_text("Without mask", timeout=4 * LIMIT_MS)
    expect(result).to_contain_text("Nothing is stored")
    said = answered.client.post(
        "/api/v1/analyze", content=photo.read_bytes(), headers={"Content-Type": "image/jpeg"}, timeout=40
    ).json()
    picture = page.get_by_role("img", name="Your picture").bounding_box()
    assert picture is not None
    scale = picture["width"] / said["width"]
    boxes = page.locator(".marked rect.face")
    expect(boxes).to_have_count(len(said["faces"]))
    for number, face in enumerate(said["faces"]):
        drawn = boxes.nth(number).bounding_box()
        assert drawn is not None
        x, y, width, height = (scale * side for side in face["box"])
        assert abs(drawn["x"] - picture["x"] - x) <= WITHIN_PX
        assert abs(drawn["y"] - picture["y"] - y) <= WITHIN_PX
        assert abs(drawn["width"] - width) <= 2 * WITHIN_PX
        assert abs(drawn["height"] - height) <= 2 * WITHIN_PX

    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:5000])
    chooser.set_input_files(broken)
    expect(result.get_by_role("alert")).to_contain_text("damaged", timeout=LIMIT_MS)
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    chooser.set_input_files(text)
    expect(result.get_by_role("alert")).to_contain_text("This is no picture that can be read")
    assert list(answered.context.snapshots.iterdir()) == []
    assert console.trouble == []


@pytest.mark.slow
def test_where_nobody_answers_it_is_said(api: Api, console: Console, photo: Path) -> None:
    page = console.open("photo")
    page.get_by_label("Choose a picture").set_input_files(photo)
    expect(page.get_by_role("alert")).to_contain_text("maskwatch serve classify", timeout=4 * LIMIT_MS)


@pytest.mark.slow
def test_the_page_is_fit_for_everybody_also_with_a_result(answered: Api, console: Console, photo: Path) -> None:
    console.check("photo")
    page = console.page
    page.get_by_label("Choose a picture").set_input_files(photo)
    expect(page.locator(".marked rect.face").first).to_be_attached(timeout=4 * LIMIT_MS)
    for theme in ("light", "dark"):
        console.theme(theme)
        assert console.violations() == []
        assert console.overflow() == 0


@pytest.mark.slow
def test_without_leave_to_use_the_webcam_it_says_so(api: Api, console: Console) -> None:
    page = console.open("photo")
    page.get_by_role("button", name="Use the webcam").click()
    expect(page.get_by_role("alert")).to_contain_text("webcam")
    page.get_by_role("button", name="Turn the webcam off").first.click()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "allowed"), [("/", "camera=(self)"), ("/api/docs", "camera=()"), ("/api/v1/version", "camera=()")]
)
def test_only_the_console_may_ask_for_the_webcam(api: Api, path: str, allowed: str) -> None:
    assert api.client.get(path).headers["permissions-policy"].startswith(allowed)
