"""Independent computations of what the integer kernels are to approximate."""
