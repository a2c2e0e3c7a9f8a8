//go:build !unix

package rpc

import (
	"errors"
	"net"
)

// A socket is for systems whose sockets can be asked without waiting. Elsewhere
// a goroutine does all the writing, and whoever reads holds a buffer.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) read() ([]byte, error)     { return nil, errors.ErrUnsupported }
func (*socket) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
