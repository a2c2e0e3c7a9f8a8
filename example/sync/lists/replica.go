package lists

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/wirecall/wirecall/example/internal/signal"
)

// A Replica is a copy of one list on a device. It is edited at any time; while Sync runs it
// sends its edits and reads those of others. What it has is in its database before a
// method returns. Its methods may be called by many at once, but only one program may have
// a database open, since it numbers the edits.
type Replica struct {
	store
	list, client string
	changed      signal.Signal
	refused      func(Edit, *Refused)
}

const replicaTables = `CREATE TABLE IF NOT EXISTS replica (list TEXT, client TEXT, number INTEGER, epoch TEXT, after INTEGER);
CREATE TABLE IF NOT EXISTS edits (number INTEGER PRIMARY KEY, edit TEXT);`

// OpenReplica opens the copy of a list that a file keeps, or makes an empty one; without a
// name of a file it lasts as long as the process. Edits that the server refuses are given
// to refused, and dropped.
func OpenReplica(ctx context.Context, file, list string, refused func(Edit, *Refused)) (*Replica, error) {
	s, err := open(file, replicaTables)
	if err != nil {
		return nil, err
	}
	r := &Replica{store: s, refused: refused}
	err = s.db.QueryRowContext(ctx, "SELECT list, client FROM replica").Scan(&r.list, &r.client)
	if errors.Is(err, sql.ErrNoRows) {
		r.list, r.client = list, rand.Text()
		_, err = s.db.ExecContext(ctx, "INSERT INTO replica (list, client, number, epoch, after) VALUES (?, ?, 0, '', 0)", r.list, r.client)
	}
	if err == nil && r.list != list {
		err = fmt.Errorf("%s is a copy of the list %q, not of %q", file, r.list, list)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Changed returns a channel that is closed when the items or the waiting edits change.
func (r *Replica) Changed() <-chan struct{} { return r.changed.Next() }

// Edit stores an edit, which Items shows from now on. An edit without an item makes one.
func (r *Replica) Edit(ctx context.Context, e Edit) error {
	e.List = r.list
	if e.Item == "" {
		e.Item = rand.Text()
	}
	return r.change(ctx, func(tx *sql.Tx) (err error) {
		if e.Number, err = number(ctx, tx, "UPDATE replica SET number = number + 1 RETURNING number"); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
		text, err := json.Marshal(e)
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO edits (number, edit) VALUES (?, ?)", e.Number, string(text))
		}
		return err
	})
}

// change runs f in a transaction and tells of the change.
func (r *Replica) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	err := r.update(ctx, f)
	if err == nil {
		r.changed.Fire()
	}
	return err
}

// Items returns what stands on the list, with the edits that the server does not have yet, and how
// many those are.
func (r *Replica) Items(ctx context.Context) (all []Item, waiting int, err error) {
	var edits []Edit
	err = r.update(ctx, func(tx *sql.Tx) (err error) {
		if all, err = items(ctx, tx, "list = ? ORDER BY first", r.list); err == nil {
			edits, err = waitingEdits(ctx, tx)
		}
		return err
	})
	for _, e := range edits {
		at := slices.IndexFunc(all, func(i Item) bool { return i.ID == e.Item })
		if at < 0 {
			at = len(all)
			all = append(all, Item{})
		}
		e.apply(&all[at])
	}
	all = slices.DeleteFunc(all, func(i Item) bool { return i.Deleted })
	return all, len(edits), err
}

// waitingEdits returns the edits that the server does not have, as far as is known.
func waitingEdits(ctx context.Context, q querier) (edits []Edit, err error) {
	rows, err := q.QueryContext(ctx, "SELECT edit FROM edits ORDER BY number")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var e Edit
		if err := errors.Join(rows.Scan(&text), json.Unmarshal([]byte(text), &e)); err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, rows.Err()
}

