package session

import (
	"context"
	"errors"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A client may ask any node of a cluster for its session. The node that it asks
// authenticates it, and redirects it to the node that has the session, the owner, or
// forwards it: it sends the request to the owner over a link, and if the owner accepts
// that, the opening becomes a pipe until the end of the socket. What entitles the client
// to the session is decided by the owner.

var (
	errNodeSilent  = errors.New("no answer of the node that has the session")
	errDenied      = errors.New("the node that has the session has refused the client too often")
	errForwarded   = errors.New("the socket of a session at another node has ended")
	errUnreachable = &fault.Error{Code: fault.Unavailable, Message: "the node that has the session cannot be reached"}
)

// resumeElsewhere redirects or forwards a client to the node that has its session. frame
// is the request.
func (o *Opening) resumeElsewhere(node string, id, frame []byte, params *resumeParams) error {
	if params.Redirect {
		if at := o.Registry.nodes.URL(node); at != "" {
			return o.redirect(id, at)
		}
	}
	if err := o.takeTransport(); err != nil {
		return err
	}
	link, answer, err := o.ask(node, frame)
	if link != nil {
		return o.forward(link, answer)
	}
	o.returnTransport()
	switch {
	case answer != nil:
		return o.passRefusal(answer)
	case errors.Is(err, relay.ErrGone):
		return o.refuse(id, errNotKnown)
	}
	return o.deny(id, errUnreachable)
}

// redirect answers a request with the URL of another server. The client closes the
// socket.
func (o *Opening) redirect(id []byte, at string) error {
	msg := o.form.AppendResponse(nil, &wire.Head{ID: id, Body: true})
	msg = appendMembers(o.form, msg, []member{{name: "at", text: &at}})
	return o.write(o.form.AppendTail(msg))
}

// ask sends a request to resume to another node and returns the frame of its answer, with
// the link if the node accepts it. It takes half of the handshake timeout at most: the
// client, which waits for all of that, must get an answer.
func (o *Opening) ask(node string, frame []byte) (link transport.Transport, answer []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(o.ctx), o.Limits.HandshakeTimeout/2, errNodeSilent)
	defer cancel()
	if err := o.abortWith(cancel); err != nil {
		return nil, nil, err
	}
	defer o.abortWith(nil)
	link, err = o.host.DialLink(ctx, o, node)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, link.Close)
	answer, accepted, err := o.exchange(link, frame)
	if !stop() && err == nil { // the link is closed
		err = context.Cause(ctx)
	}
	switch {
	case err != nil:
		link.Close()
		return nil, nil, err
	case !accepted:
		link.Close()
		return nil, answer, nil
	}
	return link, answer, nil
}

// exchange sends a request over a link, and returns the answer and whether it is a
// result.
func (o *Opening) exchange(link transport.Transport, request []byte) (answer []byte, accepted bool, err error) {
	if err := link.WriteFrame(request); err != nil {
		return nil, false, err
	}
	if _, err := link.Flush(true); err != nil {
		return nil, false, err
	}
	answer, err = readFrame(link, false)
	if closed, ok := err.(transport.CloseError); ok && closed.Code == transport.CloseShutdown {
		return nil, false, relay.ErrGone
	}
	if err != nil {
		return nil, false, err
	}
	m, err := o.decodeAnswer(answer)
	return answer, err == nil && m.Error == nil, err
}

// decodeAnswer decodes the only message of a frame.
func (o *Opening) decodeAnswer(frame []byte) (*wire.Message, error) {
	return handshake{form: form{Format: o.form}}.onlyMessage(frame)
}

// abortWith sets the function that ends the request to another node. It returns the
// reason if the opening has ended, or the server shuts down.
func (o *Opening) abortWith(abort func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.abort = abort
	switch {
	case o.cause != nil:
		return o.cause
	case o.draining:
		return ErrDrained
	}
	return nil
}

// passRefusal answers the client as the owner has answered the node.
func (o *Opening) passRefusal(answer []byte) error {
	m, err := o.decodeAnswer(answer)
	if err != nil {
		return err
	}
	if e := (form{Format: o.form}).receivedError(m.Error); e.Code == fault.SessionLost {
		o.refused = true
	} else if o.denied++; o.denied >= maxRefused {
		return errDenied
	}
	if err := o.transport.WriteFrame(answer); err != nil {
		return err
	}
	return o.flush()
}

// forward makes the transport and the link the ends of a pipe, after the owner's answer,
// and returns when that has ended.
func (o *Opening) forward(link transport.Transport, answer []byte) error {
	p := newPipe(o.transport, link, o.form, o.framed)
	if err := o.transport.WriteFrame(answer); err != nil {
		link.Close()
		return err
	}
	o.mu.Lock()
	o.pipe = p
	leaves := o.cause != nil || o.draining
	o.mu.Unlock()
	if leaves {
		go p.leave()
	}
	p.run(o.Limits.IdleTimeout)
	return errForwarded
}

// leaveNode ends the request to another node or the pipe to it. The mutex must be held.
func (o *Opening) leaveNode() {
	switch {
	case o.pipe != nil:
		go o.pipe.leave()
	case o.abort != nil:
		o.abort()
	}
}

// forwardedTo reports whether the client of a link, by the verdict of the node that
// forwards it, is the principal of s, which may be nil. The context of its handshake has
// not crossed: that of the session's last handshake with this node takes its place.
func (o *Opening) forwardedTo(s *Session) bool {
	if s == nil || *o.Verdict != s.Principal {
		return false
	}
	last := s.credentials.current.Load()
	o.base, o.values = last.base, last.values
	return true
}
