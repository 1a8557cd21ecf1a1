"""A fixed set of results: whether a change of the code has changed anything that it computes."""
