"""What several tests share: random models, the reference runtime, the real models."""
