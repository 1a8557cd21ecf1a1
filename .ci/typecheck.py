"""Type-check the packages under the names they are imported by.

The checkout's folders are not laid out like the packages (``formulation/`` is ``stepwatt.formulation``),
so mypy reads a copy that is.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

root = Path(__file__).resolve().parent.parent
settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
folders = settings["tool"]["setuptools"]["package-dir"]
copy = root / "build" / "typecheck"
shutil.rmtree(copy, ignore_errors=True)
for package, folder in sorted(folders.items()):
    ignored = shutil.ignore_patterns("__pycache__", "*.gz")
    shutil.copytree(root / folder, copy / package.replace(".", "/"), ignore=ignored, dirs_exist_ok=True)
command = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), "-p", "stepwatt"]
done = subprocess.run(command, env={**os.environ, "MYPYPATH": str(copy)}, cwd=copy, check=False)
sys.exit(done.returncode)
