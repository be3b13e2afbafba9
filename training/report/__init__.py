"""What a training run or an evaluation shows: one page for people, and the same as JSON for programs.

`write_report(folder, run)` takes what was measured and leaves `report.html`, a single file that needs nothing else and
reaches for nothing on the network, and `report.json`.
"""

from training.report.run import Run
from training.report.writing import write_report

__all__ = ["Run", "write_report"]
