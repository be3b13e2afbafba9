"""The OpenAPI document as a file: `python -m api.openapi > docs/openapi.json`."""

import json
import sys
from pathlib import Path

from sqlalchemy import create_engine

from api.app import ApiContext, create_app
from api.context import FootagePlaces
from storage.bus import Bus
from storage.database.reports import Reports
from storage.database.sites import Sites


def text() -> str:
    """The document as it is committed; nothing has to run for it."""
    engine = create_engine("sqlite://")
    none = Path("none")
    footage = FootagePlaces(none, none, None)
    context = ApiContext(engine, Sites(engine), Reports(engine), Bus("unix:///none"), none, footage)
    return json.dumps(create_app(context).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
