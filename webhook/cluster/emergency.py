"""`initject emergency`: the switch in the right order, and what the API server makes of it."""

from __future__ import annotations

import asyncio
import re
from typing import Literal

from webhook.cluster import probe
from webhook.cluster.api import Api, ApiError
from webhook.cluster.probe import Seen
from webhook.cluster.switch import Say, State, Switch
from webhook.errors import ClusterError

What = Literal["off", "on", "status"]

SETTLE = 2.0  # seconds for API servers that we do not see; one takes less than that, so a guess
UNSEEN = 5.0  # seconds where none can be seen; a guess

_FORBIDDEN, _UNAUTHORIZED = 403, 401
_MISSING = re.compile(r'cannot (\w+) resource "([\w/]+)" in API group "([\w.]*)"')


def run(
    what: What, *, kubeconfig: str | None, context: str | None, name: str, say: Say, warn: Say
) -> int:
    """Does it, says what was done and how things stand, and returns the exit status.

    `name` is that of our MutatingWebhookConfiguration and of our ValidatingAdmissionPolicy. The
    status is 1 when everything was done and pods are refused all the same. Raises UsageError (no
    cluster, no such configuration), ClusterError.
    """
    return asyncio.run(_run(what, Api(kubeconfig, context), name, say, warn))


async def _run(what: What, api: Api, name: str, say: Say, warn: Say) -> int:
    await api.open()
    try:
        return await _VERBS[what](api, name, say, warn)
    except ApiError as error:
        raise ClusterError(_explained(error)) from error
    finally:
        await api.close()


async def _off(api: Api, name: str, say: Say, warn: Say) -> int:
    switch = Switch(api, name, say)
    await switch.off()
    state = await switch.state()
    say(_word(name, state))
    seen, where = await probe.until(api, name, state.webhooks, {Seen.FREE})
    if seen is Seen.FREE:
        say(f"seen: a pod is admitted without us ({where}, dry run)")
        return 0
    if seen is Seen.NOTHING:
        say(f"not looked at a pod: {where}; API servers act on it within seconds")
        return 0
    warn(f"a pod is still {seen.value}: {where}")
    return 1


async def _on(api: Api, name: str, say: Say, warn: Say) -> int:
    switch = Switch(api, name, say)
    await switch.webhooks_on()
    state = await switch.state()
    seen, where = await probe.until(api, name, state.webhooks, {Seen.ANSWERED, Seen.UNANSWERED})
    if state.remembered:  # a pod that is not sent to us yet would be refused by the binding
        await asyncio.sleep(UNSEEN if seen is Seen.NOTHING else SETTLE)
    await switch.bindings_on()
    say(_word(name, await switch.state()))
    return _seen_on(seen, where, say, warn)


def _seen_on(seen: Seen, where: str, say: Say, warn: Say) -> int:
    if seen is Seen.ANSWERED:
        say(f"seen: a pod is answered by us ({where}, dry run)")
        return 0
    if seen is Seen.NOTHING:
        say(f"not looked at a pod: {where}")
        return 0
    warn(f"a pod is {seen.value}: {where}; `initject emergency off` lets pods pass again")
    return 1


async def _status(api: Api, name: str, say: Say, warn: Say) -> int:
    state = await Switch(api, name, say).state()
    for hook, asked in state.webhooks.items():
        say(f"webhook {hook}: {'on' if asked else 'off'}")
    for binding in state.bindings:
        say(f"binding {binding}: in force")
    for binding in state.remembered:
        say(f"binding {binding}: taken away, `on` brings it back")
    say(_word(name, state))
    return 0


_VERBS = {"off": _off, "on": _on, "status": _status}


def _word(name: str, state: State) -> str:
    if state.off:
        return f"{name} is off: no pod is sent to it, and none needs its answer"
    if state.on:
        return f"{name} is on"
    return f"{name} is partly off: run `off` or `on` again"


def _explained(error: ApiError) -> str:
    """What the API server said, and what to do about it."""
    again = "run it again, it goes on where it stopped"
    missing = _MISSING.search(str(error))
    if error.code == _FORBIDDEN and missing:
        verb, resource, group = missing.groups()
        rule = f'{{apiGroups: ["{group}"], resources: [{resource}], verbs: [{verb}]}}'
        return f"{error}; grant it in a ClusterRole, with the rule {rule}; then {again}"
    if error.code == _UNAUTHORIZED:
        return f"{error}; log in to the cluster, or name another --context; then {again}"
    return f"the API server: {error}; {again}"
