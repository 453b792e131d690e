"""Do it: one fine-tune, and the model that it saves."""
