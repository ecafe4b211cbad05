"""Roles, profile and exceptions become one resolved policy; pure."""
