"""Texts to people: what was to be said, whether it went out, and the one catalogue of wordings.

Owns the table `<stage>-notices`, with who agreed to advertising. Publishes NoticeSent, CustomerTold,
NoticeFailed and SmsCapReached; hears SmartKeyLinkIssued, CouponGiven,
PointsExpiring and what customers should know of.
Neither a text nor a number nor a code is ever stored or logged; a number is known by a keyed hash, for a day,
or for good when its owner wants no advertising.
"""
