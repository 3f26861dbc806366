"""The simulator: the same generated C, compiled for the host."""
