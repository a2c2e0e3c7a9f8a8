// Package chaos runs nodes and a NATS server as processes, kills, pauses and replaces them
// under load, and checks what their clients have got.
//
// The test binary is each of these programs: the environment says which. Clients connect
// through a proxy that has no affinity, and nodes reach NATS through another, so that
// connections can be slow and cut without anybody's end.
//
// The tests run small in each test run; -long makes the same tests larger. It is a module of
// its own because of its dependencies.
package chaos

//go:generate go tool wirecall gen .
