"""Evaluate predictors: progressive errors, regret, baselines. Not imported in production."""
