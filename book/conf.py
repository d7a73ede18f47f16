"""Sphinx's settings for the site: `make book`."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import docstrings  # noqa: E402

project = "evis"
author = "the evis authors"
html_title = "evis"
language = "en"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]

# Notebooks are shown as they are committed.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "dollarmath", "html_image"]
myst_heading_anchors = 3

# Docstrings: `name` is what it names, or else code.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_mock_imports = ["detectron2", "torchvision"]
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
suppress_warnings = ["autodoc"]  # signatures of bound methods and of what is mocked
add_module_names = False
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# One script draws all equations, without fonts and without a server.
_mathjax = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0]
mathjax_path = "tex-svg-full.js"

html_theme = "furo"
html_static_path = ["style.css", str(Path(_mathjax) / "static" / "mathjax" / mathjax_path)]
html_css_files = ["style.css"]
html_copy_source = False
html_show_search_summary = False  # it would fetch pages, which browsers refuse without a server
html_show_sphinx = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def setup(app) -> None:
    app.connect("autodoc-process-docstring", docstrings.process)
