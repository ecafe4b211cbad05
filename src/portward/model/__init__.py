"""The nouns: immutable values without I/O that every other room speaks of."""
