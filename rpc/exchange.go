package rpc

import (
	"context"
	"fmt"

	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// roundTrip makes a call and waits for its answer.
func roundTrip(ctx context.Context, c *session.Session, call *Call) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.Mode != session.ModeWirecall && (!c.Client || call.sends() || call.receives()) {
		return errNeedsWirecall
	}
	notify := call.Method.Notify
	if notify && (call.sends() || call.receives()) {
		return fmt.Errorf("rpc: %s: a notification cannot have streams", call.Method.Name)
	}
	params := call.params()
	producers := pumpsOf(params.streams(), call.Method)
	watchSent(ctx, c, call, &params, producers)
	r, err := c.Begin(ctx, &session.RequestHead{
		Method: call.Method.Name, Meta: sentMetadata(ctx), Streams: producers, Notify: notify, Body: call.Params != nil,
	})
	if err != nil {
		return err
	}
	defer r.Abort()
	from := len(r.Message.Bytes)
	if err := encodeParams(&r, &params); err != nil {
		return err
	}
	watchedBy(ctx, c).params(len(r.Message.Bytes) - from)
	if err := r.Send(ctx); err != nil || notify {
		return err
	}
	if err := r.Wait(ctx); err != nil {
		return err
	}
	return answered(ctx, c, call, r.Call)
}

// encodeParams appends the parameters of a call.
func encodeParams(r *session.Request, params *payload) (err error) {
	c := r.Session
	if params.value == nil {
		return nil
	}
	enc := encoder{c.Format, codecOf(c), r.Names, wire.CalleeDepth}
	if params.record == nil {
		enc.depth++ // it is the array or object around the values
	}
	from := len(r.Message.Bytes)
	if r.Message.Bytes, err = enc.append(r.Message.Bytes, params); err != nil {
		return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: the parameters cannot be encoded: %w", r.Method, err))
	}
	if k := c.Format.Kind(r.Message.Bytes[from:]); k != wire.Object && k != wire.Array && k != wire.Null {
		return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: parameters must be an object or an array, not a bare %T", r.Method, params.value))
	}
	return nil
}

// answered stores what the answer to a call carries.
func answered(ctx context.Context, c *session.Session, call *Call, p *session.OutgoingCall) error {
	defer c.Recycle(p)
	if r, ok := ctx.Value(responseKey{}).(*responseMetadata); ok && p.Meta != nil {
		r.add(p.Meta)
	}
	unclaimed := p.Streams
	defer func() { // also where the result's own code panics
		for _, k := range unclaimed {
			k.Cancel(context.Canceled)
		}
	}()
	watchedBy(ctx, c).results(len(p.Result))
	err := declaredErrors(call.Method.Errors).recognize(public(c, p.Err))
	if err == nil {
		unclaimed, err = result(ctx, c, call, p)
	}
	return err
}

func result(ctx context.Context, c *session.Session, call *Call, p *session.OutgoingCall) (unclaimed []*session.RecvStream, err error) {
	if call.Result == nil {
		return p.Streams, nil
	}
	dec := decoder{form: c.Format, codec: codecOf(c), errors: call.Method.Errors, unclaimed: p.Streams}
	result := call.result()
	err = checkResult(c, p, &result)
	if err == nil {
		result.reset()
		err = dec.decode(p.Result, &result)
	}
	if err != nil {
		return p.Streams, &Error{Code: CodeInternal, cause: err,
			Message: fmt.Sprintf("rpc: %s: the result cannot be decoded: %v", call.Method.Name, err)}
	}
	watchReceived(ctx, c, call, &result)
	if len(dec.claimed) > 0 {
		c.CancelUnreferenced()
		session.BindToContext(ctx, dec.claimed)
	}
	return dec.unclaimed, nil
}

// checkResult looks at how deep a result nests where it may be too deep.
func checkResult(c *session.Session, p *session.OutgoingCall, result *payload) error {
	if !p.Deep {
		return nil
	}
	depth := wire.CallerDepth
	if result.record != nil {
		depth++
	}
	if c.Format.Check(p.Result, depth) != nil {
		return fmt.Errorf("nested deeper than %d", wire.CallerDepth)
	}
	return nil
}
