"""How Sphinx makes the site out of the project's Markdown: `make docs`."""

from importlib.metadata import version as installed_version
from typing import Final

project: Final = "Tegata"
version = release = installed_version("tegata")

# The whole project is the source: pages link to one another as they lie in it.
include_patterns: Final = [
    "docs/*.md",
    "docs/*/*.md",
    "deploy/README.md",
    "benchmarks/README.md",
    "benchmarks/results/*.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
root_doc: Final = "docs/index"

extensions: Final = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors: Final = 4
autodoc_member_order: Final = "bysource"
autodoc_typehints: Final = "description"
napoleon_numpy_docstring: Final = False
napoleon_use_ivar: Final = True

html_theme: Final = "furo"
html_title: Final = "Tegata 手形"
html_show_sphinx: Final = False

# Diagrams are Mermaid's text: forges draw them, the site shows the text.
suppress_warnings: Final = ["misc.highlighting_failure"]
