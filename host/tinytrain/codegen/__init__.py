"""Program and memory plan to files: C source, weights, type stub, example."""
