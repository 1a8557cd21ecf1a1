"""The reference of all fields: pages, JSON Schema and look-ups, generated from the records of the files."""
