import importlib.metadata
from dataclasses import dataclass

import pytest

from mfx import builtin, registry
from mfx.errors import PluginError, SettingError, UnknownName
from mfx.registry import KINDS, available, create, get, register
from mfx.settings import Component, setting


@pytest.fixture(autouse=True)
def undone():
    with registry.temporarily():
        yield


def component(name="demo", kind="model"):
    @register(kind, name)
    @dataclass(kw_only=True)
    class Demo(Component):
        """Does nothing.

        At length.
        """

        size: int = setting(3, ge=1)

    return Demo


def test_a_registered_component_is_made_by_name():
    cls = component()
    assert get("model", "demo").component is cls
    assert cls.name == "demo"
    assert create("model", "demo", {"size": 5}).size == 5
    assert get("model", "demo").summary == "Does nothing."


def test_an_unknown_name_lists_what_exists():
    component("genre_demo")
    with pytest.raises(UnknownName, match=r"no model called 'gnre_demo'.*Did you mean 'genre_demo'\?.*Available:"):
        get("model", "gnre_demo")


def test_settings_are_checked_when_made():
    component()
    with pytest.raises(SettingError, match=r"model 'demo' has no setting 'sise'.*Did you mean 'size'"):
        create("model", "demo", {"sise": 5})
    with pytest.raises(SettingError, match="size=0 must be at least 1"):
        create("model", "demo", {"size": 0})


def test_a_name_can_be_taken_once_per_kind():
    component()
    component(kind="split")
    with pytest.raises(PluginError, match=r"Two components are called model 'demo'"):
        component()


@pytest.mark.parametrize(("kind", "name"), [("modle", "x"), ("model", "a-b"), ("model", "")])
def test_malformed_registrations_are_refused(kind, name):
    with pytest.raises(PluginError):
        register(kind, name)


def test_available_is_in_the_order_of_the_flow():
    component("zz", "tracking")
    component("aa", "dataset")
    kinds = [KINDS.index(entry.kind) for entry in available()]
    assert kinds == sorted(kinds)
    assert [entry.kind for entry in available("split")] == ["split"] * len(available("split"))


def test_registrations_inside_temporarily_are_undone():
    with registry.temporarily():
        component("brief")
    with pytest.raises(UnknownName):
        get("model", "brief")


def point(value, name="p", package="some-package"):
    class Point(importlib.metadata.EntryPoint):
        dist = type("Dist", (), {"name": package})()

    return Point(name, value, registry.GROUP)


def test_a_broken_plugin_is_reported_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "half_broken.py").write_text(
        "from dataclasses import dataclass\nfrom mfx.registry import register\nfrom mfx.settings import Component\n"
        "@register('model', 'half')\n@dataclass(kw_only=True)\nclass Half(Component):\n    pass\n"
        "raise RuntimeError('two\\nlines')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry._load(point("half_broken"))
    broken = registry.load_plugins()[-1]
    assert (broken.package, broken.reason) == ("some-package", "RuntimeError: two lines")
    with pytest.raises(UnknownName, match=r"Plugins that could not be loaded: .*some-package"):
        get("model", "half")


def test_a_plugin_cannot_take_a_name_away(tmp_path, monkeypatch):
    component("taken")
    (tmp_path / "taker.py").write_text(
        "from dataclasses import dataclass\nfrom mfx.registry import register\nfrom mfx.settings import Component\n"
        "@register('model', 'taken')\n@dataclass(kw_only=True)\nclass Taker(Component):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry._load(point("taker"))
    assert "'some-package'" in registry.load_plugins()[-1].reason
    assert get("model", "taken").package != "some-package"


def test_built_ins_come_through_the_entry_point():
    assert [p.value for p in importlib.metadata.entry_points(group=registry.GROUP, name="mfx")] == ["mfx.builtin"]
    names = builtin.component_modules()
    assert names
    owned = {entry.component.__module__ for entry in available() if entry.package == "mfx"}
    assert set(names) <= owned | {entry.component.__module__ for entry in available()}
