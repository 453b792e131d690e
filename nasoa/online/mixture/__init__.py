"""The default predictor of a table's target: a mixture of experts."""
