"""Fine-tuning by a regime, and saving the model."""
