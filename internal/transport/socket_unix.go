//go:build unix

package transport

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/wirecall/wirecall/internal/buffers"
)

// A socket is read and written by its file descriptor. For a write that must not wait,
// package net has only deadlines, which cost more than the write; and a Read of package
// net needs its buffer before there is anything to read.
type socket struct {
	raw   syscall.RawConn
	addrs net.Conn

	doRead, doWrite func(fd uintptr) bool // readOnce and writeOnce, converted once, since each conversion allocates

	in      []byte // the buffer that was read into
	want    int    // the size of the next buffer
	readErr error

	p        []byte
	n        int
	writeErr error
}

func newSocket(conn net.Conn) *socket {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw, addrs: conn}
	s.doRead, s.doWrite = s.readOnce, s.writeOnce
	return s
}

// read waits until there is something to read, and returns it in a buffer that the
// caller puts back. A buffer that was filled is followed by a larger one.
func (s *socket) read() ([]byte, error) {
	s.in, s.readErr = nil, nil
	err := s.raw.Read(s.doRead)
	if err == nil {
		err = s.readErr
	}
	in := s.in
	s.in = nil
	return in, err
}

func (s *socket) readOnce(fd uintptr) bool {
	b := buffers.Get(s.want)
	n, err := syscall.Read(int(fd), b[:cap(b)])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), b[:cap(b)])
	}
	if n > 0 {
		s.in, s.want = b[:n], n
		if n == cap(b) {
			s.want = min(n+1, buffers.Read)
		}
		return true
	}
	buffers.Put(b)
	switch err {
	case syscall.EAGAIN:
		return false
	case nil:
		s.readErr = io.EOF
	default:
		s.readErr = &net.OpError{Op: "read", Net: s.addrs.LocalAddr().Network(), Source: s.addrs.LocalAddr(), Addr: s.addrs.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	}
	return true
}

func (s *socket) writeOnce(fd uintptr) bool {
	for {
		s.n, s.writeErr = syscall.Write(int(fd), s.p)
		if s.writeErr != syscall.EINTR {
			return true
		}
	}
}

// write returns how many bytes of p the socket has taken without waiting. None is not
// an error.
func (s *socket) write(p []byte) (int, error) {
	s.p, s.n, s.writeErr = p, 0, nil
	err := s.raw.Write(s.doWrite)
	s.p = nil
	if err == nil {
		err = s.writeErr
	}
	if err == syscall.EAGAIN {
		err = nil
	}
	return max(s.n, 0), err
}
