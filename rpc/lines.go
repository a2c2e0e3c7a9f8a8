package rpc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/wirecall/wirecall/internal/wire"
)

// A lineLink carries frames as lines over any connected pair of byte streams:
// TCP, a Unix socket, standard input and output, a pipe.
type lineLink struct {
	*wireConn
	br    *bufio.Reader
	limit int
	buf   []byte
}

var errLineTooLong = breachError{CodeTooLarge, "a line is over the limit of a message"}

func newLineLink(rwc io.ReadWriteCloser, limit int, stall time.Duration) *lineLink {
	w := newWireConn(rwc, rwc, stall)
	return &lineLink{wireConn: w, br: bufio.NewReader(w), limit: limit}
}

func (l *lineLink) read() ([]byte, error) {
	if l.buf = l.buf[:0]; cap(l.buf) > 2*frameSize {
		l.buf = nil
	}
	for {
		part, err := l.br.ReadSlice('\n')
		if len(l.buf) == 0 && err == nil {
			if line := bytes.TrimSpace(part); len(line) > 0 {
				return line, nil
			}
			continue // an empty line is nothing
		}
		l.buf = append(l.buf, part...)
		switch {
		case len(l.buf) > l.limit+1:
			return nil, errLineTooLong
		case err == nil:
			if line := bytes.TrimSpace(l.buf); len(line) > 0 {
				return line, nil
			}
			l.buf = l.buf[:0]
		case err == io.EOF && len(bytes.TrimSpace(l.buf)) > 0:
			return l.last()
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// last is the last line, which has no end: a cut in wirecall mode, a whole line in
// any other, as what pipes carry often ends so.
func (l *lineLink) last() ([]byte, error) {
	if o := l.owner.Load(); o != nil && (*o).wirecall() {
		return nil, io.ErrUnexpectedEOF
	}
	return bytes.TrimSpace(l.buf), nil
}

func (l *lineLink) write(frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(frame)
	l.ready = append(l.ready, '\n')
	return nil
}

// shut says goodbye only where the peer would otherwise wait for us to come back. But
// for a breach the peer is given the time to close as well: what it has sent meanwhile
// would reset the socket, and what was written last would be lost.
func (l *lineLink) shut(code closeCode, reason string) {
	if o := l.owner.Load(); o != nil {
		msg := (*o).goodbye(code, reason)
		if msg != nil {
			_ = l.write(msg)
			l.flush(true)
		}
		if msg != nil || code == closeNormal || code == closeShutdown {
			l.lingerBeside(*o)
		}
	}
	l.wireConn.shut()
}

// lingerBeside is linger where the reader may still be there.
func (l *lineLink) lingerBeside(o linkOwner) {
	if l.closeWrite() {
		o.awaitTorn()
		io.Copy(io.Discard, l.rwc)
	}
}

func closeParams(code closeCode, reason string) []byte {
	b, _ := json.Marshal([]any{code, reason})
	return b
}

func (l *lineLink) cut() { l.wireConn.shut() }

// goodbye is the close frame of a transport that has none.
func (c *session) goodbye(code closeCode, reason string) []byte {
	if c.resume.Load() == nil {
		return nil
	}
	msg := c.form.AppendRequest(nil, &wire.Head{Method: methodClose, Body: true})
	return c.form.AppendTail(append(msg, closeParams(code, reason)...))
}

// peerCloses takes in the peer's goodbye.
func (c *session) peerCloses(params []byte) error {
	var e closedError
	i := 0
	for raw := range c.form.Array(params) {
		switch i++; i {
		case 1:
			code, _ := c.form.Int(raw)
			e.code = closeCode(code)
		case 2:
			e.reason, _ = c.form.String(raw)
		}
	}
	return e
}
