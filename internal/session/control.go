package session

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// The control notifications of wirecall mode, and the requests that the runtime
// answers itself.
const (
	methodItems         = "$/items"
	methodEnd           = "$/end"
	methodCredit        = "$/credit"
	methodCancel        = "$/cancel"
	methodCancelRequest = "$/cancelRequest"
	methodPing          = "$/ping"
	methodPong          = "$/pong"
	methodGoaway        = "$/goaway"
	methodMoved         = "$/moved"
	methodAck           = "$/ack"
	methodClose         = "$/close"

	methodHello       = "rpc.hello"
	methodResume      = "rpc.resume"
	methodUnsubscribe = "rpc.unsubscribe"
)

// frame takes in one frame in wirecall mode. What it returns is the peer's
// breach of the protocol: the lost message may have been anyone's answer, so
// the connection ends.
func (c *Session) frame(frame []byte) error {
	n := 0
	for msg, err := range c.Format.Split(frame) {
		if err != nil {
			return err
		}
		if len(msg) > c.Limits.MessageBytes {
			return fmt.Errorf("a message of %d bytes is over the limit of %d", len(msg), c.Limits.MessageBytes)
		}
		m := &c.incomingMessage
		c.alone = c.Format.FrameSize(len(msg)) >= len(frame)
		if err := c.Format.Decode(msg, m); err != nil {
			return err
		}
		if err := c.dispatchMessage(m, len(msg), n); err != nil {
			return err
		}
		n++
	}
	c.alone = false
	if n == 0 {
		return errors.New("an empty frame")
	}
	return nil
}

// hold returns raw, which is part of the message that is being taken in, in a
// chunk that outlives it, to be freed by whoever has it then: the frame's where
// little else is in that, otherwise another. Nothing of the message may be looked
// at when somebody else can free it. What is small is not held, and chunk is nil.
func (c *Session) hold(raw []byte) (held, chunk []byte) {
	if len(raw) < largeMessage {
		return nil, nil
	}
	if c.alone {
		if b := c.transport.TakeBuffer(4 * len(raw)); b != nil {
			return raw, b
		}
	}
	b := append(buffers.Get(len(raw)), raw...)
	return b, b
}

func (c *Session) dispatchMessage(m *wire.Message, size, n int) error {
	if !c.Carried.Load() && (!bytes.HasPrefix(m.Method, []byte("$/")) || string(m.Method) == methodItems) {
		c.Carried.Store(true)
	}
	if r := c.resume.Load(); r != nil && !isQuiet(m.Method) {
		r.loud = true
	}
	switch {
	case m.Method == nil:
		return c.answer(m)
	case m.ID == nil && bytes.HasPrefix(m.Method, []byte("$/")):
		return c.controlMessage(m, n)
	case m.ID == nil:
		return c.incomingNotification(m, size)
	}
	id, ok := c.Format.Natural(m.ID)
	if !ok {
		return fmt.Errorf("request id %s is not an integer from 0 to 2^53-1", Brief(m.ID))
	}
	return c.incomingRequest(id, m)
}

// isQuiet reports whether a message is one that no ack needs to be sent for, or
// two idle peers would acknowledge each other's acks for ever.
func isQuiet(method []byte) bool {
	switch string(method) {
	case methodAck, methodPing, methodPong:
		return true
	}
	return false
}

// controlMessage takes in a control notification. An unknown one is ignored, as
// the Language Server Protocol has it.
func (c *Session) controlMessage(m *wire.Message, n int) error {
	switch string(m.Method) {
	case methodAck:
		return c.acknowledged(m.Params, n)
	case methodItems:
		return c.items(m.Params)
	case methodEnd:
		return c.endOfStream(m.Params)
	case methodCredit:
		return c.creditFor(m.Params)
	case methodCancel:
		return c.cancelOf(m.Params)
	case methodCancelRequest:
		for name, id := range c.Format.Object(m.Params) {
			if name == "id" {
				c.cancelRequest(id)
			}
		}
	case methodPing:
		n, ok := c.ints(m.Params, 1)
		if !ok {
			return errMalformed
		}
		if r := c.resume.Load(); r != nil && (r.loud || r.armed.Load()) { // it may be asking for an ack: see PROTOCOL.md, 5.2
			c.acknowledge(r)
		}
		c.post(c.Format.AppendControl(nil, methodPong, n...))
	case methodGoaway:
		return c.peerLeaves(m.Params)
	case methodMoved:
		c.peerMoved()
	case methodClose:
		return c.peerCloses(m.Params)
	}
	return nil
}