// Sync sends edits and reads changes until ctx or the connection ends, and returns why it
// ended. A connection that is lost and comes back does not end it.
func (r *Replica) Sync(ctx context.Context, server Lists) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- r.send(ctx, server) }()
	go func() { ended <- r.receive(ctx, server) }()
	err := <-ended
	cancel()
	<-ended
	return err
}

// Wait returns when the server has all edits that are waiting, and the replica has all changes
// that the server had when Wait was called. Sync must be running.
func (r *Replica) Wait(ctx context.Context, server Lists) error {
	epoch, last, err := server.Last(ctx, r.list)
	for err == nil {
		changed := r.changed.Next()
		var inStep bool
		err = r.db.QueryRowContext(ctx, "SELECT epoch = ? AND after >= ? AND NOT EXISTS (SELECT * FROM edits) FROM replica", epoch, last).Scan(&inStep)
		if err != nil || inStep {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	return err
}

// send sends edits as they come.
func (r *Replica) send(ctx context.Context, server Lists) error {
	for {
		changed := r.changed.Next()
		edits, err := waitingEdits(ctx, r.db)
		if err != nil {
			return err
		}
		if len(edits) == 0 {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if err := r.sendSome(ctx, server, edits[:min(len(edits), MaxEdits)]); err != nil {
			return err
		}
	}
}

// sendSome sends edits, and takes what they became in place of them.
func (r *Replica) sendSome(ctx context.Context, server Lists, edits []Edit) error {
	now, err := server.Apply(ctx, r.client, edits)
	if refused, ok := errors.AsType[*Refused](err); ok {
		at := slices.IndexFunc(edits, func(e Edit) bool { return e.Number == refused.Number })
		if at < 0 {
			return err
		}
		r.refused(edits[at], refused)
		return r.change(ctx, func(tx *sql.Tx) error { return drop(ctx, tx, edits[at:at+1]) })
	}
	if err != nil {
		return err
	}
	return r.change(ctx, func(tx *sql.Tx) error {
		for _, i := range now {
			if err := merge(ctx, tx, i); err != nil {
				return err
			}
		}
		return drop(ctx, tx, edits)
	})
}

// drop removes edits that have been stored or refused.
func drop(ctx context.Context, tx *sql.Tx, edits []Edit) error {
	for _, e := range edits {
		if _, err := tx.ExecContext(ctx, "DELETE FROM edits WHERE number = ?", e.Number); err != nil {
			return err
		}
	}
	return nil
}

// merge stores an item of the server unless a later state of it is there.
func merge(ctx context.Context, tx *sql.Tx, i Item) error {
	known, err := item(ctx, tx, i.List, i.ID)
	if err != nil || known.Seq >= i.Seq {
		return err
	}
	return put(ctx, tx, i)
}

// receive reads changes behind the cursor, and from the beginning if the server has begun
// another epoch.
func (r *Replica) receive(ctx context.Context, server Lists) error {
	for {
		err := r.receiveAfter(ctx, server)
		anew, ok := errors.AsType[*Anew](err)
		if !ok {
			return err
		}
		err = r.change(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM items; UPDATE replica SET epoch = ?, after = 0", anew.Epoch)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// receiveAfter reads changes until the stream ends.
func (r *Replica) receiveAfter(ctx context.Context, server Lists) error {
	var epoch string
	var after int64
	if err := r.db.QueryRowContext(ctx, "SELECT epoch, after FROM replica").Scan(&epoch, &after); err != nil {
		return err
	}
	changes, err := server.Changes(ctx, r.list, epoch, after)
	if err != nil {
		return err
	}
	for i, err := range changes {
		if err != nil {
			return err
		}
		err = r.change(ctx, func(tx *sql.Tx) error {
			if err := merge(ctx, tx, i); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "UPDATE replica SET after = ?", i.Seq)
			return err
		})
		if err != nil {
			return err
		}
	}
	return errors.New("the server has ended the stream of changes")
}
