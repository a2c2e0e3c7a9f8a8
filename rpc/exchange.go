package rpc

import (
	"context"
	"fmt"
	"strings"

	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// roundTrip makes a call and waits for its answer.
func roundTrip(ctx context.Context, s *session.Session, call *Call) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var form *plainForm // nil in wirecall mode
	var err error
	if s.Mode != session.ModeWirecall {
		if form, err = plainFormOf(s, call); err != nil {
			return err
		}
	}
	notify := call.Method.Notify
	if notify {
		if err := checkNotification(call, form != nil); err != nil {
			return err
		}
	}
	params := call.params()
	head := session.RequestHead{Method: call.Method.Name, Notify: notify, Body: call.Params != nil}
	if form != nil {
		form.applyTo(&head)
	}
	head.Meta, _ = ctx.Value(sentKey{}).(map[string]string)
	if streams := params.streams(); len(streams) > 0 {
		head.Streams = pumpsOf(ctx, s, call, &params, streams)
	}
	r, err := s.Begin(ctx, &head)
	if err != nil {
		return err
	}
	defer r.Abort()
	from := len(r.Message.Bytes)
	if err := encodeParams(&r, form, &params); err != nil {
		return err
	}
	if w := watchedBy(ctx, s); w != nil {
		w.result.ParamBytes = len(r.Message.Bytes) - from
	}
	if form != nil && form.subscribe != nil {
		if err := r.Subscribe(form.subscribe); err != nil {
			return notSent(CodeInvalidRequest, err)
		}
	}
	if err := r.Send(ctx); err != nil || notify {
		return err
	}
	if err := r.Wait(ctx); err != nil {
		return err
	}
	return answered(ctx, s, call, r.Call)
}

// encodeParams appends the parameters of a call.
func encodeParams(r *session.Request, form *plainForm, params *payload) (err error) {
	s := r.Session
	if params.value == nil && (form == nil || form.kind == "") {
		return nil
	}
	enc := encoder{s.Format, codecOf(s), r.Names, wire.CalleeDepth}
	if params.record == nil {
		enc.depth++ // the value includes the array or object around the parameters
	}
	from := len(r.Message.Bytes)
	if form == nil {
		r.Message.Bytes, err = enc.append(r.Message.Bytes, params)
	} else {
		r.Message.Bytes, err = enc.appendPlain(r.Message.Bytes, params, form)
	}
	if err != nil {
		return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: the parameters cannot be encoded: %w", r.Method, err))
	}
	if k := s.Format.Kind(r.Message.Bytes[from:]); k != wire.Object && k != wire.Array && k != wire.Null {
		return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: parameters must be an object or an array, not a bare %T", r.Method, params.value))
	}
	return nil
}

// checkNotification returns an error if a call cannot be a notification.
func checkNotification(call *Call, plain bool) error {
	switch {
	case call.sends() || call.receives():
		return fmt.Errorf("rpc: %s: a notification cannot have streams", call.Method.Name)
	case !plain && strings.HasPrefix(call.Method.Name, "$/"):
		return notSent(CodeMethodNotFound, fmt.Errorf("rpc: %s: notifications under $/ are the protocol's own in wirecall mode", call.Method.Name))
	}
	return nil
}

// answered stores the answer to a call in its result and in the context's response
// metadata.
func answered(ctx context.Context, s *session.Session, call *Call, p *session.OutgoingCall) (err error) {
	defer p.Recycle()
	if r, ok := ctx.Value(responseKey{}).(*responseMetadata); ok && p.Meta != nil {
		r.add(p.Meta)
	}
	unclaimed := p.Streams
	defer func() { // also after a panic in the result's own code
		for _, rs := range unclaimed {
			rs.Cancel(context.Canceled)
		}
	}()
	if w := watchedBy(ctx, s); w != nil {
		w.result.ResultBytes = len(p.Result)
	}
	if p.Err != nil {
		return declaredErrors(call.Method.Errors).recognize(public(s, p.Err))
	}
	if call.Result == nil {
		return nil
	}
	unclaimed, err = result(ctx, s, call, p)
	return err
}

// result stores the result of a call and returns its streams that nothing has claimed.
func result(ctx context.Context, s *session.Session, call *Call, p *session.OutgoingCall) (unclaimed []*session.RecvStream, err error) {
	dec := decoder{form: s.Format, codec: codecOf(s), errors: call.Method.Errors, unclaimed: p.Streams}
	result := call.result()
	if p.Deep {
		err = checkDepth(s, p, &result)
	}
	if err == nil {
		result.reset()
		err = dec.decode(p.Result, &result)
	}
	if err != nil {
		return p.Streams, &Error{Code: CodeInternal, cause: err,
			Message: fmt.Sprintf("rpc: %s: the result cannot be decoded: %v", call.Method.Name, err)}
	}
	if len(dec.claimed) > 0 {
		watchReceived(ctx, s, call, &result)
		s.CancelUnreferenced()
		session.BindToContext(ctx, dec.claimed)
	}
	return dec.unclaimed, nil
}

// checkDepth returns an error if a result nests too deep.
func checkDepth(s *session.Session, p *session.OutgoingCall, result *payload) error {
	depth := wire.CallerDepth
	if result.record != nil {
		depth++
	}
	if s.Format.Check(p.Result, depth) != nil {
		return fmt.Errorf("nested deeper than %d", wire.CallerDepth)
	}
	return nil
}
