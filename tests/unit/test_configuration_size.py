"""Configuration files that stand for far more than they hold are refused before they are built."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from electrode_grains.configuration import RefusingConfigLoader
from electrode_grains.configuration_size import (
    REFERENCE,
    VALUE,
    _count,
    _leaves,
    _references,
    refuse_oversized,
)
from electrode_grains.errors import SettingsError
from electrode_grains.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[2] / "conf"


def chain(first, line, count):
    return first + "".join(
        line.replace("B", str(i)).replace("A", str(i - 1)) for i in range(1, count)
    )


BOMBS = {
    "lists": (chain("a0: &a0 [x, x]\n", "aB: &aB [*aA, *aA]\n", 30), "grows too large"),
    "groups": (chain("a0: &a0 {b: 1, c: 1, d: 1}\n", "aB: &aB {b: *aA, c: *aA, d: *aA}\n", 20),
               "grows too large"),
    "merged": (chain("a0: &a0 {x: 1}\n", "aB: &aB {<<: [*aA, *aA], yB: 1}\n", 30),
               "grows too large"),
    "circle": ("a: &a [*a]\n", "grows too large"),
    "texts": (chain("a0: xxxxxxxxxx\n", "aB: ${aA}${aA}\n", 40), "by references"),
    "references": (chain("a0: {x: 1, y: 2}\n", "aB: {l: '${aA}', r: '${aA}'}\n", 30),
                   "by references"),
    "relative": ("b:\n" + chain("  a0: xxxxxxxxxx\n", "  aB: ${.aA}${b[aA]}\n", 40),
                 "by references"),
    "composed": (chain("a0: xxxxxxxxxx\n", "nB: A\naB: ${a${nB}}${a${nB}}\n", 40), "by references"),
    "long chain": (chain("a0: x\n", "aB: ${aA}\n", 1000), "by references"),
    "lists in a line": ("a: " + "[" * 100_000, "too deep"),
    "groups in a line": ("a: " + "{a: " * 900, "51 levels"),
    "indented": ("\n".join(" " * i + "a:" for i in range(300)), "51 levels"),
    "many": ("\n".join(f"k{i}: {i}" for i in range(20_000)), "more than 10,000 values"),
    "documents": ("---\n" * 20_000, "more than 10,000 values"),
    "long number": ("a: " + "1:" * 100_000 + "1", "200,001 characters"),
    "large": ("#" * 300_001, "300,001 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_grows_when_it_is_read_is_refused_at_once(tmp_path, name):
    text, words = BOMBS[name]
    for folder in ("base", "local"):
        (tmp_path / folder).mkdir()
    (tmp_path / "local" / "parameters_mine.yml").write_text(text)
    # Built, these would take minutes and gigabytes: that this test ends is what it shows.
    with pytest.raises(SettingsError, match=words):
        RefusingConfigLoader(conf_source=str(tmp_path), **CONFIG_LOADER_ARGS)["parameters"]


def test_globals_and_environments_refer_to_each_other(tmp_path):
    (tmp_path / "globals.yml").write_text("long: " + "x" * 9_000)
    texts = "".join(f"a{i}: ${{globals:long}}\n" for i in range(90))
    (tmp_path / "parameters.yml").write_text(texts)
    refuse_oversized(sorted(tmp_path.iterdir()))
    (tmp_path / "parameters.yml").write_text(texts.replace("\n", "${globals:long}\n"))
    with pytest.raises(SettingsError, match=r"by references"):
        refuse_oversized(sorted(tmp_path.iterdir()))


def test_what_comes_with_the_package_is_a_fraction_of_what_may_be():
    files = [file for file in CONF.rglob("*.yml") if file.name != "logging.yml"]
    refuse_oversized(files)
    sizes = {file: _count(file.read_text(), file) for file in files}
    for environment in {file.parent for file in files} - {CONF / "base"}:  # a run reads two
        read = [n for file, n in sizes.items() if file.parent in (CONF / "base", environment)]
        assert sum(read) < 250_000  # of a million


TREES = st.recursive(
    st.sampled_from(["", "x", "long text", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


def written_out(content):
    """Size by its definition."""
    if isinstance(content, dict):
        return VALUE + sum(VALUE + len(key) + written_out(each) for key, each in content.items())
    if isinstance(content, list):
        return VALUE + sum(map(written_out, content))
    return VALUE + len(content)


@given(st.lists(TREES, min_size=1, max_size=3), st.data())
def test_aliases_count_as_what_they_repeat(trees, data):
    for _ in range(data.draw(st.integers(0, 3))):
        shared = data.draw(st.sampled_from(trees))
        trees.append([shared, {"again": shared}, shared])
    text = yaml.dump(trees)  # with aliases wherever an object is met again
    assert _count(text, Path("x")) == VALUE + written_out(trees)  # and the document


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5))
def test_references_count_as_what_they_resolve_to(pairs):
    content = {"k0": {"x": "abc", "y": "defgh"}}
    for number, (first, second) in enumerate(pairs, 1):
        targets = [f"${{k{min(each, number - 1)}}}" for each in (first, second)]
        content[f"k{number}"] = {"x": targets[0], "y": targets[1]}
    resolved = OmegaConf.to_container(OmegaConf.create(content), resolve=True)
    grown = _references(dict(_leaves(content)))

    def leaves(tree):
        return sum(map(leaves, tree.values())) if isinstance(tree, dict) else VALUE + len(tree)

    references = [key for key in content if key != "k0"]
    values = sum(leaves(resolved[key]) for key in references)
    assert grown >= values + 2 * len(references) * REFERENCE
    assert values == 0 or grown <= 40 * values + 2 * len(references) * (REFERENCE + 2 * VALUE)
