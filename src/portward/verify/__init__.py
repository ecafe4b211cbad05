"""The view from inside held against the view from outside, port by port."""
