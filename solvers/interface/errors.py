"""What solving may raise, apart from errors of input."""


class SolverError(RuntimeError):
    """HiGHS refused or failed; the message says where."""


class NoDecision(SolverError):
    """A method that goes slot by slot met one without a feasible decision."""
