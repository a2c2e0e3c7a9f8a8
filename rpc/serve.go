package rpc

import (
	"context"
	"errors"
	"net"
	"time"
)

// Serve accepts connections and serves each as ServeConn does. It returns
// ErrServerClosed at once after Close or Shutdown, which close ln, the cause of ctx
// when ctx ends, which closes ln and ends the connections, or the error of ln. Serve
// closes ln in any case. It does not wait for connections; Shutdown does.
//
// If ln fails temporarily, for example for lack of file descriptors, Serve tries again
// after at most a second, as http.Server does.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.init()
	defer ln.Close()
	if !s.listens(&ln) {
		return ErrServerClosed
	}
	defer s.unlisten(&ln)
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for wait := acceptWait; ; {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			wait = acceptWait
			go s.ServeConn(ctx, conn)
		case s.stopping():
			return ErrServerClosed
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !isTemporary(err):
			return err
		default:
			sleep(ctx, wait)
			wait = min(2*wait, time.Second)
		}
	}
}

const acceptWait = 5 * time.Millisecond

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// isTemporary reports whether err of a listener is temporary.
func isTemporary(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Temporary() bool
		Timeout() bool
	}](err)
	return ok && e.Temporary() && !e.Timeout()
}

// listens records a listener that the end of the server closes, and returns false if
// the server has ended. The key is a pointer, because the listener's type may not be
// comparable.
func (s *Server) listens(ln *net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.listeners[ln] = struct{}{}
	}
	return !s.stopped
}

func (s *Server) unlisten(ln *net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}
