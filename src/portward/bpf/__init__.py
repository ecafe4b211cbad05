"""The BPF programs with their compiled CO-RE objects, and the one loader."""
