"""Text from the templates beside this module."""

from functools import cache
from pathlib import Path

import jinja2


def render(template: str, **values) -> str:
    """Fill in a template.

    Parameters
    ----------
    template : str
        Name of its file. In one that ends in `.html.j2`, values are escaped.
    **values
        All that it names.

    Returns
    -------
    str
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment():
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
