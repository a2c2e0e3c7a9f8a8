package rpc

import (
	"net"
	"syscall"
	"unsafe"
)

// unsentOf returns a function that tells how many bytes the system holds of what was
// written to conn: those that the peer's has not acknowledged. It is nil where conn
// is no socket, nor a TLS connection over one.
func unsentOf(conn any) func() int {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn()
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return func() int {
		var n int32
		raw.Control(func(fd uintptr) {
			syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n))) // it leaves n 0 where it fails
		})
		return int(n)
	}
}
