"""Changes a machine, and changes it back: the only rooms of portward that write to the system.

Every step is saved and written into the journal before it is done; a guard outside the process
takes all of it back unless somebody confirms.
"""
