"""Commands to the cars, and the truth about what became of each.

Owns the table `<stage>-doors`. Publishes CommandRequested (written before the command leaves) and
CommandSettled (at every final state, and at UNKNOWN). Signs with the secret `command-key`.
"""
