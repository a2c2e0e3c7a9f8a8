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
	enc := encoder{s.Format, codecOf(s), r.Names, wire.CalleeDepth}
	if r.Message.Bytes, err = encodeParams(r.Message.Bytes, enc, call, form, &params); err != nil {
		return err
	}
	if w := connOf(s).observers.watchedBy(ctx); w != nil {
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

// encodeParams appends the parameters of a call to its message.
func encodeParams(msg []byte, enc encoder, call *Call, form *plainForm, params *payload) (_ []byte, err error) {
	if params.value == nil && (form == nil || form.kind == "") {
		return msg, nil
	}
	if params.record == nil {
		enc.depth++ // the value includes the array or object around the parameters
	}
	from := len(msg)
	if form == nil {
		msg, err = enc.append(msg, params)
	} else {
		msg, err = enc.appendPlain(msg, params, form)
	}
	if err != nil {
		return msg, notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: the parameters cannot be encoded: %w", call.Method.Name, err))
	}
	if k := enc.form.Kind(msg[from:]); k != wire.Object && k != wire.Array && k != wire.Null {
		return msg, notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: parameters must be an object or an array, not a bare %T", call.Method.Name, params.value))
	}
	return msg, nil
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
	if w := connOf(s).observers.watchedBy(ctx); w != nil {
		w.result.ResultBytes = len(p.Result)
	}
	if p.Err != nil {
		return declaredErrors(call.Method.Errors).recognize(public(s, p.Err))
	}
	if call.Result == nil {
		return nil
	}
	dec := decoder{form: s.Format, codec: codecOf(s), errors: call.Method.Errors, unclaimed: p.Streams}
	result, err := dec.result(call, p.Result, p.Deep)
	if err != nil {
		return err
	}
	if unclaimed = dec.unclaimed; len(dec.claimed) > 0 {
		watchReceived(ctx, s, call, &result)
		s.CancelUnreferenced()
		session.BindToContext(ctx, dec.claimed)
	}
	return nil
}

// result stores the result of a call. deep is Message.Deep of its answer.
func (d *decoder) result(call *Call, raw []byte, deep bool) (payload, error) {
	result := call.result()
	d.aliases = call.Method.ResultAliases
	var err error
	if deep {
		err = d.checkDepth(raw, &result)
	}
	if err == nil {
		result.reset()
		err = d.decode(raw, &result)
	}
	if err != nil {
		err = &Error{Code: CodeInternal, cause: err,
			Message: fmt.Sprintf("rpc: %s: the result cannot be decoded: %v", call.Method.Name, err)}
	}
	return result, err
}

// checkDepth returns an error if a result nests too deep.
func (d *decoder) checkDepth(raw []byte, result *payload) error {
	depth := wire.CallerDepth
	if result.record != nil {
		depth++
	}
	if d.form.Check(raw, depth) != nil {
		return fmt.Errorf("nested deeper than %d", wire.CallerDepth)
	}
	return nil
}
