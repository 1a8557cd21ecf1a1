"""The linear programs of a slot and of a whole horizon."""
