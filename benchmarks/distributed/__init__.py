"""The price exchange between providers, beside the central optimum."""
