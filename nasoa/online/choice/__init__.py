"""Which regime? Ranking, exploration, and reasons."""
