"""Reads the machine and gathers what it finds into a Snapshot; writes nothing."""
