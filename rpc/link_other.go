//go:build !unix

package rpc

import (
	"errors"
	"syscall"
)

// A tryWriter is for systems where a socket can be asked without waiting.
// Elsewhere a goroutine does all the writing.
type tryWriter struct{}

func newTryWriter(syscall.Conn) *tryWriter { return nil }

func (*tryWriter) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
