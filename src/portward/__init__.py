"""portward closes every port a machine's role does not need, and proves it."""

__version__ = "0.1.0"
