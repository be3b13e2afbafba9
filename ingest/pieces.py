"""Recorded footage in pieces: how it is cut up, and what reads it; the names that others use."""

from ingest.began import began_by_name, began_ns
from ingest.cutting import plan_footage, whole_plan
from ingest.footage_pictures import Pictures
from ingest.length import exact_length_ns
from ingest.piece_plan import FootageDiffersError, FootagePlan, Piece, PieceSummary, footage_summary, pack, unpack
from ingest.piece_reader import PieceReader
from ingest.survey import PlanningStoppedError

__all__ = [
    "FootageDiffersError",
    "FootagePlan",
    "Pictures",
    "Piece",
    "PieceReader",
    "PieceSummary",
    "PlanningStoppedError",
    "began_by_name",
    "began_ns",
    "exact_length_ns",
    "footage_summary",
    "pack",
    "plan_footage",
    "unpack",
    "whole_plan",
]
