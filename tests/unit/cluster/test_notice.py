"""Events about policies, as the API server takes them, and how many there may be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cluster import notice
from webhook.cluster.notice import Allowance
from webhook.cluster.verdict import Id, Ready, Stored

STORED = Stored("u", 3, "71", {})
OUT = Ready("False", "Invalid", "spec.order: is wrong")


def test_an_event_is_where_its_object_is() -> None:
    """That of an object without a namespace is in `default`."""
    for namespace, place in (("shop", "shop"), ("", "default")):
        key = Id("InitPolicy", namespace, "one")
        event = notice.event(key, STORED, OUT, "a", 0.0)

        assert (place, f"/apis/events.k8s.io/v1/namespaces/{place}/events") == (
            event["metadata"]["namespace"],
            notice.path(key),
        )
        assert namespace == event["regarding"].get("namespace", "")


def test_the_same_news_has_the_same_name() -> None:
    """Whoever tells it, and whenever: it is counted and not repeated. Other news has another."""
    key = Id("InitPolicy", "shop", "one")

    def name(ready: Ready, uid: str = "u", at: float = 0.0) -> str:
        event = notice.event(key, Stored(uid, 3, "1", {}), ready, f"replica-{at}", at)
        return str(event["metadata"]["name"])

    assert name(OUT) == name(OUT, at=5.0)
    assert 3 == len({name(OUT), name(OUT, uid="v"), name(Ready("False", "Invalid", "other"))})


@settings(deadline=None)  # the machine may be busy
@given(
    st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", fullmatch=True), st.text(max_size=3000)
)
def test_an_event_keeps_the_bounds_of_the_api_server(name: str, message: str) -> None:
    """However long the name of the policy, and in whatever letters its problem."""
    key = Id("ClusterInitPolicy", "", name)
    event = notice.event(key, STORED, Ready("False", "Invalid", message), "r" * 200, 0.0)

    assert len(event["metadata"]["name"]) <= 253
    assert len(event["note"].encode()) <= 1024
    assert len(event["reportingInstance"]) <= 128


def test_events_are_allowed_in_a_burst_and_then_slowly() -> None:
    """What was not used does not add up for ever."""
    now = [0.0]
    allowed = Allowance(3, 0.5, lambda: now[0])

    assert [True, True, True, False] == [allowed.take() for _ in range(4)]
    now[0] += 2
    assert [True, False] == [allowed.take() for _ in range(2)]
    now[0] += 3600
    assert [True, True, True, False] == [allowed.take() for _ in range(4)]
