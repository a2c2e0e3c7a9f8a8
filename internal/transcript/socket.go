package transcript

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// errNothing is returned if no line has arrived in time.
var errNothing = errors.New("nothing has arrived")

// A socket reads lines as soon as they arrive, so that the peer never waits for a player
// that writes.
type socket struct {
	conn    io.ReadWriteCloser
	closed  bool          // by the player
	arrived chan struct{} // has room for one

	mu    sync.Mutex
	lines []string
	eof   bool
}

func newSocket(conn io.ReadWriteCloser) *socket {
	s := &socket{conn: conn, arrived: make(chan struct{}, 1)}
	go s.read()
	return s
}

func (s *socket) read() {
	r := bufio.NewReader(s.conn)
	for {
		line, err := r.ReadString('\n')
		s.mu.Lock()
		if s.eof = err != nil; !s.eof {
			s.lines = append(s.lines, strings.TrimSuffix(line, "\n"))
		}
		s.mu.Unlock()
		select {
		case s.arrived <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// next returns the next line, io.EOF after the last one, or errNothing. A patience of 0
// is without a limit.
func (s *socket) next(patience time.Duration) (string, error) {
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	for {
		if line, err := s.pop(); err != errNothing {
			return line, err
		}
		select {
		case <-s.arrived:
		case <-late:
			return "", errNothing
		}
	}
}

func (s *socket) pop() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) > 0 {
		line := s.lines[0]
		s.lines = s.lines[1:]
		return line, nil
	}
	if s.eof {
		return "", io.EOF
	}
	return "", errNothing
}
