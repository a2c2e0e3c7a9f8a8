//go:build !unix

package transport

import (
	"errors"
	"net"
)

// A socket is for systems where it can be read and written without waiting. On others
// a goroutine does all the writing, and a reader that waits holds a buffer.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) read() ([]byte, error)     { return nil, errors.ErrUnsupported }
func (*socket) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
