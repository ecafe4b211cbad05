"""One file, one command: its options, and what it does with the flow."""
