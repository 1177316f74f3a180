"""Who may act on which car without its key: grants, the links that hand them over, and the sessions behind.

Owns the table `<stage>-smartkeys`. Publishes SmartKeyLinkIssued, SmartKeyOpened, SmartKeyRevoked and
SmartKeyLinkDied; hears KeyShipmentLate, KeyShipmentMisdelivered, KeyShipmentMismatched, NoticeSent and
CommandSettled. Keeps no personal data: a phone number is known only by a keyed hash.
"""
