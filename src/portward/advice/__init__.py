"""What to say of a fault: what belongs together, whose it is, and the exact commands; pure."""
