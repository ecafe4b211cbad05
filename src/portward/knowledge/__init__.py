"""What is known about services, roles and ports, as one TOML file each, and their loader."""
