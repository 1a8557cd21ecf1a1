"""Logs of requests, one file a layout."""
