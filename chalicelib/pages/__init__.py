"""The web pages: the smart-key page (`/k`), the ops page (`/ops`), their files, and the overview as data.

Owns no table and publishes nothing. `templates/` are rendered with the version of the files they load,
`static/` is served as it is under that version, so that a browser may keep it for ever.
"""
