import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mfx.analysis.page import Page, Picture, Section, Table, cell, render, write
from mfx.errors import DataError

NASTY = "<script>alert('x')</script> & \"quoted\" </style></pre>"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Collects elements, and fails on a tag that is not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "bars.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><rect id="a"/></svg>')
    return path


def page(path, text="plain"):
    table = Table(["name", "count", "share"], [[text, 1234567, 0.123456], ["b", None, 5321.25]], caption=text)
    sections = [Section(f"{text} {n}", [text], [table], [Picture(path, text, text)]) for n in range(4)]
    return Page(text, text, sections, {text: text}, text)


def test_every_text_is_escaped(picture):
    html = render(page(picture, NASTY))
    reader = read(html)
    assert not reader.all("script")
    assert "<script" not in html
    assert len(reader.all("style")) == 1
    assert NASTY in "".join(reader.texts)
    assert {image["alt"] for image in reader.all("img")} == {NASTY}


def test_nothing_is_fetched(picture):
    html = render(page(picture))
    reader = read(html)
    for tag, attributes in reader.elements:
        for name in ("src", "href", "srcset", "action", "data", "style"):
            value = attributes.get(name, "")
            assert value.startswith(("data:image/", "#")) or not value, (tag, name, value)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in reader.elements}
    assert not re.search(r"https?:|url\(|@import", html)
    (policy,) = [one["content"] for one in reader.all("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none'")


def test_a_figure_is_copied_into_the_page(picture):
    image = read(render(page(picture))).all("img")[0]
    kind, _, content = image["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content) == picture.read_bytes()


def test_a_wide_figure_takes_the_whole_width(picture):
    figures = [Picture(picture, "a"), Picture(picture, "b", wide=True)]
    reader = read(render(Page("t", "l", [Section("s", pictures=figures)])))
    assert [one.get("class") for one in reader.all("figure")] == [None, "broad"]


def test_links_lead_to_sections(picture):
    reader = read(render(page(picture)))
    targets = [section["id"] for section in reader.all("section")]
    assert len(set(targets)) == len(targets) == 6
    assert [link["href"] for link in reader.all("a")] == [f"#{name}" for name in targets[:4]]


def test_tables_have_headers_with_scope_and_numbers_to_the_right(picture):
    html = render(Page("t", "l", [Section("s", tables=page(picture).sections[0].tables)]))
    reader = read(html)
    assert [one["scope"] for one in reader.all("th")] == ["col"] * 3 + ["row"] * 2
    assert [one.get("class") for one in reader.all("td")] == ["number"] * 4
    assert ">1,234,567<" in html
    assert ">0.1235<" in html
    assert ">5,321.2<" in html
    assert not reader.all("nav")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (True, "True"),
        (12345, "12,345"),
        (0.5, "0.5"),
        ("a", "a"),
        (np.int64(12345), "12,345"),
    ],
)
def test_cells(value, text):
    assert cell(value) == text


def test_what_cannot_be_shown_is_refused(tmp_path):
    def shown(**parts):
        return render(Page("t", "l", [Section("s", **parts)]))

    with pytest.raises(DataError, match="a row of 1 cells"):
        shown(tables=[Table(["a", "b"], [["one"]])])
    with pytest.raises(DataError, match=r"gone\.png cannot be read"):
        shown(pictures=[Picture(tmp_path / "gone.png", "none")])
    with pytest.raises(DataError, match=r"a\.gif cannot stand"):
        shown(pictures=[Picture(tmp_path / "a.gif", "none")])


def test_writing_leaves_one_file(tmp_path, picture):
    path = write(page(picture), tmp_path / "out" / "index.html")
    assert path.read_text(encoding="utf-8") == render(page(picture))
    assert [one.name for one in path.parent.iterdir()] == ["index.html"]
