package transport

import (
	"net"
	"syscall"
	"unsafe"
)

// unackedOf returns a function that returns how many of the bytes written to conn the
// system still holds: those that the peer's system has not acknowledged. It returns nil
// if conn is neither a socket nor a TLS connection over one.
func unackedOf(conn any) func() int {
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
