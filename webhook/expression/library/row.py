"""How a function of ours is declared to the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Types that the runtime does not know: their values are maps of one entry, named after the type.
# That nobody uses them as maps is checked by an environment that knows the types.
Opaque = dict[str, Any]
TYPES = {
    "quantity": "kubernetes.Quantity",
    "url": "kubernetes.URL",
    "ip": "net.IP",
    "cidr": "net.CIDR",
    "semver": "kubernetes.Semver",
}
REFUSED = "refused: "  # how a refusal is told from the runtime's own errors


class RefusedError(ValueError):
    """A function refuses its argument. The text gives the reason, never a value."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSED + reason)


@dataclass(frozen=True, slots=True)
class Function:
    """One overload. `types` are the names of its parameters' types, a method's receiver first."""

    name: str
    method: bool
    types: tuple[str, ...]
    result: str
    call: Callable[..., Any]


def row(name: str, signature: str, call: Callable[..., Any]) -> Function:
    """`"string.(string) -> bool"` declares a method, `"(string) -> bool"` a function."""
    left, _, result = signature.partition(" -> ")
    receiver, _, rest = left.partition("(")
    types = [receiver.removesuffix(".")] if receiver else []
    types += [t.strip() for t in rest.removesuffix(")").split(",") if t.strip()]
    return Function(name, bool(receiver), tuple(types), result, call)


def can(make: Callable[..., Any]) -> Callable[..., bool]:
    """Whether `make` accepts its arguments."""

    def asked(*arguments: Any) -> bool:
        try:
            make(*arguments)
        except RefusedError:
            return False
        return True

    return asked


def merged(functions: list[Function]) -> Callable[..., Any]:
    """One function for several whose arguments look alike at run time."""

    def call(*arguments: Any) -> Any:
        for function in functions:
            if all(map(_is_of, function.types, arguments)):
                return function.call(*arguments)
        what = "a function was given a value of another type"
        raise RefusedError(what)

    return call


def _is_of(type_: str, value: Any) -> bool:
    return type_ not in TYPES or (isinstance(value, Mapping) and type_ in value)
