"""Kubernetes' own functions, as its documentation describes them."""

from __future__ import annotations

import pytest

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import environment, functions, prices
from webhook.expression.activation import Scope
from webhook.expression.environment import Kind


def holds(text: str) -> bool:
    expression = environment.compile(text, Kind.BOOL, parameters={})
    pod = {"two": 2, "list": [3, 1, 2], "texts": ["b", "a"], "memory": "1Gi", "maps": [{"a": 1}]}
    scope = Scope(object=pod, request={}, namespace=None, reads=expression.reads)
    return expression.boolean(scope, None)


@pytest.mark.parametrize(
    "text",
    [
        # lists
        "[3, 1, 2].sort() == [1, 2, 3]",
        "object.list.sort() == [1, 2, 3]",
        "object.texts.sort() == ['a', 'b']",
        "[2.5, 1].sort() == [1, 2.5]",
        "[].sort() == []",
        "[1, 2].reverse() == [2, 1]",
        "'ab'.reverse() == 'ba'",
        "[1, 2, 1, 1.0].distinct() == [1, 2]",
        "[true, 1, {'a': [1]}, {'a': [1]}].distinct().size() == 3",
        "[[1], [2, [3]]].flatten() == [1, 2, [3]]",
        "[[1], [2, [3]]].flatten(2) == [1, 2, 3]",
        "[1, 2, 3].slice(1, 3) == [2, 3]",
        "[1, 2, 2].isSorted()",
        "!['b', 'a'].isSorted()",
        "[].isSorted()",
        "[1, 2].sum() == 3",
        "[1.5, 2.5].sum() == 4.0",
        "[].sum() == 0",
        "[2, 1].min() == 1",
        "[2, 1].max() == 2",
        "['b', 'a'].min() == 'a'",
        "[1, 2, 2].indexOf(2) == 1",
        "[1, 2, 2].lastIndexOf(2) == 2",
        "[1].indexOf(5) == -1",
        "object.maps.indexOf({'a': 1}) == 0",
        "object.texts.indexOf('a') == 1",
        "'banana'.indexOf('a') == 1",
        "'banana'.lastIndexOf('a') == 5",
        # sets
        "sets.contains([1, 2], [2])",
        "!sets.contains([1], [2])",
        "sets.contains([1], [])",
        "sets.equivalent([1, 1, 2], [2, 1])",
        "sets.intersects([1, 2], [2, 3])",
        "!sets.intersects([1], [])",
        # regular expressions
        "'abc 123'.find('[0-9]+') == '123'",
        "'abc'.find('[0-9]+') == ''",
        "'12 34 56'.findAll('[0-9]+') == ['12', '34', '56']",
        "'12 34 56'.findAll('[0-9]+', 2) == ['12', '34']",
        "'é1'.findAll('.') == ['é', '1']",
        "'12'.findAll('[0-9]', 0) == []",
        # quantities
        "quantity('1Gi') == quantity('1024Mi')",
        "quantity(object.memory).isGreaterThan(quantity('500Mi'))",
        "quantity('50k').add(quantity('20k')) == quantity('70k')",
        "quantity('50k').add(20).asInteger() == 50020",
        "quantity('50k').sub(quantity('20k')) == quantity('30k')",
        "quantity('50k').sub(20000) == quantity('30k')",
        "quantity('1').compareTo(quantity('2')) == -1",
        "quantity('-1').sign() == -1",
        "quantity('0').sign() == 0",
        "quantity('100m').isLessThan(quantity('1'))",
        "!quantity('100m').isInteger()",
        "quantity('1e3').asInteger() == 1000",
        "quantity('500m').asApproximateFloat() == 0.5",
        "quantity('1.5Gi') == quantity('1536Mi')",
        "isQuantity('1.5E2')",
        "isQuantity('1Ei')",
        "isQuantity('.5')",
        "isQuantity('5.')",
        "isQuantity('+1n')",
        "isQuantity('1u')",
        "!isQuantity('1.2.3')",
        "!isQuantity('')",
        "!isQuantity('Gi')",
        "!isQuantity('1 Gi')",
        "!isQuantity('1K')",
        "!isQuantity('--1')",
        "!isQuantity('٣')",
        "quantity(2) == quantity('2')",
        "quantity('0.1n') == quantity('1n')",
        "quantity('1') != quantity('2')",
        # URLs
        "isURL('https://example.com/a')",
        "isURL('/absolute/path')",
        "!isURL('example.com')",
        "!isURL('../relative')",
        "!isURL('http://[::1')",
        "url('https://user@example.com:80/a b?k=v&k=w').getHost() == 'example.com:80'".replace(
            "a b", "a%20b"
        ),
        "url('https://example.com:80/').getScheme() == 'https'",
        "url('https://example.com:80/').getHostname() == 'example.com'",
        "url('https://[::1]:80/').getHostname() == '::1'",
        "url('https://example.com:80/').getPort() == '80'",
        "url('https://example.com/').getPort() == ''",
        "url('https://example.com/path%20with').getEscapedPath() == '/path%20with'",
        "url('https://example.com/?k=a&k=b&q=').getQuery() == {'k': ['a', 'b'], 'q': ['']}",
        # addresses
        "isIP('192.0.2.1')",
        "isIP('2001:db8::1')",
        "!isIP('192.0.2.300')",
        "!isIP('::ffff:1.2.3.4')",
        "!isIP('fe80::1%eth0')",
        "ip('192.0.2.1').family() == 4",
        "ip('2001:db8::1').family() == 6",
        "string(ip('2001:DB8::0:1')) == '2001:db8::1'",
        "ip.isCanonical('2001:db8::1')",
        "!ip.isCanonical('2001:DB8::1')",
        "ip('127.0.0.1').isLoopback()",
        "ip('0.0.0.0').isUnspecified()",
        "ip('169.254.0.1').isLinkLocalUnicast()",
        "ip('224.0.0.1').isLinkLocalMulticast()",
        "!ip('224.0.1.1').isLinkLocalMulticast()",
        "ip('ff02::1').isLinkLocalMulticast()",
        "ip('10.0.0.1').isGlobalUnicast()",
        "!ip('255.255.255.255').isGlobalUnicast()",
        "ip('10.0.0.1') == ip('10.0.0.1')",
        "isCIDR('10.0.0.0/8')",
        "!isCIDR('10.0.0.0/33')",
        "!isCIDR('10.0.0.0')",
        "!isCIDR('10.0.0.0/255.0.0.0')",
        "!isCIDR('10.0.0.0/08')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3')",
        "cidr('10.0.0.0/8').containsIP(ip('10.1.2.3'))",
        "!cidr('10.0.0.0/8').containsIP('11.0.0.0')",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "!cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "!cidr('10.0.0.0/8').containsCIDR('::/0')",
        "cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
        "cidr('10.0.0.0/8').prefixLength() == 8",
        "string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
        # versions
        "isSemver('1.2.3-rc.1+build.5')",
        "!isSemver('1.2')",
        "!isSemver('v1.2.3')",
        "!isSemver('01.2.3')",
        "isSemver('v1.2', true)",
        "isSemver('01.2', true)",
        "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2",
        "semver('1.2.3').patch() == 3",
        "semver('1.2.3').isLessThan(semver('1.10.0'))",
        "semver('1.2.3-rc.1').isLessThan(semver('1.2.3'))",
        "semver('1.2.3-rc.2').isLessThan(semver('1.2.3-rc.10'))",
        "semver('1.0.0-alpha').isLessThan(semver('1.0.0-alpha.1'))",
        "semver('1.0.0-1').isLessThan(semver('1.0.0-alpha'))",
        "semver('1.2.3').compareTo(semver('1.2.3')) == 0",
        "semver('2.0.0').isGreaterThan(semver('1.9.9'))",
    ],
)
def test_the_functions_of_kubernetes_are_there(text: str) -> None:
    """Every function of the table, at least once, with the results that Kubernetes documents."""
    assert holds(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "[1, 'a'].map(x, dyn(x)).sort() == []",
            "the elements of the list cannot be compared with each other",
        ),
        ("[].min() == 0", "the list is empty"),
        ("object.texts.sum() == 0", "the elements of the list cannot be added"),
        ("[duration('1s')].sum() == 0", "the elements of the list cannot be added"),
        ("[1].slice(0, 2) == []", "the slice is outside of the list"),
        ("quantity('x').sign() == 0", "a text is no quantity"),
        ("quantity('0.5').asInteger() == 0", "the quantity is no whole number"),
        ("url('x y').getHost() == ''", "a text is no absolute URL or path"),
        ("ip('x').family() == 4", "a text is no IP address"),
        ("cidr('x').prefixLength() == 4", "a text is no CIDR"),
        ("semver('x').major() == 4", "a text is no semantic version"),
    ],
)
def test_a_refused_argument_is_a_failure_without_its_value(text: str, what: str) -> None:
    """The reason is said, the value is not."""
    with pytest.raises(EvaluationError, match=f"^{what}$"):
        holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "quantity('1') > quantity('2')",
        "quantity('1').quantity == '1'",
        "quantity('1').compareTo(semver('1.0.0')) == 0",
        "ip('10.0.0.1').containsIP('10.0.0.1')",
        "'1'.isGreaterThan('2')",
    ],
)
def test_values_of_these_types_are_not_mixed_up(text: str) -> None:
    """At run time they are maps; nobody gets to see it."""
    with pytest.raises(ExpressionError):
        holds(text)


def test_every_function_has_a_price() -> None:
    """One without a price would be refused as unavailable."""
    assert set() == {f.name for f in functions.FUNCTIONS} - set(prices.RULES)
