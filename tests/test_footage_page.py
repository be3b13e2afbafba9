"""Recorded footage in the console: it is sent, submitted, followed, cancelled, and what came of it is read."""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from storage.database.accounts import Accounts
from storage.database.batch import Batch, Source
from storage.database.job_work import JobWork
from storage.database.jobs import Jobs
from storage.database.rollups import Place
from storage.identity import Caller, Role
from storage.job_work import FileReport, HeldJob, PlannedFile, Stretch
from storage.jobs import ChunkKey, NewFile, NewJob, Pin
from storage.messages import NS_PER_S, Event, Track
from storage.telling import News, NewsKind, Telling
from storage.upload_files import UploadFile
from storage.words import Label
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, wait_for  # noqa: F401
from tests.console_pages import Console, browser_fixture, console_fixture, console_of, told  # noqa: F401

HERE: Final = Caller("local", "this machine", "local", Role.ADMIN)
PIN: Final = Pin("mobile", "0" * 64, "litert", "yunet")
CLIP: Final = bytes(range(256)) * 2000
PASSWORD: Final = "three old gardeners"  # noqa: S105
STAYED: Final = {"X-Forwarded-For": "192.0.2.7"}
"""Not from this machine: who comes so has to log in."""

CHUNK_S: Final = 60


class Hands:
    """Who submits jobs, and the workers that do them: by the same ways as the real ones."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.jobs = Jobs(api.context.engine).for_(HERE)
        self.work = JobWork(api.context.engine, "jobs-0")
        self.building = api.building("Town hall")
        self.camera = api.camera(self.building, "Hall")

    def submits(self, *names: str) -> str:
        """Have footage under the media root processed."""
        files = tuple(NewFile(name, str(self.api.media / name)) for name in names)
        return self.jobs.create(NewJob(self.camera, files, start_ns=START_NS)).id

    def plans(self, job: str, chunks: int = 10) -> None:
        """Find out how long it is."""
        held = self.held(job)
        stretches = tuple(Stretch(n * CHUNK_S * NS_PER_S, (n + 1) * CHUNK_S * NS_PER_S) for n in range(chunks))
        length_ns = chunks * CHUNK_S * NS_PER_S
        files = [
            PlannedFile(
                number=file.number,
                size=1_234_567,
                modified_ns=1,
                sha256=hashlib.sha256(f"{job} {file.name}".encode()).hexdigest(),
                start_ns=START_NS + file.number * length_ns,
                duration_ns=length_ns,
                analysis=hashlib.sha256(f"{job} {file.number}".encode()).hexdigest(),
                plan=b"plan",
                chunks=stretches,
            )
            for file in held.files
        ]
        self.work.save_plan(held, files, PIN, time.time_ns())
        self.tells(job)

    def does(self, job: str, *chunks: int, file: int = 0, faces: int = 7) -> None:
        """Analyse some chunks."""
        for number in chunks:
            held = self.work.take_chunk(ChunkKey(job, file, number), time.time_ns())
            assert held is not None
            self.work.save_chunk(held, b"", 5 * CHUNK_S, faces, time.time_ns())
        self.tells(job)

    def held(self, job: str) -> HeldJob:
        """Take a job."""
        held = self.work.take_job(job, time.time_ns())
        assert held is not None
        return held

    def finishes(self, job: str, errors: tuple[str, ...] = (), *, video: bool = False) -> None:
        """Write down what came of it: of each file three passages, and one of them a breach."""
        held = self.held(job)
        batch = Batch(sources={job: Source(Place(self.camera, self.building, None, counts=True), job)})
        reports = []
        for file in held.files:
            for label in (Label.WITH_MASK, Label.WITH_MASK, Label.WITHOUT_MASK):
                number = len(batch.tracks) + 1
                at_ns = START_NS + 10 * number * NS_PER_S
                end_ns = at_ns + 4 * NS_PER_S
                batch.tracks[job, number] = Track(number, at_ns, end_ns, 20, label, 0.9876, None, True, True)
                if label is Label.WITHOUT_MASK:
                    batch.events[job, number] = Event(number, label, at_ns, end_ns, None, 0.95, True)
            film = self.films(job, file.number) if video else None
            reports.append(FileReport(file.number, report(), errors, film))
        self.work.commit(held, batch, reports, time.time_ns())
        self.tells(job)

    def films(self, job: str, number: int) -> str:
        """Make a video with boxes and labels."""
        name = f"{job}-{number}.mp4"
        folder = self.api.context.footage.annotated
        folder.mkdir(exist_ok=True)
        with av.open(str(folder / name), "w") as made:
            stream = made.add_stream("libx264", rate=10, pix_fmt="yuv420p", width=160, height=90)
            for shade in range(10):
                picture = av.VideoFrame.from_ndarray(np.full((90, 160, 3), 20 * shade, np.uint8), "rgb24")
                made.mux(stream.encode(picture))
            made.mux(stream.encode())
        return name

    def tells(self, job: str) -> None:
        """Say that something is new, as workers do."""
        Telling(self.api.context.bus).tell([News(NewsKind.JOB.value, job, self.building)])

    def everything(self) -> dict[str, str]:
        """A job in each state."""
        found = {"queued": self.submits("queued.mp4")}
        for name in ("running", "waiting", "failed", "done"):
            found[name] = self.submits(f"{name}.mp4")
        self.plans(found["running"])
        self.does(found["running"], 0, 1, 2)
        self.plans(found["waiting"])
        chunk = self.work.take_chunk(ChunkKey(found["waiting"], 0, 0), time.time_ns())
        assert chunk is not None
        self.work.put_off(chunk, "The disk is full: 3 MiB are free.", time.time_ns())
        self.work.fail(self.held(found["failed"]), "failed.mp4 does not say when it began.", time.time_ns())
        self.plans(found["done"], 1)
        self.does(found["done"], 0)
        self.finishes(found["done"], ("at 12.4 s: 3 frames can't be decoded",))
        return found


def report() -> bytes:
    """On one file, as the API gives it."""
    statistics = {"tracks": 3, "with_mask": 2, "without_mask": 1, "incorrect_mask": 0, "unknown": 0}
    rate = {"compliance_rate": 0.6667, "interval": [0.2077, 0.9385]}
    event = {"id": "e1", "track_id": "t3", "type": "without_mask", "started_s": 1.0, "ended_s": 5.0}
    more: dict[str, Any] = {"corrected_s": None, "confidence": 0.95, "snapshot": None}
    return json.dumps(
        {
            "schema_version": 1,
            "video": "door.mp4",
            "duration_s": 60.0,
            "fps": 25.0,
            "frames_decoded": 1500,
            "frames_analyzed": 300,
            "errors": [],
            "model": {"name": "mobile", "sha256": "0" * 64, "backend": "litert"},
            "settings": {"fps": 5, "dwell_s": 1.0, "min_face_px": 24, "detector": "yunet"},
            "tracks": [],
            "events": [event | more],
            "statistics": statistics | rate,
            "timing": {"wall_s": 1.0, "cpu_s": 1.0, "realtime_factor": 60.0, "peak_memory_mib": 100},
        }
    ).encode()


@pytest.fixture(name="hands")
def hands_fixture(api: Api) -> Hands:
    """With a camera in Berlin."""
    return Hands(api)


@pytest.fixture(name="stranger")
def stranger_fixture(browser: Browser, api: Api) -> Iterator[Console]:
    """A window that is not at this machine."""
    for console in console_of(browser, str(api.client.base_url)):
        console.page.set_extra_http_headers(STAYED)
        yield console


def chooses(page: Page, *names: str, content: bytes = CLIP) -> None:
    """Choose files of this computer."""
    files = [{"name": name, "mimeType": "video/mp4", "buffer": content} for name in names]
    page.get_by_label("Choose files").set_input_files(files)  # type: ignore[arg-type]


def drops(page: Page, folder: Path) -> None:
    """Drop a folder of this computer on the page."""
    box = page.locator(".drop").bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **at})


def line(page: Page, name: str) -> Locator:
    """A job in the list."""
    return page.locator(".job").filter(has=page.get_by_role("link", name=name, exact=True))


def test_footage_is_sent_submitted_and_followed_until_it_is_done(hands: Hands, console: Console) -> None:
    page = console.open("footage")
    expect(page.get_by_role("heading", name="No footage was analysed yet")).to_be_visible()
    chooses(page, "door 10.mp4", "door 9.mp4")
    sends = page.locator(".sends > li")
    expect(sends).to_have_text(
        [re.compile("door 9.mp4.*Sent and checked"), re.compile("door 10.mp4.*Sent and checked")]
    )
    folder = hands.api.context.footage.uploads
    assert [hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()] == 2 * [
        hashlib.sha256(CLIP).digest()
    ]
    page.get_by_label("When it began").select_option(label="I know date and time")
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_role("alert")).to_have_text("Say when the footage began, or choose another way.")
    page.get_by_label("Start, by the clock of Europe/Berlin").fill("2026-07-01T12:00:05")
    page.get_by_role("button", name="Analyse").click()
    job = line(page, "door 9.mp4 and 1 more")
    expect(job).to_contain_text("Queued")
    expect(sends).to_have_count(0)
    (made,) = told(console, "/jobs")["items"]
    assert [one["name"] for one in made["files"]] == ["door 9.mp4", "door 10.mp4"]
    at_ns = hands.jobs.get(made["id"]).options.start_ns
    assert at_ns == 1_782_900_005 * NS_PER_S  # 10:00:05 UTC: it is summer in Berlin
    hands.plans(made["id"], 2)
    hands.does(made["id"], 0)
    # Nobody loads the page again: it hears of it.
    expect(job).to_contain_text("1:00 of 4:00")
    expect(job).to_contain_text("7 faces so far")
    expect(job.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"^0\.2"))
    hands.does(made["id"], 1)
    hands.does(made["id"], 0, 1, file=1)
    hands.finishes(made["id"])
    expect(job).to_contain_text("6 passages · 2 events · 4:00 of footage")
    expect(job.get_by_role("progressbar")).to_have_count(0)
    assert console.trouble == []


@pytest.mark.slow
def test_each_state_is_said_with_its_reason(hands: Hands, console: Console) -> None:
    hands.everything()
    page = console.open("footage")
    for name, words in (
        ("queued", "Waits for its turn"),
        ("running", "3:00 of 10:00"),
        ("waiting", "The disk is full: 3 MiB are free. It goes on by itself."),
        ("failed", "failed.mp4 does not say when it began."),
        ("done", "1 stretch could not be decoded"),
    ):
        expect(line(page, f"{name}.mp4")).to_contain_text(words)
        expect(line(page, f"{name}.mp4").locator(".pill")).to_have_text(name.capitalize())
    page.get_by_label("State").select_option(label="Failed")
    expect(page.locator(".job")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"#/footage\?state=failed$"))
    page.get_by_label("State").select_option(label="Cancelled")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    assert console.trouble == []


@pytest.mark.slow
def test_the_overview_names_each_job_that_runs_and_leads_to_it(hands: Hands, console: Console) -> None:
    job = hands.submits("door.mp4")
    hands.plans(job)
    hands.does(job, 0, 1)
    page = console.open("overview")
    expect(page.locator(".attention")).to_contain_text("door.mp4: running, 20\u202f%")
    page.get_by_role("link", name=f"See {job}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("door.mp4")
    expect(page.locator("main")).to_contain_text("2:00 of 10:00")


@pytest.mark.slow
def test_a_job_is_cancelled_only_after_a_question(hands: Hands, console: Console) -> None:
    job = hands.submits("door.mp4")
    page = console.open("footage")
    button = line(page, "door.mp4").get_by_role("button", name="Cancel door.mp4")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel it?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Keep it going")).to_be_visible()
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(line(page, "door.mp4").locator(".pill")).to_have_text(re.compile("Cancelled|Being cancelled"))
    hands.work.settle(time.time_ns())
    hands.tells(job)
    expect(line(page, "door.mp4").locator(".pill")).to_have_text("Cancelled")
    assert hands.jobs.get(job).ended_at_ns is not None
    assert console.trouble == []


@pytest.mark.slow
def test_what_came_of_a_job_leads_to_its_events_its_report_and_its_video(hands: Hands, console: Console) -> None:
    hands.api.passage(hands.camera, START_NS, Label.WITHOUT_MASK)
    job = hands.submits("one.mp4", "two.mp4")
    hands.plans(job, 1)
    hands.does(job, 0)
    hands.does(job, 0, file=1)
    hands.finishes(job, video=True)
    page = console.open(f"footage/{job}")
    main = page.locator("main")
    # Four of six in all: Wilson's interval of them, which no single report has.
    for words in (
        "66.7\u202f%",
        "95\u202f% interval: 30 to 90\u202f%",
        "one.mp4",
        "two.mp4",
        "Wed, 1 Jul 2026, 12:00:00 CEST",
    ):
        expect(main).to_contain_text(words)
    for name, kind in (("JSON", "application/json"), ("Passages as CSV", "text/csv"), ("All, with pictures", "zip")):
        path = main.get_by_role("link", name=name).get_attribute("href")
        answer = hands.api.client.get(str(path))
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
    video = page.get_by_label("one.mp4, with boxes and labels")
    video.evaluate("video => video.play()")
    assert video.evaluate("video => video.videoWidth") == 160
    main.get_by_role("link", name="Review its 2 events").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review")
    expect(page.locator("main")).to_contain_text("1 of 2")
    expect(page.locator("main")).to_contain_text("Only what was seen in one job")
    page.get_by_role("link", name="Show all", exact=True).click()
    expect(page.locator("main")).to_contain_text("of 3")
    assert console.trouble == []


@pytest.mark.slow
def test_footage_of_the_media_folder_is_taken_by_folder_and_analysed_again(hands: Hands, console: Console) -> None:
    for name in ("hall.mp4", "day/a 2.mp4", "day/a 10.mp4", "day/notes.txt"):
        path = hands.api.media / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CLIP)
    page = console.open("footage")
    page.get_by_role("button", name="From the media folder").click()
    dialog = page.get_by_role("dialog", name="Media folder")
    expect(dialog).to_contain_text("hall.mp4")
    dialog.get_by_role("button", name="day, 2 files").click()
    dialog.get_by_label("All in this folder").check()
    dialog.get_by_role("button", name="Take 2 files").click()
    expect(page.locator(".sends > li")).to_have_text([re.compile("day/a 2.mp4"), re.compile("day/a 10.mp4")])
    page.get_by_label("When it began").select_option(label="Their names say so")
    page.get_by_label("Pattern of the names").fill("%Y%m%d")
    page.get_by_text("More settings").click()
    page.get_by_label("Looks a second").fill("2")
    page.get_by_label("Make a video with boxes and labels").check()
    page.get_by_role("button", name="Analyse").click()
    page.get_by_role("link", name="day/a 2.mp4 and 1 more").click()
    (first,) = told(console, "/jobs")["items"]
    assert (first["fps"], first["annotate"]) == (2, True)
    hands.work.fail(hands.held(first["id"]), "day/a 2.mp4 does not say when it began.", time.time_ns())
    hands.tells(first["id"])
    expect(page.locator(".reason")).to_have_text("day/a 2.mp4 does not say when it began.")
    page.get_by_role("button", name="Analyse again").click()
    page.get_by_role("dialog").get_by_role("button", name="Analyse again").click()
    expect(page.locator(".page-head .pill")).to_have_text("Queued")
    again, _ = told(console, "/jobs")["items"]
    assert [one["name"] for one in again["files"]] == [one["name"] for one in first["files"]]
    assert (again["fps"], again["name_pattern"], again["given_start"]) == (2, "%Y%m%d", None)
    expect(page).to_have_url(re.compile(f"{again['id']}$"))
    assert console.trouble == []


@pytest.mark.slow
def test_footage_that_can_not_be_named_here_is_not_analysed_again(hands: Hands, console: Console) -> None:
    # It is of the same name, and other footage.
    (hands.api.media / "door.mp4").write_bytes(CLIP)
    for path, offered in (("/elsewhere/door.mp4", False), (str(hands.api.media / "door.mp4"), True)):
        job = hands.jobs.create(NewJob(hands.camera, (NewFile("door.mp4", path),), start_ns=START_NS)).id
        hands.work.fail(hands.held(job), "door.mp4 can't be read.", time.time_ns())
        page = console.open(f"footage/{job}")
        expect(page.get_by_role("button", name="Analyse again")).to_have_count(int(offered))
        expect(page.get_by_text("It lies outside the media folder")).to_have_count(int(not offered))
    page.get_by_role("button", name="Analyse again").click()
    page.get_by_role("dialog").get_by_role("button", name="Analyse again").click()
    expect(page.locator(".page-head .pill")).to_have_text("Queued")
    again = hands.jobs.get(told(console, "/jobs")["items"][0]["id"])
    # The API tells milliseconds.
    assert again.options.start_ns == START_NS // 1_000_000 * 1_000_000
    assert console.trouble == []


@pytest.mark.slow
def test_a_folder_that_is_dropped_is_sent_in_the_order_of_its_days(
    hands: Hands, console: Console, tmp_path: Path
) -> None:
    card = tmp_path / "card"
    for name in ("day/10.mp4", "day/9.mp4", "day 2/9.mp4", "day 10/1.mp4", "notes.txt", "day/._9.mp4", ".old/9.mp4"):
        path = card / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two have the same name, size and time.
        path.write_bytes(CLIP)
        os.utime(path, (1_782_900_000, 1_782_900_000))
    ordered = [f"card/{name}" for name in ("day/9.mp4", "day/10.mp4", "day 2/9.mp4", "day 10/1.mp4")]
    page = console.open("footage")
    drops(page, card)
    sends = page.locator(".sends > li")
    expect(sends).to_have_text([re.compile(f"^{name}.*Sent and checked") for name in ordered])
    # What is there already, is not sent twice.
    drops(page, card)
    expect(sends).to_have_count(len(ordered))
    page.get_by_label("When it began").select_option(label="I know date and time")
    page.get_by_label("Start, by the clock of Europe/Berlin").fill("2026-07-01T12:00:05")
    page.get_by_role("button", name="Analyse").click()
    expect(line(page, "card/day/9.mp4 and 3 more")).to_contain_text("Queued")
    (made,) = told(console, "/jobs")["items"]
    assert [one["name"] for one in made["files"]] == ordered
    assert console.trouble == []


@pytest.mark.slow
def test_a_server_that_has_it_all_has_minutes_to_put_it_away(
    hands: Hands, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, keep = threading.Event(), UploadFile.keep

    def slowly(file: UploadFile) -> None:
        assert busy.wait(120)
        keep(file)

    monkeypatch.setattr(UploadFile, "keep", slowly)
    page = console.page
    page.clock.install()
    console.open("footage")
    sent = page.locator(".sends > li")
    try:
        chooses(page, "door.mp4")
        expect(sent).to_contain_text("All sent; being checked")
        page.clock.fast_forward("05:00")
        expect(sent).to_contain_text("All sent; being checked")
        page.clock.fast_forward("05:01")
        expect(sent.get_by_role("alert")).to_contain_text("did not say within ten minutes that it is there")
        sent.get_by_role("button", name="Try again door.mp4").click()
        expect(sent).to_contain_text("All sent; being checked")
    finally:
        busy.set()
    expect(sent).to_contain_text("Sent and checked")
    assert console.trouble == []


@pytest.mark.slow
def test_footage_is_counted_where_the_camera_was(hands: Hands, console: Console) -> None:
    old = hands.api.building("Old hall", "America/New_York")
    zone = hands.api.post(f"/buildings/{old}/zones", {"name": "Gate"})["id"]
    (hands.api.media / "hall.mp4").write_bytes(CLIP)
    page = console.open("footage")
    page.get_by_role("button", name="From the media folder").click()
    dialog = page.get_by_role("dialog", name="Media folder")
    dialog.get_by_label("All in this folder").check()
    dialog.get_by_role("button", name="Take 1 file").click()
    page.get_by_text("More settings").click()
    page.get_by_label("Building").select_option(label="Old hall")
    page.get_by_label("Zone").select_option(label="Gate")
    assert console.violations() == []
    page.get_by_label("When it began").select_option(label="I know date and time")
    page.get_by_label("Start, by the clock of America/New York").fill("2026-07-01T06:00:05")
    page.route(
        "**/api/v1/jobs",
        lambda route: route.fulfill(status=413) if route.request.method == "POST" else route.continue_(),
    )
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_role("alert")).to_have_text("These are too many files for one job. Submit them in several jobs.")
    page.unroute("**/api/v1/jobs")
    page.get_by_role("button", name="Analyse").click()
    expect(line(page, "hall.mp4")).to_contain_text("Old hall")
    (made,) = told(console, "/jobs")["items"]
    assert (made["building_id"], made["zone_id"], made["given_start"]) == (old, zone, "2026-07-01T10:00:05.000Z")
    assert console.trouble == []


@pytest.mark.slow
def test_what_could_not_be_sent_is_tried_again_or_taken_back(hands: Hands, console: Console) -> None:
    page = console.open("footage")
    page.route("**/api/v1/uploads*", lambda route: route.abort())
    chooses(page, "door.mp4")
    sent = page.locator(".sends > li")
    expect(sent.get_by_role("alert")).to_contain_text(
        "The server can\N{RIGHT SINGLE QUOTATION MARK}t be reached. Check the network"
    )
    expect(page.get_by_role("button", name="Analyse")).to_be_disabled()
    page.unroute("**/api/v1/uploads*")
    sent.get_by_role("button", name="Try again door.mp4").click()
    expect(sent).to_contain_text("Sent and checked")
    folder = hands.api.context.footage.uploads
    assert len(list(folder.iterdir())) == 1
    # Elsewhere and back: what was sent is still there.
    console.open("wall")
    console.open("footage")
    sent.get_by_role("button", name="Remove door.mp4").click()
    expect(sent).to_have_count(0)
    wait_for(lambda: not list(folder.iterdir()))
    dropped = page.evaluate_handle(
        "() => { const held = new DataTransfer(); held.items.add(new File(['abc'], 'dropped.mp4')); return held; }"
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    expect(sent).to_contain_text("Sent and checked")
    sent.get_by_role("button", name="Remove dropped.mp4").click()
    chooses(page, "empty.mp4", content=b"")
    expect(sent.get_by_role("alert")).to_contain_text("empty")


@pytest.mark.slow
def test_who_only_looks_sees_the_jobs_and_no_form(hands: Hands, stranger: Console) -> None:
    hands.submits("door.mp4")
    Accounts(hands.api.context.engine).for_(HERE).add("Dana", Role.VIEWER, None, PASSWORD)
    page = stranger.open("footage")
    page.get_by_label("Name").fill("Dana")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(line(page, "door.mp4")).to_contain_text("Queued")
    for name in ("Choose files", "From the media folder", "Cancel door.mp4"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.get_by_role("link", name="door.mp4").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("door.mp4")
    expect(page.get_by_role("button", name="Analyse again")).to_have_count(0)


@pytest.mark.slow
def test_the_pages_are_fit_for_everybody(hands: Hands, console: Console) -> None:
    made = hands.everything()
    for place in ("footage", *(f"footage/{made[name]}" for name in ("running", "failed", "done"))):
        console.check(place)
    page = console.open("footage")
    chooses(page, "a name that is long and has no end and goes on " + 8 * "without_any_end_" + ".mp4")
    expect(page.locator(".sends")).to_contain_text("Sent and checked")
    for way in ("I know date and time", "Their names say so"):
        page.get_by_label("When it began").select_option(label=way)
        assert console.violations() == []
    assert console.overflow() == 0


@pytest.mark.slow
def test_where_there_is_no_camera_it_says_what_comes_first(api: Api, console: Console) -> None:
    page = console.open("footage")
    page.get_by_role("link", name="Add a camera").click()
    expect(page).to_have_url(re.compile(r"#/cameras/new$"))
