"""The same models stated with other tools."""
