"""The conic relaxation in CVXPY: continuous steps, fluid jobs."""
