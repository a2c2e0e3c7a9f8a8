package wire

import (
	"bytes"
	"iter"
	"math"

	"github.com/wirecall/wirecall/internal/cborscan"
)

// A frame holds one message or more. In JSON they are separated by line feeds,
// of which compact JSON has none. In CBOR each is wrapped in a byte string, so that a
// frame is a CBOR sequence (RFC 8742) and can be split without reading the messages.

// Split yields the messages of a frame in order. They alias it. If the frame is truncated,
// or holds no message or an empty one, the messages before that are followed by a *Fault.
func (f Format) Split(frame []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if f == CBOR {
			splitCBOR(frame, yield)
			return
		}
		for more := true; more; {
			var msg []byte
			msg, frame, more = bytes.Cut(frame, []byte{'\n'})
			if len(msg) == 0 {
				yield(nil, parseError("empty line in a frame"))
				return
			}
			if !yield(msg[:len(msg):len(msg)], nil) {
				return
			}
		}
	}
}

func splitCBOR(frame []byte, yield func([]byte, error) bool) {
	for first := true; first || len(frame) > 0; first = false {
		major, n, i := cborscan.Head(frame, 0)
		if i < 0 || major != cborscan.Bytes || n == 0 || n > uint64(len(frame)-i) {
			yield(nil, parseError("frame is not a sequence of byte strings"))
			return
		}
		end := i + int(n)
		if !yield(frame[i:end:end], nil) {
			return
		}
		frame = frame[end:]
	}
}

// AppendToFrame appends msg to a frame, of which it is the first or not. A
// message of JSON must be compact.
func (f Format) AppendToFrame(frame, msg []byte, first bool) []byte {
	switch {
	case f == CBOR:
		frame = cborscan.AppendHead(frame, cborscan.Bytes, uint64(len(msg)))
	case !first:
		frame = append(frame, '\n')
	}
	return append(frame, msg...)
}

// FrameRoom returns the number of free bytes that Frame needs before a message.
func (f Format) FrameRoom() int {
	if f == CBOR {
		return cborscan.HeadSize(math.MaxUint64)
	}
	return 0
}

// Frame returns the frame of one message, which begins in buf at FrameRoom or
// behind. The frame is in buf too.
func (f Format) Frame(buf []byte, msg int) []byte {
	if f != CBOR {
		return buf[msg:]
	}
	n := uint64(len(buf) - msg)
	from := msg - cborscan.HeadSize(n)
	cborscan.AppendHead(buf[:from], cborscan.Bytes, n)
	return buf[from:]
}

// FrameSize returns the number of bytes that a message of n bytes adds to a frame at most.
func (f Format) FrameSize(n int) int {
	if f == CBOR {
		return cborscan.HeadSize(uint64(n)) + n
	}
	return 1 + n
}
