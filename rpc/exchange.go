package rpc

import (
	"context"
	"fmt"

	"github.com/wirecall/wirecall/internal/wire"
)

// roundTrip makes a call and waits for its answer.
func roundTrip(ctx context.Context, c *session, call *Call) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.mode != modeWirecall && (!c.client || call.sends() || call.receives()) {
		return errNeedsWirecall
	}
	notify := call.Method.Notify
	if notify && (call.sends() || call.receives()) {
		return fmt.Errorf("rpc: %s: a notification cannot have streams", call.Method.Name)
	}
	params := call.params()
	producers := pumpsOf(params.streams(), call.Method)
	watchSent(ctx, c, call, &params, producers)
	r, err := c.begin(ctx, &requestHead{
		method: call.Method.Name, meta: sentMetadata(ctx), streams: producers, notify: notify, body: call.Params != nil,
	})
	if err != nil {
		return err
	}
	defer r.abort()
	from := len(r.msg.bytes)
	if err := encodeParams(&r, &params); err != nil {
		return err
	}
	watchedBy(ctx, c).params(len(r.msg.bytes) - from)
	if err := r.send(ctx); err != nil || notify {
		return err
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	return answered(ctx, c, call, r.call)
}

// encodeParams appends the parameters of a call.
func encodeParams(r *request, params *payload) (err error) {
	c := r.c
	if params.value == nil {
		return nil
	}
	enc := encoder{c.form, codecOf(c), r.names, wire.CalleeDepth}
	if params.record == nil {
		enc.depth++ // it is the array or object around the values
	}
	from := len(r.msg.bytes)
	if r.msg.bytes, err = enc.append(r.msg.bytes, params); err != nil {
		return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: the parameters cannot be encoded: %w", r.method, err))
	}
	if k := c.form.Kind(r.msg.bytes[from:]); k != wire.Object && k != wire.Array && k != wire.Null {
		return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: parameters must be an object or an array, not a bare %T", r.method, params.value))
	}
	return nil
}

// answered stores what the answer to a call carries.
func answered(ctx context.Context, c *session, call *Call, p *pendingCall) error {
	defer c.free(p)
	if r, ok := ctx.Value(responseKey{}).(*responseMetadata); ok && p.meta != nil {
		r.add(p.meta)
	}
	unclaimed := p.streams
	defer func() { // also where the result's own code panics
		for _, k := range unclaimed {
			k.cancel(context.Canceled)
		}
	}()
	watchedBy(ctx, c).results(len(p.result))
	err := declaredErrors(call.Method.Errors).recognize(public(c, p.err))
	if err == nil {
		unclaimed, err = result(ctx, c, call, p)
	}
	return err
}

func result(ctx context.Context, c *session, call *Call, p *pendingCall) (unclaimed []*sink, err error) {
	if call.Result == nil {
		return p.streams, nil
	}
	dec := decoder{form: c.form, codec: codecOf(c), errors: call.Method.Errors, sinks: p.streams}
	result := call.result()
	err = checkResult(c, p, &result)
	if err == nil {
		result.reset()
		err = dec.decode(p.result, &result)
	}
	if err != nil {
		return p.streams, &Error{Code: CodeInternal, cause: err,
			Message: fmt.Sprintf("rpc: %s: the result cannot be decoded: %v", call.Method.Name, err)}
	}
	watchReceived(ctx, c, call, &result)
	if len(dec.claimed) > 0 {
		c.forgetLost()
		adopt(ctx, dec.claimed)
	}
	return dec.sinks, nil
}

// checkResult looks at how deep a result nests where it may be too deep.
func checkResult(c *session, p *pendingCall, result *payload) error {
	if !p.deep {
		return nil
	}
	depth := wire.CallerDepth
	if result.record != nil {
		depth++
	}
	if c.form.Check(p.result, depth) != nil {
		return fmt.Errorf("nested deeper than %d", wire.CallerDepth)
	}
	return nil
}
