"""Predictors that the default one is compared with."""
