"""The switch for an emergency: nothing of ours is asked about a pod, until it is set back.

Off: the bindings of our ValidatingAdmissionPolicy are taken away, then each of our webhooks gets a
condition that is never true. On: the webhooks first, then the bindings. What was taken away is
remembered beside the webhooks, so whoever stops half way, or sits elsewhere, can go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from webhook.cluster import registered
from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.errors import ClusterError, UsageError

GROUP = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATIONS = f"{GROUP}/mutatingwebhookconfigurations"
BINDINGS = f"{GROUP}/validatingadmissionpolicybindings"

ATTEMPTS = 20  # when somebody else writes at the same time; a guess
PAUSE = 0.02  # seconds before the second attempt, growing by as much; a guess

# Who owns which field is part of what comes back: a server-side apply by the owner (Helm 4, Flux)
# would conflict with whoever is said to have created the binding.
MANAGER = "initject-emergency"

Say = Callable[[str], None]

_BUSY = "somebody else keeps writing the same objects: run this again, it goes on where it stopped"


@dataclass(frozen=True, slots=True)
class State:
    """What stands in the API server."""

    webhooks: Mapping[str, bool]  # by name: whether it is asked
    bindings: tuple[str, ...]  # of the policy of the same name, in force
    remembered: tuple[str, ...]  # bindings that were taken away

    @property
    def off(self) -> bool:
        """Nothing of ours is in the way of a pod."""
        return not any(self.webhooks.values()) and not self.bindings

    @property
    def on(self) -> bool:
        """Everything is as it was before."""
        return all(self.webhooks.values()) and not self.remembered


class Switch:
    """The webhooks of one MutatingWebhookConfiguration and the policy of the same name.

    Each method raises ClusterError, UsageError (there is no such configuration) and ApiError.
    """

    def __init__(self, api: Api, name: str, say: Say) -> None:
        self._api = api
        self._name = name
        self._say = say
        self._path = f"{CONFIGURATIONS}/{name}"

    async def state(self) -> State:
        """How things stand, without changing anything."""
        found = await self._configuration()
        webhooks = {
            hook["name"]: not registered.is_off(hook) for hook in registered.webhooks(found)
        }
        in_force = tuple(sorted(one["metadata"]["name"] for one in await self._bindings()))
        away = sorted(set(registered.remembered(found)) - set(in_force))
        return State(webhooks, in_force, tuple(away))

    async def off(self) -> None:
        """Take the bindings away, then the webhooks; each step that is done already is left out."""
        await self._patch(registered.room)
        await self._take_away()
        await self._patch(registered.switched_off)

    async def webhooks_on(self) -> None:
        """The first half of `on`: from now on the API server asks again."""
        await self._patch(registered.switched_on)

    async def bindings_on(self) -> None:
        """The second half of `on`: bring back what was taken away, and forget it.

        A binding that somebody else has made again meanwhile stays as they made it.
        """
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(PAUSE * attempt)
            configuration = await self._configuration()
            text = registered.annotation(configuration)
            if text is None:
                return
            with suppress(ConflictError):
                for name, binding in registered.parsed(text).items():
                    await self._bring_back(name, binding)
                await self._write(configuration, [registered.FORGET])
                return
        raise ClusterError(_BUSY)

    async def _configuration(self) -> Json:
        found = await self._api.get(self._path)
        if found is None:
            message = (
                f"there is no MutatingWebhookConfiguration {self._name}; name yours by "
                "--webhook-configuration (`kubectl get mutatingwebhookconfigurations`)"
            )
            raise UsageError(message)
        return found

    async def _bindings(self) -> list[Json]:
        """The bindings of our policy, each whole: a list lacks who owns which fields."""
        try:
            listed = await self._api.all(BINDINGS)
        except ApiError as error:
            if error.code == 404:  # Kubernetes before 1.30
                return []
            raise
        ours = [one for one in listed.objects if one["spec"].get("policyName") == self._name]
        found = [await self._api.get(f"{BINDINGS}/{one['metadata']['name']}") for one in ours]
        return [one for one in found if one is not None]

    async def _take_away(self) -> None:
        for attempt in range(ATTEMPTS):
            found = await self._bindings()
            if not found:
                return
            await asyncio.sleep(PAUSE * attempt)
            kept = {one["metadata"]["name"]: registered.kept(one) for one in found}
            await self._patch(partial(registered.remembering, kept))
            for one in found:
                await self._delete(one)
        message = (
            f"the binding of ValidatingAdmissionPolicy {self._name} comes back again and again: "
            "suspend what restores it (Argo CD, Flux), then run this again"
        )
        raise ClusterError(message)

    async def _delete(self, binding: Json) -> None:
        metadata = binding["metadata"]
        name, seen = metadata["name"], ("uid", "resourceVersion")
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {key: metadata[key] for key in seen},
        }
        try:
            await self._api.write("DELETE", f"{BINDINGS}/{name}", body)
        except ConflictError:  # what was remembered is no longer what is there: look again
            return
        except ApiError as error:
            if error.code != 404:
                raise
        self._say(f"binding {name}: taken away")

    async def _bring_back(self, name: str, binding: Json) -> None:
        with suppress(ConflictError):  # it is there already
            await self._api.write("POST", f"{BINDINGS}?fieldManager={MANAGER}", binding)
            self._say(f"binding {name}: brought back")
        found = await self._api.get(f"{BINDINGS}/{name}")
        owners = binding["metadata"].get("managedFields")
        if found is not None and owners and registered.made_by(MANAGER, found):
            path = f"{BINDINGS}/{name}?fieldManager={MANAGER}"
            disown = {"op": "replace", "path": "/metadata/managedFields", "value": owners}
            await self._api.write("PATCH", path, [registered.guard(found), disown])

    async def _patch(self, change: Callable[[Json], list[Json]]) -> None:
        """Do what `change` finds to do; look again when somebody else was faster."""
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(PAUSE * attempt)
            configuration = await self._configuration()
            operations = change(configuration)
            if not operations:
                return
            with suppress(ConflictError):
                after = await self._write(configuration, operations)
                self._tell(configuration, after)
                return
        raise ClusterError(_BUSY)

    async def _write(self, configuration: Json, operations: list[Json]) -> Json:
        """Change it as it was read and not otherwise, and nothing but what has to change.

        Raises ConflictError when it is another by now.
        """
        path = f"{self._path}?fieldManager={MANAGER}"
        return await self._api.write("PATCH", path, [registered.guard(configuration), *operations])

    def _tell(self, before: Json, after: Json) -> None:
        was = {hook["name"]: registered.is_off(hook) for hook in registered.webhooks(before)}
        for hook in registered.webhooks(after):
            if was.get(hook["name"]) != registered.is_off(hook):
                self._say(f"webhook {hook['name']}: {'off' if registered.is_off(hook) else 'on'}")
