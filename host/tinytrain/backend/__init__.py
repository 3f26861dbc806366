"""From generated C to a trained board: boards, compilers, the native module, deployment."""
