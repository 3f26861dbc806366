"""Losses and heads: what a step learns towards, from graph to trained parameters."""
