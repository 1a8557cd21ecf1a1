"""Check types (``mypy``) or imports (``imports``), or make the site (``docs``), by the names of packages.

The checkout's folders are not laid out like the packages (``formulation/`` is ``stepwatt.formulation``),
so all read a copy that is.
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
copy = root / "build" / "assembled"
shutil.rmtree(copy, ignore_errors=True)
for package, folder in sorted(folders.items()):
    ignored = shutil.ignore_patterns("__pycache__", "*.gz")
    shutil.copytree(root / folder, copy / package.replace(".", "/"), ignore=ignored, dirs_exist_ok=True)
commands = {
    "mypy": ["-m", "mypy", "--config-file", str(root / "pyproject.toml"), "-p", "stepwatt"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command as run; run()",
                str(root / "pyproject.toml"), "--no-cache"],
    "docs": ["-m", "mkdocs", "build", "--strict", "-f", str(root / "mkdocs.yml")],
}  # fmt: skip
found = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "MYPYPATH": str(copy), "PYTHONPATH": str(copy)}
done = subprocess.run([sys.executable, *commands[sys.argv[1]]], env=found, cwd=copy, check=False)
sys.exit(done.returncode)
