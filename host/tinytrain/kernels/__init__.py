"""The C kernels: their declarations, their compiled library, their reference in numpy."""
