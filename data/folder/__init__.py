"""Project folders, for those who write no Python: a site.toml with units, and the files that it names."""

from .project import SITE_FILE, build_folder, folder_rules, is_folder
from .start import init_folder

__all__ = ["SITE_FILE", "build_folder", "folder_rules", "init_folder", "is_folder"]
