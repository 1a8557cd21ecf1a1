"""Fine-tuning on utility."""
