"""Texts to people: what was to be said, whether it went out, and the one catalogue of wordings.

Owns the table `<stage>-notices`. Publishes NoticeSent; hears SmartKeyLinkIssued. Neither a text nor a number
nor a code is ever stored or logged.
"""
