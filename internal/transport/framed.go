package transport

import (
	"bufio"
	"bytes"
	"io"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
)

// A Framing is how frames are delimited on a byte stream.
type Framing uint8

const (
	Lines   Framing = iota // a frame is a line; empty lines are skipped
	Headers                // a header part with Content-Length precedes each frame: see headers.go
	Detect                 // Lines or Headers, as the peer's first byte says
)

// A Framed is a Transport over any connected pair of byte streams: TCP, a Unix socket,
// standard input and output, a pipe. It has neither pings nor close frames.
type Framed struct {
	*conn
	br       *bufio.Reader
	maxFrame int
	long     []byte // a frame that does not fit the buffer of br

	framing Framing // writeMu guards it; the reader, which alone changes it, reads it without
}

// NewFramed returns a transport over rwc, which it closes. If the framing is Detect,
// nothing may be written before a frame has been read.
func NewFramed(rwc io.ReadWriteCloser, f Framing, o Options) *Framed {
	c := newConn(rwc, rwc, &o)
	return &Framed{conn: c, br: bufio.NewReader((*byteStream)(c)), maxFrame: o.MaxFrame, framing: f}
}

var errLineTooLong = FrameError{TooLarge: true, Message: "a line is over the limit of a message"}

// ReadFrame implements Transport.
func (f *Framed) ReadFrame() ([]byte, error) {
	if f.long = f.long[:0]; cap(f.long) > buffers.Read {
		f.long = nil
	}
	switch f.framing {
	case Detect:
		if err := f.detect(); err != nil {
			return nil, err
		}
		return f.ReadFrame()
	case Headers:
		return f.readAfterHeader()
	}
	return f.readLine()
}

// detect skips white space and sets the framing by the byte behind it. No JSON begins
// with the first letter of a header.
func (f *Framed) detect() error {
	for {
		first, err := f.br.Peek(1)
		if err != nil {
			return err
		}
		switch first[0] {
		case ' ', '\t', '\r', '\n':
			f.br.Discard(1)
			continue
		case 'C', 'c':
			f.setFraming(Headers)
		default:
			f.setFraming(Lines)
		}
		return nil
	}
}

func (f *Framed) setFraming(to Framing) {
	f.writeMu.Lock()
	defer f.writeMu.Unlock()
	f.framing = to
}

// readLine is ReadFrame for Lines.
func (f *Framed) readLine() ([]byte, error) {
	for {
		part, err := f.br.ReadSlice('\n')
		if len(f.long) == 0 && err == nil {
			if line := bytes.TrimSpace(part); len(line) > 0 {
				return line, nil
			}
			continue
		}
		f.long = append(f.long, part...)
		line := bytes.TrimSpace(f.long)
		switch {
		case len(f.long) > f.maxFrame+1:
			return nil, errLineTooLong
		case err == nil && len(line) > 0:
			return line, nil
		case err == nil:
			f.long = f.long[:0]
		case err == io.EOF && len(line) > 0:
			return line, io.ErrUnexpectedEOF
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// TakeBuffer implements Transport.
func (f *Framed) TakeBuffer(int) []byte { return nil }

// WriteFrame implements Transport.
func (f *Framed) WriteFrame(frame []byte) error {
	f.writeMu.Lock()
	defer f.writeMu.Unlock()
	if f.framing == Headers {
		f.ready = appendWithHeader(f.ready, frame)
	} else {
		f.ready = append(append(buffers.Grow(f.ready, len(frame)+1), frame...), '\n')
	}
	return nil
}

// Ping implements Transport.
func (f *Framed) Ping(time.Duration) bool { return false }

// CloseHandshake implements Transport.
func (f *Framed) CloseHandshake(CloseCode, string) bool { return false }
