"""Memory: when each buffer lives, where it lies, and what that costs."""
