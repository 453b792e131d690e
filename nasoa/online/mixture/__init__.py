"""The default predictor for the target of a table: a mixture of experts."""
