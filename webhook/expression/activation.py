"""The part of one review that expressions get to see.

Handing the runtime a whole pod costs more than the whole decision, so a `Scope` converts only the
paths that expressions are known to read, once a review and only when one is reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.errors import EvaluationError
from webhook.expression import bounds, runtime
from webhook.expression.bounds import Meter, Sizes
from webhook.expression.cost import Costs
from webhook.expression.reads import ANY, Branch, Path, Reads, covers, join

__all__ = ["ANY", "Json", "Path", "Reads", "Scope", "join"]

Json = Mapping[str, Any]
_LEAVES = frozenset({str, int, float, bool, type(None)})


class Scope:
    """One review as expressions see it. Made for one review and dropped afterwards.

    `object` is the pod, `request` the admission request without its objects, `namespace` the
    namespace as `{"metadata": {"name", "labels", "annotations"}}`, or None when nothing is known
    about it (reading `namespaceObject` is then an EvaluationError). `reads` is what all the
    expressions that will be asked read together (`reads.join`). `spent` is what an input larger
    than usual was charged so far, in the unit of `bounds`.
    """

    __slots__ = (
        "_meter",
        "_own",
        "_reads",
        "_roots",
        "_shared",
        "_sizes",
        "_verified",
        "spent",
    )

    def __init__(
        self,
        *,
        object: Json,
        request: Json,
        namespace: Json | None,
        reads: Reads,
    ) -> None:
        self._roots: dict[str, Json | None] = {
            "object": object,
            "request": request,
            "namespaceObject": namespace,
        }
        self._reads = reads
        self._shared: Any = None  # until the runtime is asked, which most reviews never do
        self._verified: set[int] | None = None
        self.spent = 0

    @property
    def namespace(self) -> Json | None:
        """The namespace as it was given."""
        return self._roots["namespaceObject"]

    def root(self, name: str) -> Json | None:
        """The variable `name` as it came, for plain paths. None when nothing is known about it."""
        return self._roots[name]

    def variables(self, parameters: Mapping[str, object] | None) -> dict[str, Any]:
        """The variables as they came, for what needs no runtime."""
        return {**self._roots, "parameters": parameters}

    def activation(
        self, reads: Reads, costs: Costs, parameters: Mapping[str, object] | None
    ) -> Any:
        """The runtime's view for one expression.

        Raises EvaluationError when the review is so large that its worst case would take too long.
        """
        if self._verified is None:
            self._verified = set()
        if id(reads) not in self._verified:
            self._verify(reads)
            self._verified.add(id(reads))
        if self._shared is None:
            self._share()
        activation, sizes = self._shared, self._sizes
        if parameters is not None and reads.root("parameters") is not None:
            activation, sizes = self._with(parameters)
        if sizes is not None:
            self._charge(costs, sizes)
        return activation

    def _verify(self, reads: Reads) -> None:
        if not covers(self._reads, reads):
            what = "this scope was not made for this expression: it reads more than was announced"
            raise ValueError(what)

    def _share(self) -> None:
        data = {}
        self._meter = Meter()
        for name, value in self._roots.items():
            branch = self._reads.root(name)
            if branch is not None and value is not None:
                data[name] = trim(value, branch, self._meter)
        self._shared = runtime.environment().Activation(data)
        self._sizes: Sizes | None = self._meter.beyond()
        self._convert(self._sizes)
        self._own: dict[int, tuple[Any, Any, Sizes | None]] = {0: (None, data, None)}

    def _with(self, parameters: Mapping[str, object]) -> tuple[Any, Sizes | None]:
        """An activation of its own for one policy's parameters, shared by its expressions."""
        own = self._own.get(id(parameters))
        if own is None:
            values = dict(parameters)
            meter = self._meter.copy()
            measure(values, meter)
            data = {**self._own[0][1], "parameters": values}
            own = (parameters, runtime.environment().Activation(data), meter.beyond())
            self._own[id(parameters)] = own
            self._convert(own[2])
        return own[1], own[2]

    def _convert(self, sizes: Sizes | None) -> None:
        """Every activation is converted by itself, when a variable of it is first read."""
        if sizes is not None:
            self.spent += int(sizes.weight * bounds.CONVERT / 1000)

    def _charge(self, costs: Costs, sizes: Sizes) -> None:
        cost = costs.at(sizes)
        self.spent += cost
        if cost > bounds.MAX_EXPRESSION_COST:
            what = "the pod is too large for this expression"
            raise EvaluationError(what)
        if self.spent > bounds.MAX_REVIEW_COST:
            what = "the pod is too large for all the expressions that look at it"
            raise EvaluationError(what)


