"""The inside view held against the outside view; pure.

"If the firewall is right, all of these tests fail": every port that a source shall not reach is an
attempt that must fail, and every port that the policy opens for it one that must succeed. What a
view does not tell is neither.
"""
