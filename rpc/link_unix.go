//go:build unix

package rpc

import "syscall"

// A tryWriter writes to a socket what it takes at once. It goes round the
// runtime's poller, which offers only deadlines for that: those cost more than
// the write and leave no way to say "now or not at all".
type tryWriter struct {
	raw syscall.RawConn
	do  func(fd uintptr) bool // once, or each write would allocate it
	p   []byte
	n   int
	err error
}

func newTryWriter(sc syscall.Conn) *tryWriter {
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	t := &tryWriter{raw: raw}
	t.do = t.once
	return t
}

func (t *tryWriter) once(fd uintptr) bool {
	for {
		t.n, t.err = syscall.Write(int(fd), t.p)
		if t.err != syscall.EINTR {
			return true
		}
	}
}

// write returns how much of p was taken; nothing is no error.
func (t *tryWriter) write(p []byte) (int, error) {
	t.p, t.n, t.err = p, 0, nil
	err := t.raw.Write(t.do)
	t.p = nil
	if err == nil {
		err = t.err
	}
	if err == syscall.EAGAIN {
		err = nil
	}
	return max(t.n, 0), err
}
