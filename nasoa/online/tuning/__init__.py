"""Fine-tuning with a regime, and saving the model."""
