"""Hook of MkDocs: the table of all settings, from the models that check them."""

from typing import Any

from electrode_grains.commands.settings_table import MARK, as_markdown, settings_models, tabulate


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table where a page asks for it."""
    if MARK not in markdown:
        return markdown
    return markdown.replace(MARK, as_markdown(tabulate(settings_models())))
