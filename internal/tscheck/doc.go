// Package tscheck compiles what the generator writes in TypeScript for the cases of
// cmd/wirecall, and sends values of every type in them from Go to JavaScript and back. It
// validates the same values against the schemas of the cases' descriptions, and those against
// what OpenRPC says of documents. It replays the conversations of rpc/testdata against the
// runtime in TypeScript, and runs random programs with that against a server of package rpc,
// over sockets that break. It is a module of its own, because it needs Node and npm:
//
//	go test
//	go test -rounds 1000
//	go test -run TestModel -long
//	go test -fuzz Fuzz
package tscheck
