"""One file, one check; pure."""
