"""From what a machine is to what it should be: ordered changes, each of steps that can be undone.

Pure: the same case gives the same plan. Each module adds one kind of change; ``make`` puts them
together, follows the packets through what would be, and refuses what would lock somebody out.
"""
