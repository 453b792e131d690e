"""Baselines that the default predictor is compared with."""
