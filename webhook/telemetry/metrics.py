"""The numbers of this process: counted as plain integers, made into metrics when they are read.

prometheus-client's own counters take a lock and a dictionary of labels for each step, which would
be a tenth of a review; all counting here happens on the one event loop, so plain ones are enough.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from webhook.telemetry import instruments as table
from webhook.telemetry.instruments import INSTRUMENTS, MUTATE, WEBHOOKS, Instrument

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily, Metric

_Labels = tuple[str, ...]


class _Histogram:
    """Counts per bucket (the last one is without bound) and the sum of all values."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        running, buckets = 0, []
        for bound, count in zip((*self.bounds, float("inf")), self.counts.copy(), strict=True):
            running += count
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(running)))
        return buckets


class _Requests:
    """The requests to one webhook."""

    __slots__ = ("codes", "in_flight", "latency")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {200: 0, 500: 0}  # as controller-runtime begins
        self.in_flight = 0
        self.latency = _Histogram(table.LATENCY.buckets)


class Metrics:
    """One set of metrics, with a registry of its own. Methods are named for what happened.

    Count on one thread only; `render` may run on another.
    """

    def __init__(self, version: str) -> None:
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

        self._requests = {path: _Requests() for path in WEBHOOKS}
        self._bytes = _Histogram(table.REVIEW_BYTES.buckets)
        self._counts: dict[Instrument, dict[_Labels, float]] = {
            instrument: {} for instrument in INSTRUMENTS if instrument.kind != "histogram"
        }
        self._outcomes = dict.fromkeys(table.OUTCOMES, 0)
        self._injections: dict[str, int] = {}
        self._skips: dict[_Labels, float] = self._counts[table.SKIPS]
        self._counts[table.CERTIFICATE_READS][()] = 0
        self._counts[table.CERTIFICATE_ERRORS][()] = 0
        self._counts[table.ERRORS] |= {(reason,): 0 for reason in table.ERROR_REASONS}
        self._counts[table.POLICY_REVIEWS] |= {(verdict,): 0 for verdict in table.VERDICTS}
        self._counts[table.READY][()] = 0
        self._counts[table.BUILD][(version, platform.python_version())] = 1
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    # one review

    def begin(self, webhook: str = MUTATE) -> None:
        """A request has come in to one of `WEBHOOKS`; `end` ends it."""
        self._requests[webhook].in_flight += 1

    def end(self, code: int, seconds: float, webhook: str = MUTATE) -> None:
        """A request that had begun was answered with HTTP status `code`, after `seconds`."""
        self._requests[webhook].in_flight -= 1
        self.answered(code, seconds, webhook)

    def answered(self, code: int, seconds: float, webhook: str = MUTATE) -> None:
        """A request was answered at once, so that nobody could have seen it begin."""
        requests = self._requests[webhook]
        requests.codes[code] = requests.codes.get(code, 0) + 1
        requests.latency.observe(seconds)

    def received(self, size: int) -> None:
        """A request's body is complete: so many bytes."""
        self._bytes.observe(size)

    def concluded(self, outcome: str) -> None:
        """A review was decided: patched, unchanged or denied."""
        self._outcomes[outcome] += 1

    def refused(self, field: str) -> None:
        """A request was no review that can be answered (`field`, unbounded, is for the log)."""
        self._outcomes["refused"] += 1
        self._count(table.ERRORS, "bad_review")

    def bug(self) -> None:
        """A review met a bug of ours."""
        self._outcomes["failed"] += 1
        self._count(table.ERRORS, "bug")

    def faulty(self) -> None:
        """A review asked about the creation of a pod and held none: allowed, and an error."""
        self._count(table.ERRORS, "no_pod")

    def injected(self, policy: str) -> None:
        """A policy's steps are in the pod."""
        counts = self._injections
        counts[policy] = counts.get(policy, 0) + 1

    def skipped(self, policy: str, reason: str) -> None:
        """A policy was left out; an empty `policy` says that the whole pod was left alone."""
        counts, key = self._skips, (policy, reason)
        counts[key] = counts.get(key, 0) + 1

    def denied(self, policy: str, reason: str) -> None:
        """A policy refused a pod."""
        self._count(table.DENIALS, policy, reason)

    def audited(self, policy: str) -> None:
        """A policy in mode Audit would have changed a pod."""
        self._count(table.AUDITS, policy)

    def noted(self, policy: str, reason: str) -> None:
        """A policy applied, and something about it is worth knowing."""
        self._count(table.NOTES, policy, reason)

    def judged(self, verdict: str) -> None:
        """A policy was created or changed: accepted, refused or unchecked."""
        self._count(table.POLICY_REVIEWS, verdict)

    # the state of the process

    def policies_in_force(self, keys: Collection[str]) -> None:
        """These policies (`name`, `namespace/name`) replace those before; others' series end."""
        present = {*keys, ""}
        namespaced = sum("/" in key for key in keys)
        self._set(table.POLICIES, namespaced, "InitPolicy")
        self._set(table.POLICIES, len(keys) - namespaced, "ClusterInitPolicy")
        for gone in self._injections.keys() - present:
            del self._injections[gone]
        for instrument in INSTRUMENTS:
            if instrument.labels[:1] == ("policy",):
                counts = self._counts[instrument]
                for labels in [labels for labels in counts if labels[0] not in present]:
                    del counts[labels]

    def namespaces_known(self, count: int) -> None:
        """The labels of that many namespaces are known."""
        self._set(table.NAMESPACES, count)

    def source_read(self, source: str, now: float, *, errors: int, warnings: int) -> None:
        """A source had changed and was read; with errors it did not come into force."""
        self._count(table.SOURCE_READS, source, "failure" if errors else "success")
        self._set(table.SOURCE_PROBLEMS, errors, source, "error")
        self._set(table.SOURCE_PROBLEMS, warnings, source, "warning")
        if not errors:
            self._set(table.SOURCE_SUCCESS, now, source)

    def policies_out_of_force(self, kind: str, count: int) -> None:
        """That many policies of a kind are there and not in force."""
        self._set(table.POLICIES_OUT, count, kind)

    def source_heard(self, source: str, now: float) -> None:
        """A collection of the API server is known as of now."""
        self._set(table.SOURCE_HEARD, now, source)
        self._counts[table.SOURCE_ERRORS].setdefault((source,), 0)

    def source_failed(self, source: str) -> None:
        """A collection of the API server could not be read or watched."""
        self._count(table.SOURCE_ERRORS, source)

    def leading(self, *, yes: bool) -> None:
        """Whether this replica leads from now on."""
        self._set(table.LEADER, int(yes))
        for results, instrument in (
            (table.STATUS_RESULTS, table.STATUS_WRITES),
            (table.EVENT_RESULTS, table.EVENTS),
        ):
            for result in results:
                self._counts[instrument].setdefault((result,), 0)

    def replicas_heard(self, count: int) -> None:
        """So many replicas are alive."""
        self._set(table.REPLICAS, count)

    def status_written(self, result: str) -> None:
        """A status was written: success, conflict or failure."""
        self._count(table.STATUS_WRITES, result)

    def statuses_waiting(self, count: int) -> None:
        """So many statuses are not yet what they should be."""
        self._set(table.STATUSES_WAITING, count)

    def event_written(self, result: str) -> None:
        """An Event was written: success, failure, or left out."""
        self._count(table.EVENTS, result)

    def certificate_read(self, expiry: float | None) -> None:
        """The certificate had changed: the new one is in force until `expiry`, or None: it could
        not be used."""
        self._count(table.CERTIFICATE_READS)
        if expiry is None:
            self._count(table.CERTIFICATE_ERRORS)
        else:
            self._set(table.CERTIFICATE_EXPIRY, expiry)

    def authorities(self, expiries: Mapping[str, float]) -> None:
        """These CAs of our own are trusted, until then; others' series end."""
        self._counts[table.CA_EXPIRY] = {(name,): expiry for name, expiry in expiries.items()}

    def keys_changed(self, step: str) -> None:
        """This replica has changed the keys in the Secret."""
        self._count(table.KEYS_CHANGED, step)

    def ca_bundle_repaired(self, configuration: str, was: str) -> None:
        """This replica has set the caBundle of one webhook."""
        self._count(table.CA_BUNDLE_REPAIRS, configuration, was)

    def ready(self, *, yes: bool) -> None:
        """What /readyz says from now on."""
        self._set(table.READY, int(yes))

    # reading

    def render(self) -> tuple[bytes, str]:
        """All metrics in Prometheus' text format, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks a collector for."""
        counts = self._counts | {
            table.REQUESTS: {
                (path, str(code)): count
                for path, requests in self._requests.items()
                for code, count in requests.codes.copy().items()
            },
            table.IN_FLIGHT: {(path,): one.in_flight for path, one in self._requests.items()},
            table.REVIEWS: {(k,): v for k, v in self._outcomes.items()},
            table.INJECTIONS: {(k,): v for k, v in self._injections.copy().items()},
        }
        for instrument, values in counts.items():
            yield _family(instrument, values.copy())
        latencies: dict[_Labels, _Histogram] = {
            (path,): one.latency for path, one in self._requests.items()
        }
        yield _histograms(table.LATENCY, latencies)
        yield _histograms(table.REVIEW_BYTES, {(): self._bytes})

    def _count(self, instrument: Instrument, *labels: str) -> None:
        counts = self._counts[instrument]
        counts[labels] = counts.get(labels, 0) + 1

    def _set(self, instrument: Instrument, value: float, *labels: str) -> None:
        self._counts[instrument][labels] = value


def _family(instrument: Instrument, values: dict[_Labels, float]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if instrument.kind == "counter" else GaugeMetricFamily
    family = kind(instrument.name, instrument.help, labels=list(instrument.labels))
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    return family


def _histograms(
    instrument: Instrument, values: Mapping[_Labels, _Histogram]
) -> HistogramMetricFamily:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(instrument.name, instrument.help, labels=list(instrument.labels))
    for labels, value in values.items():
        family.add_metric(list(labels), value.buckets(), value.sum)
    return family
