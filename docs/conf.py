"""Sphinx settings of the documentation (`make docs`)."""

project = "Lampyris"
author = "the Lampyris authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
html_theme = "furo"
autodoc_typehints = "description"
suppress_warnings = ["myst.header", "myst.xref_missing", "ref.python"]
