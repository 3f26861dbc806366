"""Where the networks of the examples come from: data, a small CNN, training, quantization."""
