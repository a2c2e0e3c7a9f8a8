package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
)

// A floorConn is one side of a floor's connection: WebSocket frames as RFC 6455,
// section 5 has them, each with the messages that were put while the last one was
// written. There is no handshake, and no frame but those of text.
type floorConn struct {
	net.Conn
	masks bool // the client's frames are masked

	mu      sync.Mutex
	room    sync.Cond // out has been taken
	out     []byte    // room for a head, and then messages; empty if there are none
	spare   []byte
	writing bool
}

func newFloorConn(nc net.Conn, masks bool) *floorConn {
	c := &floorConn{Conn: nc, masks: masks}
	c.room.L = &c.mu
	return c
}

// floorQueue is above how many bytes whoever puts something waits.
const floorQueue = 1 << 20

// headRoom is the longest head of a frame: two bytes, a length of eight, a mask.
const headRoom = 14

// put appends a message, and writes what has been put unless somebody does so.
// Whoever writes first lets others run that have something to put.
func (c *floorConn) put(message func(dst []byte) []byte) {
	c.mu.Lock()
	for len(c.out) > floorQueue {
		c.room.Wait()
	}
	if len(c.out) == 0 {
		c.out = append(c.out, make([]byte, headRoom)...)
	} else {
		c.out = append(c.out, '\n')
	}
	c.out = message(c.out)
	first := !c.writing
	c.writing = true
	c.mu.Unlock()
	if first {
		c.flush()
	}
}

func (c *floorConn) flush() {
	for {
		runtime.Gosched()
		c.mu.Lock()
		out := c.out
		c.writing = len(out) > 0
		c.out, c.spare = c.spare[:0], nil
		c.room.Broadcast()
		c.mu.Unlock()
		if len(out) == 0 {
			c.giveBack(out)
			return
		}
		c.Write(c.frame(out)) // the reader finds out if that fails
		c.giveBack(out)
	}
}

// giveBack keeps a buffer for the messages after the next.
func (c *floorConn) giveBack(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spare == nil {
		c.spare = b[:0]
	}
}

// frame makes a frame of b, whose payload begins at headRoom.
func (c *floorConn) frame(b []byte) []byte {
	payload, at := b[headRoom:], headRoom
	second := byte(0)
	if c.masks {
		second, at = 0x80, at-4
		key := b[at : at+4]
		binary.LittleEndian.PutUint32(key, 0x5a17c3e9) // a real one is random
		mask(payload, key)
	}
	switch n := len(payload); {
	case n < 126:
		second |= byte(n)
	case n < 1<<16:
		second, at = second|126, at-2
		binary.BigEndian.PutUint16(b[at:], uint16(n))
	default:
		second, at = second|127, at-8
		binary.BigEndian.PutUint64(b[at:], uint64(n))
	}
	at -= 2
	b[at], b[at+1] = 0x81, second
	return b[at:]
}

// mask applies a key of four bytes to b, eight bytes at a time.
func mask(b, key []byte) {
	k := uint64(binary.LittleEndian.Uint32(key))
	for k |= k << 32; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
	}
	for i := range b {
		b[i] ^= key[i%4]
	}
}

var errFrame = errors.New("floor: not a frame of text")

// read calls f for each message, which is f's until it returns. It ends with the
// connection, or with f's error.
func (c *floorConn) read(f func(message []byte) error) error {
	in := floorReader{from: c.Conn, buf: make([]byte, 32<<10)}
	for {
		payload, err := in.frame()
		if err != nil {
			return err
		}
		for len(payload) > 0 {
			var message []byte
			message, payload, _ = bytes.Cut(payload, []byte("\n"))
			if err := f(message); err != nil {
				return err
			}
		}
	}
}

// A floorReader reads frames out of a buffer, which grows to the longest.
type floorReader struct {
	from       io.Reader
	buf        []byte
	start, end int // of what has been read and not been used
}

// frame returns the payload of the next frame, until it is called again.
func (r *floorReader) frame() ([]byte, error) {
	head, err := r.need(2)
	if err != nil {
		return nil, err
	}
	if head[0] != 0x81 {
		return nil, errFrame
	}
	size, length := 2, int(head[1]&0x7f)
	switch length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	masked := head[1]&0x80 != 0
	if masked {
		size += 4
	}
	if head, err = r.need(size); err != nil {
		return nil, err
	}
	switch length {
	case 126:
		length = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		length = int(binary.BigEndian.Uint64(head[2:]))
	}
	if head, err = r.need(size + length); err != nil {
		return nil, err
	}
	r.start += len(head)
	payload := head[size:]
	if masked {
		mask(payload, head[size-4:size])
	}
	return payload, nil
}

// need returns the next n bytes, and reads until they are there.
func (r *floorReader) need(n int) ([]byte, error) {
	for r.end-r.start < n {
		if r.start+n > len(r.buf) {
			to := r.buf
			if n > len(r.buf) {
				to = make([]byte, 2*n)
			}
			r.end = copy(to, r.buf[r.start:r.end])
			r.buf, r.start = to, 0
		}
		got, err := r.from.Read(r.buf[r.end:])
		if err != nil {
			return nil, err
		}
		r.end += got
	}
	return r.buf[r.start : r.start+n : r.start+n], nil
}
