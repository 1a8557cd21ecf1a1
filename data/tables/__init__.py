"""Tables of values over time as files hold them: opened, understood, laid on a regular grid."""
