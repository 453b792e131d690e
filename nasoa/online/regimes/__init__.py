"""What can be done in the time? Regimes, what they take, and which fit (Eq. 2, Algorithm 3)."""
