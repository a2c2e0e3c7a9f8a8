//go:build !js

package rpc

// validateHandshake returns an error for fields that have no meaning for a WebSocket
// handshake of the system's. There are none outside browsers.
func (o *DialOptions) validateHandshake() error { return nil }
