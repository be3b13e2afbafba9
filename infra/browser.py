"""The page is shown, where there is a screen for it."""

import os
import sys
import webbrowser
from contextlib import suppress


def open_page(url: str) -> bool:
    """Open an address in the browser, and say whether there is one; without a screen, one in the terminal would take it over."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        with suppress(webbrowser.Error):
            return webbrowser.open(url)
    return False
