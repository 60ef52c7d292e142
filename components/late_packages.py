"""Large generated packages that are loaded module by module, as they are asked for.

`pulumi_databricks` imports 384 modules and `databricks.sdk` all its services as soon as anything of them is imported:
1.4 and 1.2 s of processor time, in the program and once more in the process of its dynamic providers, of which a stack
needs a third. A package that was registered here runs its `__init__` only when it is asked for a name that none of its
modules is known to have: `import pulumi_databricks as databricks; databricks.Cluster` and `from databricks.sdk import
WorkspaceClient` go on as ever, whoever says them, and get the same objects.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

Homes = Callable[[str], Sequence[str]]
"""From a name of a package to those of its modules that may define it."""

# One for all packages: they import each other's modules, never the other way round.
_LOADING = threading.RLock()


def load_late(package: str, homes: Homes | None = None) -> None:
    """Registers a package so that its `__init__` runs only when it is needed; nothing where it is imported already.

    Args:
        package: full name, such as `databricks.sdk`; the packages above it are imported.
        homes: which modules to look into before that; None for the module of the asked name only.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None or spec.loader is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"no package named {package!r} is installed", name=package)
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _LatePackage
    vars(module)["_late_homes"] = homes or (lambda name: ())
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, module)


@contextmanager
def without_collection() -> Iterator[None]:
    """Holds garbage collection back while thousands of classes are built, and leaves them out of later passes."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


class _LatePackage(ModuleType):
    """Asked only for what it does not have yet."""

    def __getattr__(self, name: str) -> Any:
        # What the import system, pickles and inspection look for in any module is no reason to load everything.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
            # Not bound yet where it imports itself, as `outputs` does.
            module = importlib.import_module(f"{self.__name__}.{name}")
            return vars(self).get(name, module)
        for home in vars(self).get("_late_homes", lambda name: ())(name):
            if importlib.util.find_spec(f"{self.__name__}.{home}") is not None:
                found = vars(importlib.import_module(f"{self.__name__}.{home}")).get(name)
                if found is not None:
                    return found
        self._run_init()
        try:
            return vars(self)[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds a module that it has loaded; where that exports its own name (`get_cluster`), the
        # package's `__init__` would have put the function there.
        if isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}":
            value = vars(value)[name] if name in getattr(value, "__all__", ()) else value
        super().__setattr__(name, value)

    def _run_init(self) -> None:
        """Once, whoever asks first; the others wait until it is done."""
        with _LOADING:
            if vars(self).pop("_late_homes", None) is None:
                return
            spec = self.__spec__
            if spec is not None and spec.loader is not None:
                with without_collection():
                    spec.loader.exec_module(self)
