"""How large a step is."""

from __future__ import annotations

from webhook.inject import resources


def test_an_amount_out_of_all_proportion_is_copied_as_it_is() -> None:
    """The API server takes amounts that nobody calculates with; they cost no pod its decision."""
    size = resources.model([{"resources": {"limits": {"memory": "1e200", "cpu": "0.5"}}}])

    assert {"limits": {"memory": "1e200", "cpu": "500m"}} == resources.as_resources(size)


def test_an_amount_of_a_thousand_digits_is_none() -> None:
    """It measures nothing, and what is calculated from amounts is remembered."""
    section = {"memory": "1" * 1000, "cpu": "1"}

    assert (("requests", (("cpu", "1"),)),) == resources.model(
        [{"resources": {"requests": section}}]
    )


def test_many_containers_are_sized_as_few_are() -> None:
    """Containers that declare more than is remembered have the model that a few would have."""
    small = {"name": "a", "resources": {"requests": {"memory": "64Mi"}}}
    large = {"name": "b", "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}}}

    expected = (("limits", (("memory", "1Gi"),)), ("requests", (("cpu", "1"),)))
    assert expected == resources.model([small, large])
    assert expected == resources.model([*[small] * 500, large])
