"""One cause, many contracts: who is affected, and a smart key for each of them in one go.

Owns the table `<stage>-incidents` and the queue `<stage>-incidents-work`. Publishes IncidentOpened,
IncidentApprovalAsked, IncidentWorkStarted (which it hears itself) and IncidentWorkDone; hears NoticeSent,
NoticeFailed, SmartKeyOpened, SmartKeyUnlocked and SmartKeyRevoked. Only what gives many people their smart
keys at once is here; how incidents are found and what they are worth is not.
"""
