// Package interop lets programs that know nothing of wirecall talk to it: the
// JSON-RPC clients that people have, unchanged, to a wirecall server; and a
// wirecall client to their servers.
//
// Every conversation runs through a tap, which checks that what the server sent
// is what JSON-RPC 2.0 allows: answers, and the notifications of subscriptions.
//
// Packages below it are contracts of such programs, with tests against them.
//
// It is a module of its own so that none of what it needs becomes a dependency
// of wirecall's users. Clients and servers in JavaScript need npm, and run with
//
//	go test -tags=node ./...
package interop

//go:generate go tool wirecall gen .
