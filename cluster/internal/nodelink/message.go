package nodelink

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/wirecall/wirecall/internal/buffers"
)

// A message is a kind, its number in eight bytes, and what it carries.
const headerSize = 1 + 8

const (
	kindData   = 'd' // bytes of the stream
	kindCredit = 'c' // how many bytes more may be sent, in four bytes
	kindAlive  = 'a' // nothing
	kindClose  = 'e' // nothing; the last one
	kindReset  = 'r' // nothing, and why in place of the number: there is no link
)

var (
	errOrder   = errors.New("the link broke: a message is missing or came twice")
	errMessage = errors.New("the link broke: a message that is none of a link")
	errCredit  = errors.New("the link broke: more was sent than there is credit for")
	errReset   = errors.New("the link broke at the other end")

	// ErrBusy is the error for a link that the other node does not open now.
	ErrBusy = errors.New("the node opens too many links at once")

	// ErrNoService is the error for a link that nobody at the other node takes.
	ErrNoService = errors.New("the node does not have the service")
)

// reasons are what a reset may say, by their numbers on the wire.
var reasons = []error{errReset, ErrBusy, ErrNoService}

// Reset returns the message to an end of a link that does not exist at this one, or is
// refused with ErrBusy or ErrNoService.
func Reset(why error) []byte {
	return []byte{kindReset, 0, 0, 0, 0, 0, 0, 0, byte(max(0, slices.Index(reasons, why)))}
}

// resetBy returns the error for a reset.
func resetBy(message []byte) error {
	if n := int(message[headerSize-1]); n < len(reasons) {
		return reasons[n]
	}
	return errReset
}

// Last reports whether a message is the last one of an end of a link.
func Last(message []byte) bool {
	return len(message) > 0 && (message[0] == kindReset || message[0] == kindClose)
}

func creditOf(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// send sends the next message. If that fails, the link has broken.
func (c *Conn) send(kind byte, body []byte) error {
	c.sending.Lock()
	c.sent++
	message := append(buffers.Get(headerSize+len(body)), kind)
	message = binary.BigEndian.AppendUint64(message, c.sent)
	message = append(message, body...)
	err := c.opts.Send(message)
	c.sending.Unlock()
	buffers.Put(message)
	if err != nil {
		c.fail(err)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoken, c.idle = kind != kindAlive, 0
	return nil
}

// Receive takes a message of the other end, and copies what it needs of it. It does not
// wait for a reader.
func (c *Conn) Receive(message []byte) {
	if err := c.apply(message); slices.Contains(reasons, err) {
		c.fail(err)
	} else if err != nil {
		c.Break(err)
	}
}

func (c *Conn) apply(message []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.ended || c.err != nil:
		return nil
	case len(message) < headerSize:
		return errMessage
	case message[0] == kindReset:
		return resetBy(message)
	case binary.BigEndian.Uint64(message[1:]) != c.received+1:
		return errOrder
	}
	c.received++
	c.silent = 0
	return c.applyBody(message[0], message[headerSize:])
}

func (c *Conn) applyBody(kind byte, body []byte) error {
	switch kind {
	case kindData:
		if len(body) > c.granted {
			return errCredit
		}
		c.granted -= len(body)
		c.in.write(body)
	case kindCredit:
		if len(body) != 4 {
			return errMessage
		}
		if c.credit += int(binary.BigEndian.Uint32(body)); c.credit > Window {
			return errCredit
		}
	case kindClose:
		c.ended = true
		c.timer.Stop()
	case kindAlive:
		return nil
	default:
		return errMessage
	}
	c.change.Broadcast()
	return nil
}
