"""Graph to program: which parameters are trained, the backward pass, and the kernel calls."""
