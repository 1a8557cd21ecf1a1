"""Files as people have them, one file a layout."""
