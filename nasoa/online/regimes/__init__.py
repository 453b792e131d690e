"""Regimes, the time they take, and which of them fit a limit (Eq. 2, Algorithm 3)."""
