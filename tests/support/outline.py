"""What a page has for a keyboard or a screen reader, and what it may not have."""

from __future__ import annotations

from html.parser import HTMLParser


class Outline(HTMLParser):
    """The parts of a page that a keyboard or a screen reader needs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[str | None] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.forms: list[bool] = []
        self.captions: list[bool] = []
        self.headers_without_scope = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "label":
            self.labelled.add(str(given.get("for")))
        elif tag in ("input", "select") and given.get("type") != "hidden":
            self.fields.append(given.get("id"))
        elif tag == "a" and str(given.get("href")).startswith("#"):
            self.links.append(str(given["href"])[1:])
        elif tag == "form":
            self.forms.append(False)
        elif tag == "input" and given.get("name") == "key":
            self.forms[-1] = True
        elif tag == "table":
            self.captions.append(False)
        elif tag == "caption":
            self.captions[-1] = True
        elif tag == "th":
            self.headers_without_scope += "scope" not in given
        elif tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
