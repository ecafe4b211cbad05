"""The view from outside: the wire and the course of a scan (both pure), and what sends."""
