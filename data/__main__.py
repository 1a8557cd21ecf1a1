"""``python -m stepwatt.data``: the catalogue as CSV on standard output."""

import sys

from .catalogue import catalogue_table

catalogue_table().to_csv(sys.stdout, index=False)