def trim(value: Any, branch: Branch, meter: Meter, depth: int = 0) -> Any:
    """A copy of `value` with only what `branch` names; measured on the way.

    Raises EvaluationError when it is deeper or larger than anything that will be evaluated.
    """
    kind = type(value)
    if branch.whole or kind in _LEAVES:
        return measure(value, meter, depth)
    if depth > bounds.MAX_DEPTH:
        what = "the pod is nested too deeply"
        raise EvaluationError(what)
    if kind is dict:
        return _trim_map(value, branch, meter, depth)
    if kind is list:
        return _trim_list(value, branch, meter, depth)
    return trim(_plain(value), branch, meter, depth)


def _trim_map(value: dict[str, Any], branch: Branch, meter: Meter, depth: int) -> Any:
    meter.weight += bounds.NODE
    result: dict[str, Any] = {}
    if branch.shape:
        meter.map(value)
        result = dict.fromkeys(value)
    if branch.any is not None:
        meter.map(value)
        for key, item in value.items():
            result[key] = trim(item, branch.any, meter, depth + 1)
    for name, child in branch.items:
        if name in value:
            result[name] = trim(value[name], child, meter, depth + 1)
    return result


def _trim_list(value: list[Any], branch: Branch, meter: Meter, depth: int) -> Any:
    if branch.items:
        return measure(value, meter, depth)  # asked by name: `'x' in list` needs all of it
    meter.list(value)
    if branch.any is not None:
        single = branch.any.single
        records = _records(value, single, meter) if single else None
        if records is not None:
            return records
        return [trim(item, branch.any, meter, depth + 1) for item in value]
    return [measure(item if type(item) in _LEAVES else None, meter) for item in value]


def _records(value: list[Any], name: str, meter: Meter) -> list[dict[str, str]] | None:
    """What `trim` makes of maps of which one text is read, such as names of variables.

    None when they are not all like that. Most of a pod's values are of this kind, and taken
    together they cost a tenth of what they cost one by one.
    """
    try:
        texts = [item[name] for item in value]
        joined = "".join(texts)
    except (KeyError, TypeError):
        return None
    if not joined.isascii():
        return None
    meter.weight += len(joined) + bounds.NODE * len(texts)
    meter.text = max(meter.text, *map(len, texts)) if texts else meter.text
    return [{name: text} for text in texts]


def measure(value: Any, meter: Meter, depth: int = 0) -> Any:
    """Counts all of `value` and gives it back, plain. Raises EvaluationError as `trim` does."""
    kind = type(value)
    if kind is str:
        meter.string(value)
    elif kind in _LEAVES:
        meter.weight += bounds.NODE
    elif depth > bounds.MAX_DEPTH:
        what = "the pod is nested too deeply"
        raise EvaluationError(what)
    elif kind is dict:
        meter.map(value)
        for item in value.values():
            measure(item, meter, depth + 1)
    elif kind is list:
        meter.list(value)
        for item in value:
            measure(item, meter, depth + 1)
    else:
        return measure(_plain(value), meter, depth)
    return value


def _plain(value: Any) -> Any:
    """Mappings and tuples as the runtime takes them, at every level."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if type(value) in _LEAVES:
        return value
    what = "the pod holds something that is not JSON"
    raise EvaluationError(what)
