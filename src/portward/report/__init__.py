"""One file, one output format; pure."""
