"""The version of the package, also read by the build."""

__version__ = "2.0.0a1"
