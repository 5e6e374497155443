"""What expressions cost, beside what they are charged: the figures of `webhook.expression.prices`.

`python -m bench.expressions`. Each line is the worst input that is still usual, or one that a
hostile author could send: microseconds spent, units charged (one is a microsecond at most), and
how many times the charge exceeds what was spent. A line below 1 means a price that is too low.
"""

from __future__ import annotations

import time
from typing import Any

from webhook.errors import EvaluationError
from webhook.expression import environment
from webhook.expression.activation import Scope
from webhook.expression.environment import Kind

Json = dict[str, Any]

USUAL: Json = {
    "metadata": {"name": "a" * 1000, "annotations": {f"a{i}": "a" * 50 for i in range(60)}},
    "spec": {"containers": [{"name": "a" * 30, "image": "ab" * 30, "args": ["a"] * 9}] * 60},
}
LONG: Json = {
    "metadata": {"name": "ab" * 100_000, "annotations": {"a": "a" * 50_000}},
    "spec": {"containers": [{"name": "a" * 30_000, "image": "a" * 29_000 + "b", "args": []}] * 2},
}
WIDE: Json = {
    "metadata": {"name": "a", "annotations": {f"a{i}": "b" for i in range(900)}},
    "spec": {"containers": [{"name": "a", "image": "b", "args": ["a"] * 10}] * 900},
}

EXPRESSIONS = (
    "object.spec.containers.all(c, true)",
    "object.spec.containers.all(c, c.name != 'x' && c.image != 'y' && c.name != c.image)",
    "object.spec.containers.all(c, c.args.all(a, a != 'x'))",
    "object.spec.containers.all(c, object.spec.containers.all(d, c.name == d.name))",
    "size(object.spec.containers.map(c, c.name))",
    "size(object.spec.containers.filter(c, c.name != ''))",
    "object.spec.containers.map(c, c.image).join(',')",
    "object.spec.containers.map(c, c.name).distinct().sort()[0]",
    "object.spec.containers == object.spec.containers",
    "object.spec.containers.all(c, c.image.contains('ac'))",
    "object.metadata.name.contains(object.metadata.annotations.?a.orValue('') + 'b')",
    "object.spec.containers[0].name.contains(object.spec.containers[0].image)",
    "object.spec.containers.all(c, c.image.matches('^[a-z]+$'))",
    "object.metadata.name.matches('(a|b)*a(a|b){10}c')",
    "size(object.metadata.name.split(''))",
    "object.metadata.name.replace('a', 'aaaaaaaa')",
    "strings.quote(object.metadata.name).upperAscii()",
    "'%s'.format([object.spec.containers])",
    "size(object.spec.containers[0].name.findAll('.'))",
    "object.metadata.annotations.map(k, k).sort()[0]",
)


def spent(expression: environment.Expression, pod: Json) -> tuple[float, int]:
    """Microseconds of the best of five evaluations, and the charge; (0, 0) when it is refused."""
    times = []
    charged = 0
    scope = Scope(object=pod, request={}, namespace=None, reads=expression.reads)
    for _ in range(6):
        before = scope.spent
        begin = time.process_time()
        try:
            expression.value(scope, None)
        except EvaluationError:
            return 0, 0
        times.append(time.process_time() - begin)
        charged = scope.spent - before
    return min(times[1:]) * 1e6, charged or expression.cost


def main() -> None:
    """Prints the table."""
    print(f"{'spent':>8} {'charged':>8} {'times':>6}  input  expression")
    for text in EXPRESSIONS:
        expression = environment.compile(f"dyn({text})", Kind.TEXT, parameters={})
        for name, pod in (("usual", USUAL), ("long", LONG), ("wide", WIDE)):
            used, charged = spent(expression, pod)
            if used:
                print(f"{used:8.0f} {charged:8d} {charged / used:6.1f}  {name:6} {text}")
            else:
                print(f"{'refused':>24}  {name:6} {text}")


if __name__ == "__main__":
    main()
