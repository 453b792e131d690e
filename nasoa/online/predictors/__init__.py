"""Predictors of a table's target, all behind one protocol."""
