#!/usr/bin/env bash
# Build what the recipes are tested with, once: goose, golang-migrate, rclone and oras from their Go
# modules, pinned in go/*/go.mod and go.sum; git-sync is unpacked from INITJECT_TOOLS; Alembic and
# Django come from Python's registry, pinned in python/requirements.lock; Flyway, Liquibase, a MongoDB
# server and Kafka from Maven's, pinned in java/*/pom.xml; a Java runtime is cut from the JDK.
#
#     recipes.sh FOLDER
#
# What is already in FOLDER is made again only when its recipe has changed. Needs Go 1.26, xz, Maven
# and a JDK.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false" # go.sum holds every hash

program() { # program, folder of go/, package, tags: kept with the digest of its recipe
    local name=$1 digest
    digest=$(cd "$here/go/$2" && { cat -- *; echo "${@:3}"; } | sha256sum | cut -c1-64)
    [ -x "$out/$name" ] && [ "$(cat "$out/$name.recipe")" = "$digest" ] && return
    command -v go >/dev/null || { echo "Go 1.26 is needed to build $name" >&2; exit 1; }
    echo "building $name …" >&2
    cp -r "$here/go/$2" "$work/$name"
    (cd "$work/$name" && go build -trimpath -ldflags "-s -w" -tags "${4:-}" -o "$out/$name.part" "$3")
    rm -f "$out/$name"
    echo "$digest" >"$out/$name.recipe"
    mv "$out/$name.part" "$out/$name" # never half a program under its name
}

git_sync() { # a binary that no registry serves; its digest is kept beside it
    local file sum
    [ -n "${INITJECT_TOOLS:-}" ] || { echo "INITJECT_TOOLS is not set: no git-sync" >&2; return 0; }
    file=$(cd "$INITJECT_TOOLS" && ls git-sync-*-linux-amd64.xz)
    sum=$(grep " ${file%.xz}\$" "$INITJECT_TOOLS/SHA256SUMS")
    echo "${sum%% *}  $out/git-sync" | sha256sum --check --status 2>/dev/null && return
    echo "unpacking git-sync …" >&2
    xz --decompress --stdout "$INITJECT_TOOLS/$file" >"$work/git-sync"
    echo "${sum%% *}  $work/git-sync" | sha256sum --check --quiet
    install "$work/git-sync" "$out/git-sync.part"
    mv "$out/git-sync.part" "$out/git-sync"
}

python_packages() { # what an application in Python migrates with; for the Python of the test's image
    local lock=$here/python/requirements.lock digest
    digest=$(sha256sum <"$lock")
    [ "$(cat "$out/python.recipe" 2>/dev/null)" = "$digest" ] && return
    echo "fetching Alembic and Django …" >&2
    "$here/../../.venv/bin/uv" pip install --quiet --target "$work/python" --python-version 3.11 \
        --only-binary :all: --require-hashes --requirements "$lock"
    rm -rf "$out/python" "$out/python.recipe"
    mv "$work/python" "$out/python"
    echo "$digest" >"$out/python.recipe"
}

jars() { # program: what its pom.xml names, and what that needs
    local name=$1 digest
    digest=$(sha256sum <"$here/java/$name/pom.xml")
    [ "$(cat "$out/$name.recipe" 2>/dev/null)" = "$digest" ] && return
    command -v mvn >/dev/null || { echo "Maven is needed for $name" >&2; exit 1; }
    echo "fetching $name …" >&2
    mvn --quiet --batch-mode --file "$here/java/$name/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$work/$name/lib" >&2
    rm -rf "${out:?}/$name" "$out/$name.recipe"
    mv "$work/$name" "$out/$name"
    echo "$digest" >"$out/$name.recipe"
}

java_runtime() { # what the images of programs in Java have
    local modules=java.se,jdk.crypto.ec,jdk.unsupported
    [ "$(cat "$out/jre.recipe" 2>/dev/null)" = "$modules" ] && return
    command -v jlink >/dev/null || { echo "a JDK is needed for a Java runtime" >&2; exit 1; }
    echo "making a Java runtime …" >&2
    jlink --add-modules "$modules" --strip-debug --no-header-files --no-man-pages --compress=2 \
        --output "$work/jre"
    rm -rf "$out/jre" "$out/jre.recipe"
    mv "$work/jre" "$out/jre"
    echo "$modules" >"$out/jre.recipe"
}

program goose goose github.com/pressly/goose/v3/cmd/goose \
    "no_clickhouse no_duckdb no_libsql no_mssql no_spanner no_sqlite3 no_starrocks no_turso no_vertica no_ydb"
program migrate golang-migrate github.com/golang-migrate/migrate/v4/cmd/migrate "postgres mysql"
program rclone rclone .
program oras oras oras.land/oras/cmd/oras
git_sync
python_packages
java_runtime
jars flyway
jars liquibase
jars mongo
jars kafka
