{{- define "initject.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Of everything, cluster-wide objects too; the names of leases and Secrets begin with it. */}}
{{- define "initject.fullname" -}}
{{- $name := include "initject.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "initject.selectorLabels" -}}
app.kubernetes.io/name: {{ include "initject.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "initject.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "initject.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: webhook
app.kubernetes.io/part-of: initject
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "initject.namespaced" -}}
name: {{ include "initject.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "initject.labels" . | nindent 2 }}
{{- end }}

{{/* The same of an object of the cluster. */}}
{{- define "initject.metadata" -}}
name: {{ include "initject.fullname" . }}
labels:
  {{- include "initject.labels" . | nindent 2 }}
{{- end }}

{{- define "initject.serviceAccount" -}}
{{- default (ternary (include "initject.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "initject.image" -}}
{{- $image := .Values.image }}
{{- $name := ternary (printf "%s/%s" $image.registry $image.repository) $image.repository (ne $image.registry "") }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{/* The Secret with the certificate. */}}
{{- define "initject.secret" -}}
{{- if eq .Values.certificates.source "own" }}
{{- printf "%s-certificates" (include "initject.fullname" .) }}
{{- else if eq .Values.certificates.source "cert-manager" }}
{{- printf "%s-tls" (include "initject.fullname" .) }}
{{- else }}
{{- required "certificates.secret.name: name the Secret with tls.crt and tls.key" .Values.certificates.secret.name }}
{{- end }}
{{- end }}

{{- define "initject.policiesConfigMap" -}}
{{- if .Values.files.configMap }}
{{- .Values.files.configMap }}
{{- else if or .Values.files.policies .Values.waitForAnnotation.enabled }}
{{- printf "%s-policies" (include "initject.fullname" .) }}
{{- else }}
{{- fail "files: with source: files, write policies into files.policies, or name a ConfigMap in files.configMap" }}
{{- end }}
{{- end }}

{{/* The policy of the annotation, for the hosts that are allowed. */}}
{{- define "initject.waitForAnnotation" -}}
{{- $policy := .Files.Get "files/wait-for-annotation.yaml" | fromYaml }}
{{- $targets := index $policy.spec.parameters 0 }}
{{- $any := "[a-z0-9.-]*" }}
{{- $hosts := list }}
{{- range .Values.waitForAnnotation.hosts }}
{{- $hosts = append $hosts (regexQuoteMeta . | replace "\\*" $any) }}
{{- end }}
{{- $_ := set $targets "pattern" ($targets.pattern | replace (printf "(%s)" $any) (printf "(%s)" (join "|" $hosts))) }}
{{- toYaml $policy }}
{{- end }}

{{/* Whether it speaks with the API server: "true" or nothing. */}}
{{- define "initject.speaks" -}}
{{- if or (eq .Values.source "cluster") (eq .Values.certificates.source "own") }}true{{ end }}
{{- end }}

{{/* Where our webhooks are; what signs their certificate, where we are told. */}}
{{- define "initject.clientConfig" -}}
{{- $root := index . 0 -}}
service:
  name: {{ include "initject.fullname" $root }}
  namespace: {{ $root.Release.Namespace }}
  path: {{ index . 1 }}
  port: 443
{{- with $root.Values.certificates }}
{{- if and (eq .source "secret") .secret.caBundle }}
caBundle: {{ ternary (b64enc .secret.caBundle) .secret.caBundle (contains "-----BEGIN" .secret.caBundle) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Annotations of a webhook configuration. */}}
{{- define "initject.configurationAnnotations" -}}
{{- $found := deepCopy .Values.webhook.annotations }}
{{- if eq .Values.certificates.source "cert-manager" }}
{{- $_ := set $found "cert-manager.io/inject-ca-from" (printf "%s/%s" .Release.Namespace (include "initject.secret" .)) }}
{{- end }}
{{- with $found -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A value of a setting as its flag takes it: no 1e+06. */}}
{{- define "initject.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Namespaces that no webhook of ours may ever see: what a cluster starts with, and our own. */}}
{{- define "initject.neverNamespaces" -}}
{{- list .Release.Namespace "kube-system" "kube-public" "kube-node-lease" | uniq | toJson }}
{{- end }}
