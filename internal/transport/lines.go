package transport

import (
	"bufio"
	"bytes"
	"io"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
)

// Lines is a Transport whose frames are lines, over any connected pair of byte
// streams: TCP, a Unix socket, standard input and output, a pipe. Empty lines are
// skipped. It has neither pings nor close frames.
type Lines struct {
	*conn
	br       *bufio.Reader
	maxFrame int
	line     []byte // a line that does not fit the buffer of br
}

// NewLines returns a transport over rwc, which it closes.
func NewLines(rwc io.ReadWriteCloser, o Options) *Lines {
	c := newConn(rwc, rwc, &o)
	return &Lines{conn: c, br: bufio.NewReader((*byteStream)(c)), maxFrame: o.MaxFrame}
}

var errLineTooLong = FrameError{TooLarge: true, Message: "a line is over the limit of a message"}

// ReadFrame implements Transport.
func (l *Lines) ReadFrame() ([]byte, error) {
	if l.line = l.line[:0]; cap(l.line) > buffers.Read {
		l.line = nil
	}
	for {
		part, err := l.br.ReadSlice('\n')
		if len(l.line) == 0 && err == nil {
			if line := bytes.TrimSpace(part); len(line) > 0 {
				return line, nil
			}
			continue
		}
		l.line = append(l.line, part...)
		line := bytes.TrimSpace(l.line)
		switch {
		case len(l.line) > l.maxFrame+1:
			return nil, errLineTooLong
		case err == nil && len(line) > 0:
			return line, nil
		case err == nil:
			l.line = l.line[:0]
		case err == io.EOF && len(line) > 0:
			return line, io.ErrUnexpectedEOF
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// TakeBuffer implements Transport.
func (l *Lines) TakeBuffer(int) []byte { return nil }

// WriteFrame implements Transport.
func (l *Lines) WriteFrame(frame []byte) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	l.ready = append(append(buffers.Grow(l.ready, len(frame)+1), frame...), '\n')
	return nil
}

// Ping implements Transport.
func (l *Lines) Ping(time.Duration) bool { return false }

// CloseHandshake implements Transport.
func (l *Lines) CloseHandshake(CloseCode, string) bool { return false }
