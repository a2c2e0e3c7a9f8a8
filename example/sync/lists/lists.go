// Package lists is shared lists that can be edited offline: shopping, chores, what to
// pack.
//
// A server keeps the items in a database. Each change of an item has a sequence, which is
// written in one transaction with it. A [Replica] on a device keeps a copy in a database
// of its own, edits it with or without a connection, sends its edits when there is one,
// and reads what others have changed behind its cursor, the sequence that it has come to.
// All replicas that have read everything are equal.
//
// An edit is stored once, however often it is sent, because its client numbers its
// edits. Where two clients edit the same item, each edit sets the fields that it has: of
// two that set the same field, the one that the server stores last stays.
//
// The interface is in this file; store.go and service.go are the server's side,
// replica.go is the device's. There are no accounts: who knows a list's name may edit it.
package lists

import (
	"context"
	"fmt"
	"iter"
)

//go:generate go tool wirecall gen -ts ../web/src/api

// Lists keeps lists of items for many clients.
//
//wirecall:service
//wirecall:error Refused 1001
//wirecall:error Anew 1002
type Lists interface {
	// Apply stores edits of one client, all or none of them, and returns the items that
	// they concern, in the order of the edits, as they are after all of them. Edits come in the
	// order of their numbers; those whose number has been stored already are not stored
	// again. An edit that is not allowed is a *Refused.
	//
	//wirecall:idempotent
	Apply(ctx context.Context, client string, edits []Edit) ([]Item, error)

	// Changes streams the items of a list that have changed after the given sequence:
	// first those that have changed already, then those that change from now on, in the
	// order of their sequences. Sequences count in an epoch of the server; if it has
	// begun another one, or is asked for the first time, the error is an *Anew.
	//
	//wirecall:cursor after=Seq
	Changes(ctx context.Context, list, epoch string, after int64) (iter.Seq2[Item, error], error)

	// Last returns the server's epoch and the sequence of the last change of a list, or 0 if
	// there is none.
	//
	//wirecall:idempotent
	Last(ctx context.Context, list string) (epoch string, last int64, err error)
}

// An Item is what stands on a list. A deleted item stays, so that others learn of it.
type Item struct {
	List    string `json:"list"`
	ID      string `json:"id"`
	Text    string `json:"text"`
	Done    bool   `json:"done"`
	Deleted bool   `json:"deleted"`
	First   int64  `json:"first"` // the sequence of its first change, by which a list is sorted
	Seq     int64  `json:"seq"`   // the sequence of its last change
}

// An Edit sets those fields of an item that it has. The item is made if there is none.
type Edit struct {
	Number  int64   `json:"number"` // counts the edits of a client, from 1
	List    string  `json:"list"`
	Item    string  `json:"item"` // an id that the client makes up and nobody else does, such as a UUID
	Text    *string `json:"text,omitempty"`
	Done    *bool   `json:"done,omitempty"`
	Deleted *bool   `json:"deleted,omitempty"`
}

// apply sets the fields of an item that the edit has.
func (e *Edit) apply(i *Item) {
	i.List, i.ID = e.List, e.Item
	if e.Text != nil {
		i.Text = *e.Text
	}
	if e.Done != nil {
		i.Done = *e.Done
	}
	if e.Deleted != nil {
		i.Deleted = *e.Deleted
	}
}

// The most that is accepted: bytes of a name and of a text, and edits at once.
const (
	MaxName  = 64
	MaxText  = 1 << 10
	MaxEdits = 100
)

// check returns a *Refused for an edit that is not allowed.
func (e *Edit) check() error {
	switch {
	case e.Number < 1:
		return &Refused{e.Number, "edits are numbered from 1"}
	case e.List == "" || len(e.List) > MaxName:
		return &Refused{e.Number, fmt.Sprintf("a list's name has 1 to %d bytes", MaxName)}
	case e.Item == "" || len(e.Item) > MaxName:
		return &Refused{e.Number, fmt.Sprintf("an item's id has 1 to %d bytes", MaxName)}
	case e.Text != nil && len(*e.Text) > MaxText:
		return &Refused{e.Number, fmt.Sprintf("the text has %d bytes, an item takes %d", len(*e.Text), MaxText)}
	}
	return nil
}

// Refused is the error of edits of which one is not allowed. None of them is stored.
type Refused struct {
	Number int64  `json:"number"` // the edit's; 0 for all
	Why    string `json:"why"`
}

func (e *Refused) Error() string { return fmt.Sprintf("edit %d: %s", e.Number, e.Why) }

// Anew is the error of a cursor of another epoch: the server was set up anew, or restored
// from a copy. A replica begins at 0 then and keeps its edits.
type Anew struct {
	Epoch string `json:"epoch"` // of the server
}

func (e *Anew) Error() string { return "the server's changes are counted anew, in epoch " + e.Epoch }
