"""A chunk of a file: decoded, looked at where something moves, and its results kept, all at once or not at all."""

import time
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from infra.jobs.files import by_name, check_unchanged
from infra.jobs.holding import hold, written
from infra.jobs.lease import Lease
from infra.jobs.place import JobsPlace
from infra.jobs.way import Way
from ingest.motion import Motion
from ingest.pieces import FootageDiffersError, PieceReader, pack, unpack, whole_plan
from storage.errors import InputError
from storage.footage_results import pack_results
from storage.job_work import HeldChunk, Stretch
from storage.jobs import ChunkKey
from storage.messages import FrameRef, Look, Result, Sample

THREADS: Final = 1
"""That decode: chunks are worked on side by side."""


def do_chunk(place: JobsPlace, key: ChunkKey) -> None:
    """Take a chunk and analyse it; nothing where there is nothing to do, or somebody else does it."""
    held = place.work.take_chunk(key, time.time_ns())
    if held is None:
        return

    def work(held: HeldChunk, lease: Lease) -> None:
        check_unchanged(held.file)
        try:
            results, faces, samples = _analysed(place, held, lease)
        except (FootageDiffersError, InputError) as error:
            # A file that is gone, or another one now, is no bad footage.
            check_unchanged(held.file)
            if isinstance(error, InputError):
                raise
            _make_whole(place, held, by_name(str(error), [held.file]))
            return
        check_unchanged(held.file)
        # What took hours is not to be lost because the database is started anew just now.
        written(place, lease, lambda: place.work.save_chunk(held, results, samples, faces, time.time_ns()))
        place.tell(key.job, held.building_id)

    hold(place, held, work)


def _analysed(place: JobsPlace, held: HeldChunk, lease: Lease) -> tuple[bytes, int, int]:
    """The results of all its own samples, compressed; how many faces and samples they are."""
    options, source = held.options, held.key.source(held.token)
    path, plan = Path(held.file.path), unpack(held.plan)
    piece = plan.pieces[held.key.number]
    motion = Motion(options.regions)
    results: list[Result] = []
    with (
        PieceReader(path, plan, piece, options.fps, threads=THREADS, alive=lease.check) as reader,
        Way(place, held, lease) as way,
    ):
        for seq, frame, own in reader:
            lease.check()
            lease.at_ns = max(held.start_ns, min(reader.at_ns, held.end_ns))
            luma = frame.luma()
            look, active = motion.judge(luma, frame.at_ns)
            if not own:
                continue
            height, width = luma.shape
            if look is Look.NONE:
                results.append(Result(source, 0, seq, frame.at_ns, width, height, look))
            else:
                way.send(frame.rgb(), _sample(held, seq, frame.at_ns, look, active))
        way.wait()
        summary = reader.summary()
        results += way.results
    packed = pack_results(results, frames=summary.frames, end_ns=summary.end_ns, errors=summary.errors)
    return packed, sum(len(result.faces) for result in results), len(results)


def _sample(held: HeldChunk, seq: int, at_ns: int, look: Look, active: NDArray[np.bool_]) -> Sample:
    """A sample on its way, still without a picture."""
    return Sample(
        camera=held.key.source(held.token),
        epoch=0,
        seq=seq,
        at_ns=at_ns,
        look=look,
        min_face_px=held.options.min_face_px,
        frame=FrameRef(0, 0, 0, 0),
        motion=np.packbits(active).tobytes(),
        rows=active.shape[0],
        columns=active.shape[1],
        regions=held.options.regions,
    )


def _make_whole(place: JobsPlace, held: HeldChunk, reason: str) -> None:
    """The file can't be read in pieces: from now on it is read in one."""
    plan = whole_plan(Path(held.file.path), held.options.fps, reason)
    stretch = Stretch(0, plan.duration_ns)
    place.work.make_whole(held, pack(plan), stretch, reason, time.time_ns())
    place.tell(held.key.job, held.building_id)
