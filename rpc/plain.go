package rpc

import (
	"fmt"
	"slices"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// A Plain declares how a method is called over a connection in plain mode, where the peer
// is any program that speaks JSON-RPC 2.0. It has no effect in wirecall mode. A server
// accepts parameters by name and by position in any case.
type Plain struct {
	// ByPosition sends the parameters as an array, from which those that are null at its
	// end, such as nil pointers, are left out. See also DialOptions.ByPosition.
	ByPosition bool

	// OmitEmpty are the names of parameters that are left out if their encoding is null,
	// false, 0, "", [] or {}. By position they are left out at the end of the array.
	OmitEmpty []string

	// Subscription is how the stream that the method returns is carried. Without it a
	// client's call fails with CodeNeedsWirecall, and a server uses the names of
	// PROTOCOL.md, section 6.
	Subscription *Subscription
}

// A Subscription declares how a stream is carried in plain mode: a call that is answered
// with the stream's id, notifications with the id and an item each, and a call that ends
// it. Each field that is empty has no part in it.
type Subscription struct {
	// Subscribe is the method of the call. If Kind is not empty, it is the call's first
	// parameter, by position, as "newHeads" is that of eth_subscribe.
	Subscribe, Kind string

	// Notify is the method of the notifications. End is that of a notification which ends
	// the stream. The stream also ends with a notification called Notify that has a member
	// "error", with that error, or "done":true.
	Notify, End string

	// Unsubscribe is the method of the call with which the client ends the stream. Its
	// parameter is the id, or, if ID is empty, Kind, if that is not. Cancel is the method of a
	// notification with the id of the subscribing call, in place of Unsubscribe.
	Unsubscribe, Cancel string

	// ID and Item are where a notification has the id and the item: the names of members
	// of its params, or, if both are numbers, their positions. With an empty ID there is
	// no id: Notify identifies the stream. With an empty Item the item is all of params.
	ID, Item string
}

// A plainForm is how a call is made in plain mode.
type plainForm struct {
	method     string
	byPosition bool
	omitEmpty  []string
	kind       string                // the first parameter of a subscription; "" for none
	subscribe  *session.Subscription // nil unless the result is a stream
}

// plainFormOf returns how a call is made in a session in plain mode.
func plainFormOf(s *session.Session, call *Call) (*plainForm, error) {
	form, p := connOf(s).plainForm(call), call.Method.Plain
	_, stream := call.Result.(*contract.Stream)
	switch {
	case !s.Client || call.sends():
		return nil, errNeedsWirecall
	case !call.receives():
		return form, nil
	case !stream:
		return nil, errNeedsWirecall
	case p == nil || p.Subscription == nil:
		return nil, &Error{Code: CodeNeedsWirecall, ran: fault.No,
			Message: fmt.Sprintf("rpc: %s: the server speaks plain JSON-RPC, and the contract has no //wirecall:subscription for the stream", call.Method.Name)}
	}
	sub := (*session.Subscription)(p.Subscription)
	form.subscribe, form.method, form.kind = sub, sub.Subscribe, sub.Kind
	form.byPosition = form.byPosition || sub.Kind != ""
	return form, nil
}

// plainForm returns how a call is made in plain mode, but for its stream.
func (c *config) plainForm(call *Call) *plainForm {
	form := &plainForm{method: call.Method.Name, byPosition: c.byPosition}
	if p := call.Method.Plain; p != nil {
		form.byPosition = form.byPosition || p.ByPosition
		form.omitEmpty = p.OmitEmpty
	}
	return form
}

// applyTo sets what the head of the request has of the form.
func (f *plainForm) applyTo(h *session.RequestHead) {
	h.Method = f.method
	h.Body = h.Body || f.kind != ""
}

// appendPlain is append for the parameters of a call in plain mode.
func (e *encoder) appendPlain(dst []byte, p *payload, form *plainForm) ([]byte, error) {
	switch {
	case p.record == nil && p.value != nil && form.kind == "":
		return e.value(dst, p.value) // an object or an array already
	case p.record == nil && p.value != nil:
		return dst, fmt.Errorf("%T cannot follow %q by position", p.value, form.kind)
	case form.byPosition:
		return e.appendArray(dst, p, form)
	}
	dst = append(dst, '{')
	empty := true
	for i, name := range p.names {
		from := len(dst)
		dst = e.form.AppendKey(dst, name, empty)
		value := len(dst)
		var err error
		if dst, err = e.value(dst, p.record.Field(i)); err != nil {
			return dst, fmt.Errorf("%s: %w", name, err)
		}
		if isEmpty(dst[value:]) && slices.Contains(form.omitEmpty, name) {
			dst = dst[:from]
			continue
		}
		empty = false
	}
	return append(dst, '}'), nil
}

// appendArray appends parameters by position, without those at the end that are left out.
func (e *encoder) appendArray(dst []byte, p *payload, form *plainForm) ([]byte, error) {
	dst = append(dst, '[')
	if form.kind != "" {
		dst = e.form.AppendString(dst, form.kind)
	}
	first, end := form.kind == "", len(dst)
	for i, name := range p.names {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		value := len(dst)
		var err error
		if dst, err = e.value(dst, p.record.Field(i)); err != nil {
			return dst, fmt.Errorf("%s: %w", name, err)
		}
		if raw := dst[value:]; string(raw) != "null" && !(isEmpty(raw) && slices.Contains(form.omitEmpty, name)) {
			end = len(dst)
		}
	}
	return append(dst[:end], ']'), nil
}

// isEmpty reports whether an encoded parameter may be left out.
func isEmpty(raw []byte) bool {
	switch string(raw) {
	case "null", "false", "0", `""`, "[]", "{}":
		return true
	}
	return false
}
