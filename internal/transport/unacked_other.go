//go:build !linux

package transport

// unackedOf is for systems whose sockets can be written to as soon as there is room.
func unackedOf(any) func() int { return nil }
