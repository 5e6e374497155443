"""The functions of Kubernetes' own CEL environment that the runtime lacks.

Same names and results as k8s.io/apiserver/pkg/cel/library and cel-go's `lists` and `sets`, by their
documentation. Left out: `sortBy`, `lists.range`, the authorizer, `format.<name>()`; `sort`, `sum`,
`min` and `max` of durations and timestamps, which the runtime takes from nobody.
Belongs here: pure functions of plain values, and the rows that declare them. Does not: the runtime.
In doubt: would it still make sense if it were called from a test alone? Then it is here.
"""
