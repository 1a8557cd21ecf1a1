"""Where tests find what they read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "examples"
#: Real series beside the checkout, which may be absent.
SHARED = ROOT.parent / "shared"
