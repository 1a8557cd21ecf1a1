"""The interior-point methods of slots' and days' programs."""
