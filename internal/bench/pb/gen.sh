#!/bin/sh
# Makes the Go files beside this one from bench.proto. It needs protoc, which
# Debian calls protobuf-compiler, and fetches the plugins as Go modules.
set -eu
cd "$(dirname "$0")"
plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
version() { go list -m -f '{{.Version}}' "$1"; }

export GOBIN="$plugins"
go install "google.golang.org/protobuf/cmd/protoc-gen-go@$(version google.golang.org/protobuf)"
go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
go install "storj.io/drpc/cmd/protoc-gen-go-drpc@$(version storj.io/drpc)"

set -- --go_out=. --go-grpc_out=. --go-drpc_out=.
for plugin in go go-grpc go-drpc; do
	set -- "$@" "--${plugin}_opt=paths=source_relative"
done
PATH="$plugins:$PATH" protoc "$@" bench.proto
