"""The web pages and the overview as data: smart key (`/k`), plans and sign-up (`/plans`), customers (`/my`),
partners (`/partner`), operations (`/ops`), sponsors (`/sponsor`).

Owns no table and publishes nothing. `templates/` are rendered with the version of the files they load,
`static/` is served as it is under that version, so that a browser may keep it for ever.
"""
