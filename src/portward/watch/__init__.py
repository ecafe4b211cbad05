"""What stays: the kernel's news of ports as events, their judgement, and the people to tell."""
