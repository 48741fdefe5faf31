"""Settings of the process, under Theano's names.

`config.floatX` is one attribute of many; names with a dot, such as `config.blas.ldflags`, are attributes of
sections. The environment variables THEANO_FLAGS and, after it, ARIGNOTE_FLAGS say what they are at the start:
``name=value`` pairs with commas between them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arignote.engine.errors import ConfigError

VARIABLES = ("THEANO_FLAGS", "ARIGNOTE_FLAGS")

Check = Callable[[str, Any], Any]


def _one_of(*choices: Any) -> Check:
    def check(name: str, value: Any) -> Any:
        if value not in choices:
            raise ConfigError(
                f"config.{name}", expected="one of " + ", ".join(map(repr, choices)), actual=repr(value)
            )
        return value

    return check


def _bool(name: str, value: Any) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    result = known.get(str(value).lower())
    if result is None:
        raise ConfigError(f"config.{name}", expected="True or False", actual=repr(value))
    return result


def _device(name: str, value: Any) -> str:
    if value != "cpu":
        if not str(value).startswith(("gpu", "cuda", "opencl")):
            raise ConfigError(f"config.{name}", expected="'cpu'", actual=repr(value))
        warnings.warn(f"config.{name}: there is no {value!r} here; everything runs on the CPU", stacklevel=4)
    return "cpu"


def _anything(name: str, value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Setting:
    """A setting: its value unless assigned, and the function that checks an assignment."""

    default: Any
    check: Check


SETTINGS = {
    "floatX": Setting("float64", _one_of("float32", "float64")),
    "mode": Setting(
        "Mode",
        _one_of(
            "Mode", "FAST_RUN", "FAST_COMPILE", "DebugMode", "DEBUG_MODE", "NanGuardMode",
            "compiled", "reference", "debug", "nan_guard",
        ),
    ),
    "device": Setting("cpu", _device),
    "init_gpu_device": Setting("", lambda name, value: value and _device(name, value)),
    "on_unused_input": Setting("raise", _one_of("raise", "warn", "ignore")),
    "compute_test_value": Setting("off", _one_of("off", "ignore", "warn", "raise")),
    "profile": Setting(False, _bool),
    # Programs may assign what follows, but nothing depends on it: errors always tell all, and there is one
    # compiler, one set of rewrites, and one place for temporaries.
    "exception_verbosity": Setting("low", _one_of("low", "high")),
    "optimizer": Setting("fast_run", _anything),
    "linker": Setting("cvm", _anything),
    "allow_gc": Setting(True, _bool),
    "openmp": Setting(False, _bool),
    "print_test_value": Setting(False, _bool),
    **{
        name: Setting("", _anything)
        for name in (
            "assert_no_cpu_op", "base_compiledir", "cast_policy", "compiledir", "contexts", "cxx",
            "force_device", "int_division", "openmp_elemwise_minsize", "optimizer_excluding",
            "optimizer_including", "optimizer_verbose", "print_active_device", "profile_memory",
            "profile_optimizer", "reoptimize_unpickled_function", "unpickle_function", "warn_float64",
        )
    },
}  # fmt: skip

#: Sections of settings without effect: any name in them is taken.
SECTIONS = (
    "blas", "cmodule", "compile", "cuda", "dnn", "dnn.conv", "experimental", "gcc", "gpuarray", "gpuelemwise",
    "lib", "nvcc", "scan", "tensor", "traceback", "warn", "DebugMode", "NanGuardMode", "ProfileMode", "numpy",
)  # fmt: skip


class Config:
    """Settings under Theano's names.

    Attributes
    ----------
    floatX : {'float64', 'float32'}
        The dtype of `matrix()`, `tensor4()` and the other makers without a dtype of their own, and of Python
        floats when it is 'float32'. As in Theano, 'float64' unless assigned.
    mode : str
        The mode of functions that are told none.
    device : 'cpu'
        Anything else is answered with a warning, and 'cpu'.
    on_unused_input : {'raise', 'warn', 'ignore'}
        What becomes of inputs that no output depends on, unless `function` is told.
    compute_test_value : {'off', 'ignore', 'warn', 'raise'}
        Whether every node is computed while the graph is built, from the ``tag.test_value`` of its inputs,
        so that a mistake is found on its line; and what happens where an input has none.
    profile : bool
        Whether functions measure their steps, unless they are told.

    Raises
    ------
    AttributeError
        For a name that Theano does not have.
    ConfigError
        For a value that the setting does not have.

    Examples
    --------
    >>> config.on_unused_input
    'raise'
    >>> config.blas.ldflags = "-lopenblas"  # without effect
    """

    floatX: str  # noqa: N815 - Theano's name
    mode: str
    device: str
    on_unused_input: str
    compute_test_value: str
    profile: bool

    def __init__(self) -> None:
        self.__dict__.update({name: setting.default for name, setting in SETTINGS.items()})
        for section in SECTIONS:
            self._place(section)[section.rpartition(".")[2]] = _Section()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            raise AttributeError(_unknown(name))
        self.__dict__[name] = SETTINGS[name].check(name, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_unknown(name))

    def _place(self, name: str) -> dict[str, Any]:
        """Return where the last part of a name with dots stands."""
        place: Any = self
        for part in name.split(".")[:-1]:
            place = place.__dict__[part]
        found: dict[str, Any] = place.__dict__
        return found

    def take(self, flags: str, variable: str) -> None:
        """Assign what a string of ``name=value`` pairs with commas says, the last one of a name.

        Raises
        ------
        ConfigError
            For a pair without an equals sign, or a value that the setting does not have.
        """
        for pair in filter(None, (part.strip() for part in flags.split(","))):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals:
                raise ConfigError(f"{variable}: {pair!r}", expected="name=value, with commas between pairs")
            section, _, last = name.rpartition(".")
            if section in SECTIONS:
                self._place(name)[last] = value
            elif name in SETTINGS:
                setattr(self, name, value)
            else:
                warnings.warn(f"{variable}: {_unknown(name)}", stacklevel=2)


class _Section:
    """Settings without effect, which any program may assign; what was never assigned reads as ''."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return ""


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*SETTINGS, *SECTIONS], n=1)
    return f"config has no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


config = Config()
for _variable in VARIABLES:
    config.take(os.environ.get(_variable, ""), _variable)
