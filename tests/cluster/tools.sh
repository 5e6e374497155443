#!/usr/bin/env bash
# Fetch what the tests of the chart need, once: helm, promtool, and definitions of other projects'
# objects that the chart makes.
#
#     tools.sh FOLDER
#
# 65 MB in ten seconds. What is already in FOLDER is not fetched again. Needs Python 3.11, Go 1.26 and apt-get.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

helm() { # a wheel, in it an archive, in it another
    python3 -m venv "$work/python"
    "$work/python/bin/pip" download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --dest "$work" --requirement "$here/helm.lock"
    python3 -m zipfile --extract "$work"/*.whl "$work/wheel"
    tar --extract --gzip --file "$work"/wheel/aws_cdk/*/_jsii/*.jsii.tgz --directory "$work"
    python3 -m zipfile --extract "$work/package/lib/layer.zip" "$work/layer"
    install "$work/layer/helm/helm" "$out/helm.part"
    mv "$out/helm.part" "$out/helm" # never half a program under its name
}

promtool() { # out of Debian's package, without the server and what it depends on
    (cd "$work" && { apt-get download --quiet=2 prometheus || {
        apt-get update --quiet=2
        apt-get download --quiet=2 prometheus
    }; })
    dpkg-deb --extract "$work"/prometheus_*.deb "$work/prometheus"
    install "$work/prometheus/usr/bin/promtool" "$out/promtool.part"
    mv "$out/promtool.part" "$out/promtool"
}

definitions() { # read, never copied into this repository: Apache-2.0, of their authors
    local folder
    mkdir "$work/definitions" "$work/found"
    cp "$here"/go/definitions/* "$work/definitions"
    go_folder() {
        (cd "$work/definitions" && go mod download && go list -m -f '{{.Dir}}' "$1")
    }
    folder=$(go_folder github.com/prometheus-operator/prometheus-operator)/jsonnet/prometheus-operator
    cp "$folder/servicemonitors-crd.json" "$folder/prometheusrules-crd.json" "$work/found"
    folder=$(go_folder github.com/cert-manager/cert-manager)/deploy/crds
    cp "$folder/cert-manager.io_certificates.yaml" "$folder/cert-manager.io_issuers.yaml" "$work/found"
    mv "$work/found" "$out/definitions"
}

for what in helm promtool definitions; do
    [ -e "$out/$what" ] && continue
    echo "fetching $what …" >&2
    "$what"
done
