"""The search for an update scheme: what to train for the best accuracy within RAM and time."""
