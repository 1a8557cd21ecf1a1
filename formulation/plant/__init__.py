"""The same model slot by slot: what sites do when asked, many instances at once."""
