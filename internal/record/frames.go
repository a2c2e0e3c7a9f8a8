package record

import (
	"bytes"
	"encoding/binary"
)

// A frameReader reads the bytes of one direction of a WebSocket along: RFC 6455, section
// 5.2. It keeps the messages that are not too large, and nothing of the others.
type frameReader struct {
	socket    *socket
	direction direction

	head    []byte // of a frame, until it is complete
	left    uint64 // bytes of the payload that have not arrived
	inside  bool   // a payload has begun
	mask    [4]byte
	at      int // in the mask
	last    bool
	control bool
	opcode  byte
	message []byte
	size    int    // of the message, so far
	aside   []byte // the payload of a control frame
	broken  bool   // what came is no WebSocket frame
}

const opClose = 8

func (s *socket) frames(d direction) *frameReader { return &frameReader{socket: s, direction: d} }

// feed takes the next bytes.
func (f *frameReader) feed(b []byte) {
	for (len(b) > 0 || f.inside && f.left == 0) && !f.broken {
		if !f.inside {
			f.head = append(f.head, b[0])
			b = b[1:]
			f.begin()
			continue
		}
		n := int(min(uint64(len(b)), f.left))
		f.payload(b[:n])
		b = b[n:]
		if f.left -= uint64(n); f.left == 0 {
			f.end()
		}
	}
}

// begin begins a payload when the head is complete.
func (f *frameReader) begin() {
	if len(f.head) < 2 {
		return
	}
	length, need := uint64(f.head[1]&0x7f), 2
	switch length {
	case 126:
		need += 2
	case 127:
		need += 8
	}
	masked := f.head[1]&0x80 != 0
	if masked {
		need += 4
	}
	if len(f.head) < need {
		return
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	f.mask = [4]byte{}
	if masked {
		copy(f.mask[:], f.head[need-4:])
	}
	f.last, f.opcode = f.head[0]&0x80 != 0, f.head[0]&0x0f
	f.control = f.opcode >= opClose
	f.broken = f.control && length > 125
	f.head, f.aside, f.at = f.head[:0], f.aside[:0], 0
	f.left, f.inside = length, true
}

func (f *frameReader) payload(b []byte) {
	keep := b
	if !f.control {
		f.size += len(b)
		keep = b[:min(len(b), max(0, f.socket.rec.MaxMessage+1-len(f.message)))]
	}
	to := &f.message
	if f.control {
		to = &f.aside
	}
	start := len(*to)
	*to = append(*to, keep...)
	for i := range keep {
		(*to)[start+i] ^= f.mask[(f.at+i)%4]
	}
	f.at = (f.at + len(b)) % 4
}

// end ends a frame.
func (f *frameReader) end() {
	f.inside = false
	switch {
	case f.opcode == opClose:
		code := 1005
		if len(f.aside) >= 2 {
			code = int(binary.BigEndian.Uint16(f.aside))
		}
		f.socket.end(f.direction, code)
	case f.last && !f.control:
		f.socket.frame(f.direction, f.message, f.size)
		f.size = 0
		if f.message = f.message[:0]; cap(f.message) > 64<<10 {
			f.message = nil
		}
	}
}

// A lineReader reads the bytes of one direction of a connection that carries lines along.
type lineReader struct {
	socket    *socket
	direction direction
	line      []byte
	size      int
}

// Write takes the next bytes.
func (l *lineReader) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		l.size += len(line)
		l.line = append(l.line, line[:min(len(line), max(0, l.socket.rec.MaxMessage+1-len(l.line)))]...)
		if ended && len(bytes.TrimSpace(l.line)) > 0 {
			l.socket.frame(l.direction, l.line, l.size)
		}
		if ended {
			l.line, l.size = l.line[:0], 0
		}
		b = rest
	}
	return n, nil
}
