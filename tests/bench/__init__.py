"""Counting what the kernels cost in the native modules that ship."""
