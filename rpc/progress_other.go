//go:build !linux

package rpc

// unsentOf is for systems whose sockets can be written to as soon as there is room.
func unsentOf(any) func() int { return nil }
