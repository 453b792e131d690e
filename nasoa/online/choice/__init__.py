"""Choice of a regime: ranking, exploration and reasons."""
