"""Commands to the cars, and the truth about what became of each.

Owns the table `<stage>-doors` and the logs of commands in it. Publishes CommandRequested (written before the
command leaves), CommandSettled (at every final state, and at UNKNOWN), CarOpenedWithKey, and CarStopped,
CarResumed, FleetStopped, FleetResumed. Signs with the secret `command-key`.
"""
