"""Who may act on which car without its key: grants, the links that hand them over, and the sessions behind.

Owns the table `<stage>-smartkeys`. Publishes SmartKeyLinkIssued, SmartKeyStaffIssued, SmartKeyOpened,
SmartKeyUnlocked, SmartKeyRevoked, SmartKeyLinkDied, SmartKeySessionEnded and SmartKeyAsksStopped; hears of
keys that are wrong, astray or too late, of contracts at risk and cars locked out, of contracts that are over,
drivers no longer named, cars swapped and bills unpaid, NoticeSent and CommandSettled. A phone number is known
only by a keyed hash; people whom operations name are kept until a day after their key.
"""
