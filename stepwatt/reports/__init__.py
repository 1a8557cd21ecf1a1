"""Comparisons shown: tables, page, figures."""
