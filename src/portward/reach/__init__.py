"""Who can reach a port; pure."""
