"""Who may act on which car without its key: grants, the links that hand them over, and the sessions behind.

Owns the table `<stage>-smartkeys`. Publishes SmartKeyLinkIssued, SmartKeyOpened, SmartKeyUnlocked,
SmartKeyRevoked and SmartKeyLinkDied; hears of keys that are wrong, astray or too late, of contracts at risk
and cars locked out, NoticeSent and CommandSettled. Keeps no personal data: a phone number is known only by a
keyed hash.
"""