// ints reads params that begin with up to n integers by position, and reports
// whether nothing else is among those. What follows them is another version's.
func (c *Session) ints(params []byte, n int) (is []int64, ok bool) {
	for raw := range c.Format.Array(params) {
		if len(is) == n {
			break
		}
		i, ok := c.Format.Natural(raw)
		if !ok {
			return is, false
		}
		is = append(is, i)
	}
	return is, true
}

var errMalformed = errors.New("a control message is malformed")

// items takes in what a stream of the peer's has sent.
func (c *Session) items(params []byte) error {
	var k *RecvStream
	var items []byte
	i := 0
	for raw := range c.Format.Array(params) {
		switch i++; i {
		case 1:
			h, ok := c.Format.Natural(raw)
			if !ok {
				return errMalformed
			}
			if k = c.sink(h); k == nil {
				return fmt.Errorf("items of stream %d, which is not open", h)
			}
		case 2:
			if c.Format.Kind(raw) != wire.Array {
				return errMalformed
			}
			items = raw
		}
	}
	if i < 2 {
		return errMalformed
	}
	if err := k.receive(c.Format.Array(items)); err != nil {
		c.breach(k, err)
	}
	return nil
}

// breach ends a stream whose producer broke the rules, or that we cannot hold:
// its reader hears why once it has taken what came before.
func (c *Session) breach(k *RecvStream, err *fault.Error) {
	k.end(err)
	c.post(c.Format.AppendEnd(nil, methodCancel, k.Handle, c.errorObject(err)))
}

// endOfStream takes in the end of a stream. The stream stays among those that are
// open until the whole message is known to be right: the end of the connection,
// where it is not, ends what is open.
func (c *Session) endOfStream(params []byte) error {
	var h int64
	var end error
	ok := false
	i := 0
	for raw := range c.Format.Array(params) {
		switch i++; i {
		case 1:
			h, ok = c.Format.Int(raw)
		case 2:
			if c.Format.Kind(raw) != wire.Object {
				return errMalformed
			}
			end = c.receivedError(raw)
		}
	}
	if !ok {
		return errMalformed
	}
	var k *RecvStream
	c.update(func(s *connState) {
		k = s.sinks[uint64(h)]
		delete(s.sinks, uint64(h))
	})
	if k == nil {
		return fmt.Errorf("the end of stream %d, which is not open", h)
	}
	k.end(end)
	return nil
}

func (c *Session) creditFor(params []byte) error {
	v, ok := c.ints(params, 4)
	if !ok || len(v) < 4 {
		return errMalformed
	}
	if v[0] == 0 {
		return c.out.grantNotifications(uint64(v[1]), int(min(v[2], flow.MaxItems)), int(min(v[3], math.MaxInt32)))
	}
	if s := c.out.sendStream(uint64(v[0])); s != nil {
		return s.received(uint64(v[1]), int(min(v[2], flow.MaxItems)), int(min(v[3], math.MaxInt32)))
	}
	return nil // it has ended meanwhile
}

func (c *Session) cancelOf(params []byte) error {
	for raw := range c.Format.Array(params) {
		h, ok := c.Format.Natural(raw)
		if !ok {
			return errMalformed
		}
		if s := c.out.sendStream(uint64(h)); s != nil {
			s.stop(nil)
		}
		return nil
	}
	return errMalformed
}

// control sends a control message from a goroutine that may write.
func (c *Session) control(method string, args ...int64) {
	buf := messagePool.Get().(*buffer)
	buf.Bytes = c.Format.AppendControl(buf.begin(c.Format)[:0], method, args...)
	flush, over := c.out.post(buf.Bytes, false)
	buf.free(len(buf.Bytes))
	if flush {
		c.flush(true)
	}
	if over {
		c.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}

// ping asks the peer for a sign of life.
func (c *Session) ping(t transport.Transport) {
	if c.Mode == ModeWirecall {
		c.post(c.Format.AppendControl(nil, methodPing, time.Now().UnixMilli()))
		return
	}
	if !t.Ping(CloseGrace) {
		c.silent = 0 // plain lines have no ping: nobody can tell
	}
}
