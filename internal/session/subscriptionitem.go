package session

import (
	"strconv"

	"github.com/wirecall/wirecall/internal/wire"
)

// A subscriptionItem is what a notification has beside the id: an item, or the end.
type subscriptionItem struct {
	item []byte // nil if there is none
	end  bool   // the subscription is complete
	err  []byte // the error that it ends with
	deep bool   // see wire.Message
}

// read finds the id and the item of a notification.
func (t *subscriptions) read(sub *Subscription, params []byte) (id string, item subscriptionItem) {
	form := t.session.Format
	switch {
	case form.Kind(params) == wire.Array:
		i := 0
		for raw := range form.Array(params) {
			switch strconv.Itoa(i) {
			case sub.ID:
				id, _ = t.decodeID(raw)
			case sub.Item:
				item.item = raw
			}
			i++
		}
		if sub.Item == "" {
			item.item = params
		}
	case sub.ID == "":
		item.item = params
		if raw := t.member(params, sub.Item); raw != nil {
			item.item = raw
		}
	default:
		for name, raw := range form.Object(params) {
			switch name {
			case sub.ID:
				id, _ = t.decodeID(raw)
			case sub.Item:
				item.item = raw
			case "error":
				item.err = raw
			case "done":
				item.end = string(raw) == "true"
			}
		}
		if item.err != nil && form.Kind(item.item) == wire.Null {
			item.item = nil // a server that names each member always
		}
	}
	return id, item
}

// member returns a member of an object, or nil.
func (t *subscriptions) member(params []byte, name string) []byte {
	for n, raw := range t.session.Format.Object(params) {
		if n == name {
			return raw
		}
	}
	return nil
}

// decodeID returns an id, which is a string or a number, in a form of its own for each.
func (t *subscriptions) decodeID(raw []byte) (id string, ok bool) {
	switch form := t.session.Format; form.Kind(raw) {
	case wire.String:
		id, ok = form.String(raw)
		return "s" + id, ok
	case wire.Number:
		return "n" + string(raw), true
	}
	return "", false
}
