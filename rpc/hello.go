package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/wirecall/wirecall/internal/wire"
)

// floorMessage is the size of message that every peer takes before hello has
// told of more.
const floorMessage = 64 << 10

// hello is what both sides tell each other first.
type hello struct {
	Version int `json:"v"`
	Calls   int `json:"calls"`
	Streams int `json:"streams"`
	Message int `json:"message"`
}

func (c *Conn) hello() hello {
	return hello{1, c.limits.Calls, c.limits.Streams, c.limits.Message}
}

// meet takes over the peer's limits.
func (c *Conn) meet(h hello) error {
	if h.Version != 1 || h.Calls < 0 || h.Streams < 0 || h.Message < floorMessage {
		return fmt.Errorf("hello %+v: want version 1, and limits not below the floor", h)
	}
	c.message.Store(int64(h.Message))
	c.update(func(s *connState) {
		s.slots.set(h.Calls, len(s.calls))
		s.peerStreams = h.Streams
	})
	return nil
}

// sayHello is the client's: it sends hello and waits for the answer. A server
// on a raw transport that has no such method is spoken to in plain mode.
func (c *Conn) sayHello(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limits.Handshake, errNoAnswer)
	defer cancel()
	var p *pendingCall
	c.update(func(s *connState) {
		p = s.spareCall()
		s.nextID = 1
		s.slots.free--
		if s.calls != nil {
			s.calls[1] = p
		} else {
			p.fail(s.cause)
		}
	})
	msg := c.form.AppendRequest(nil, &wire.Head{ID: c.form.AppendID(nil, 1), Method: methodHello, Body: true})
	msg, err := c.codec.Append(msg, c.hello())
	if err != nil {
		return err
	}
	c.postAlone(c.form.AppendTail(msg))
	select {
	case <-p.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if e, ok := p.err.(*Error); ok && e.Code == CodeMethodNotFound && c.mode == modePlain {
		c.free(p)
		return nil
	}
	if p.err != nil {
		return p.err
	}
	var h hello
	if err := c.codec.Decode(p.result, &h); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	c.free(p)
	c.greeted.Store(true)
	return c.meet(h)
}

// greet is the server's: it answers the first message, which must be hello,
// alone in its frame.
func (c *Conn) greet(m *wire.Message, frame []byte, n int) error {
	switch {
	case m.ID != nil && string(m.Method) == methodResume && n == 0:
		c.refuseAlone(m.ID, &Error{Code: CodeSessionLost, Message: "session lost: it is not known here"})
		return nil
	case m.ID == nil || string(m.Method) != methodHello || n > 0:
		return errors.New("the first message must be " + methodHello)
	case len(frame) > len(m.Method)+len(m.Params)+messageOverhead || c.split(frame) != 1:
		return errors.New(methodHello + " must be alone in its frame")
	}
	var h hello
	if err := c.codec.Decode(m.Params, &h); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if err := c.meet(h); err != nil {
		return err
	}
	msg := c.form.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true})
	msg, err := c.codec.Append(msg, c.hello())
	if err != nil {
		return err
	}
	c.handshake.Stop()
	c.postAlone(c.form.AppendTail(msg))
	c.greeted.Store(true) // from here on others may speak
	return nil
}

// split counts the messages of a frame.
func (c *Conn) split(frame []byte) (n int) {
	for range c.form.Split(frame) {
		n++
	}
	return n
}

func (c *Conn) refuseAlone(id []byte, e *Error) {
	c.postAlone(c.form.AppendError(nil, id, e.Code, e.Message, e.data(c.codec), nil))
}

// postAlone is post with a frame for the message alone.
func (c *Conn) postAlone(msg []byte) {
	flush, over := c.out.post(msg, true)
	if flush {
		go c.flush(false)
	}
	if over {
		c.fail(errNotReading, closePolicy)
	}
}

// expectHello cuts a client that does not come to the point.
func (c *Conn) expectHello() {
	c.setTimer(&c.handshake, func() { c.fail(errHandshake, closeProtocol) }, c.limits.Handshake)
}
