"""The ways a person or a program meets portward."""
