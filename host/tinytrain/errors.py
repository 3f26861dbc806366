"""The error tree: every error this package raises on purpose derives from TinyTrainError.

A message names the file, the op and the tensor where there is one, and ends with what would help.
"""


class TinyTrainError(Exception):
    """Base of all errors raised by tinytrain."""


class ImportModelError(TinyTrainError):
    """A model file cannot be read, or uses something that is not supported."""


class GraphError(TinyTrainError):
    """A graph breaks a rule of the intermediate representation (a bug in a pass or an importer)."""


class UpdateError(TinyTrainError):
    """An update scheme names something that the model does not have or that cannot be trained."""


class BuildError(TinyTrainError):
    """A program cannot be compiled, linked or made to fit."""


class BoardError(TinyTrainError):
    """A board file is wrong, or a connected board does not do what was expected of it."""


class DataError(TinyTrainError, ValueError):
    """Samples or labels of the wrong type, shape or range were given."""
