"""``python -m benchmarks.hybrid.finetuning``."""

import sys

from ...telling import told
from .study import main

if __name__ == "__main__":
    sys.exit(told(main))
