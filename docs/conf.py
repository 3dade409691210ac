"""How Sphinx builds the documentation; `./scripts/lint` does it."""

from __future__ import annotations

import jupyterhub_sphinx_theme

import jupyterhub_efs_quota

project = "jupyterhub-efs-quota"
author = "the jupyterhub-efs-quota contributors"
project_copyright = f"2026, {author}"
version = release = jupyterhub_efs_quota.__version__

extensions = ["myst_parser", "jupyterhub_sphinx_theme"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# Links to headings of other pages, as on the page that they lead to.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
nitpicky = True

html_theme = "jupyterhub_sphinx_theme"
html_title = project
# The theme's own default is fetched from another site.
html_favicon = str(jupyterhub_sphinx_theme.THEME_PATH / "static" / "favicon.ico")
html_show_sourcelink = False
