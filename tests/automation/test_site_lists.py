"""Names of sites from files of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.automation.site_lists import read_site_list
from truthound.errors import ConfigurationFileError

GOOD = {
    "lines.txt": ("a.com\n\n  b.com \r\na.com\n", ["a.com", "b.com"]),
    "lines": ("# is no comment\n", ["# is no comment"]),
    "empty.txt": ("", []),
    "bom.txt": ("\ufeffa.com\n", ["a.com"]),
    "names.json": ('["a", "b", "a"]', ["a", "b"]),
    "objects.json": ('[{"site": "a", "x": 1}, {"name": "b"}, "c"]', ["a", "b", "c"]),
    "both.json": ('[{"site": "a", "name": "b"}]', ["a"]),
    "below.json": ('{"sites": ["a"], "more": 5}', ["a"]),
    "none.json": ("[]", []),
    "column.csv": ("id,Site,x\n1,a,\n2,b,y\n1,a,\n", ["a", "b"]),
    "name.csv": ("name\na\nb\n", ["a", "b"]),
    "quoted.csv": ('site,x\n"a,b\nc",1\n', ["a,b\nc"]),
    "one.csv": ("a.com\n\nb.com\n", ["a.com", "b.com"]),
    "none.csv": ("", []),
    "heading.csv": ("site\n", []),
    "blank.csv": ("site,x\n\n,\na,1\n", ["a"]),
    "UPPER.CSV": ("site\na\n", ["a"]),
}
BAD = {
    "half.json": ('["a"', "Expecting ',' delimiter"),
    "text.json": ('"a"', "expected a list of sites"),
    "mapping.json": ('{"a": "b"}', "expected a list of sites"),
    "number.json": ('["a", 5]', "item 2: expected a site's name"),
    "no-name.json": ('[{"x": "a"}]', "item 1: expected a site's name"),
    "blank.json": ('[""]', "item 1: expected a site's name"),
    "null.json": ('[{"site": null}]', "item 1: expected a site's name"),
    "deep.json": ("[" * 100_000, "deep.json: "),
    "columns.csv": ("id,url\n1,a\n", "1: expected a column 'site', got id, url"),
    "open.csv": ('site\n"a\n', "unexpected end of data"),
    "short.csv": ("x,site\n1,a\n2\n", "3: there is no site in this row"),
    "gap.csv": ("site,x\na,1\n,2\n", "3: there is no site in this row"),
    "latin.txt": ("\udce9", "not UTF-8"),
}


@pytest.mark.parametrize("name", GOOD)
def test_names_are_read(name: str) -> None:
    text, expected = GOOD[name]
    Path(name).write_bytes(text.encode())

    assert read_site_list(name) == expected


@pytest.mark.parametrize("name", BAD)
def test_file_of_another_form_is_refused_by_its_name(name: str) -> None:
    text, said = BAD[name]
    Path(name).write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ConfigurationFileError) as caught:
        read_site_list(name)

    (line,) = caught.value.problems
    assert line.startswith(f"{name}:")
    assert said in line


@pytest.mark.parametrize("path", ["nowhere.csv", "folder.json"])
def test_file_that_cannot_be_read_is_named(path: str) -> None:
    Path("folder.json").mkdir()

    with pytest.raises(ConfigurationFileError, match=path):
        read_site_list(path)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_json_gives_back_every_name(names: list[str]) -> None:
    Path("names.json").write_text(json.dumps(names))

    assert read_site_list("names.json") == list(dict.fromkeys(names))


@given(st.binary(max_size=200), st.sampled_from(["x.json", "x.csv", "x.txt"]))
def test_any_bytes_are_names_or_the_one_error(content: bytes, name: str) -> None:
    Path(name).write_bytes(content)
    try:
        found = read_site_list(name)
    except ConfigurationFileError:
        return
    assert all(found)
    assert len(found) == len(set(found))
