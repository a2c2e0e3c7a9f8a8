package lists

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/wirecall/wirecall/example/internal/signal"
)

// A Server is a Lists whose items are in a database.
type Server struct {
	store
	epoch   string
	changed signal.Signal
}

var _ interface {
	Lists
	io.Closer
} = (*Server)(nil)

const serverTables = `CREATE TABLE IF NOT EXISTS clients (id TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS server (epoch TEXT);`

// OpenServer opens the lists that a file keeps, or empty ones that last as long as
// the process if it has no name. One that was restored from a copy lacks changes that
// replicas may have: it begins another epoch.
func OpenServer(ctx context.Context, file string, restored bool) (*Server, error) {
	store, err := open(file, serverTables)
	if err != nil {
		return nil, err
	}
	s := &Server{store: store}
	err = s.update(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT epoch FROM server").Scan(&s.epoch)
		if err == nil && !restored || err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		s.epoch = rand.Text()
		_, err = tx.ExecContext(ctx, "DELETE FROM server; INSERT INTO server (epoch) VALUES (?)", s.epoch)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Apply implements Lists.
func (s *Server) Apply(ctx context.Context, client string, edits []Edit) (now []Item, err error) {
	if client == "" || len(client) > MaxName {
		return nil, &Refused{Why: fmt.Sprintf("a client's id has 1 to %d bytes", MaxName)}
	}
	if len(edits) > MaxEdits {
		return nil, &Refused{Why: fmt.Sprintf("%d edits at once, of %d at most", len(edits), MaxEdits)}
	}
	err = s.update(ctx, func(tx *sql.Tx) error {
		if err := s.applyNew(ctx, tx, client, edits); err != nil {
			return err
		}
		for _, e := range edits {
			i, err := item(ctx, tx, e.List, e.Item)
			if err != nil {
				return err
			}
			now = append(now, i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.changed.Fire()
	return now, nil
}

// applyNew stores those edits that have not been stored yet.
func (s *Server) applyNew(ctx context.Context, tx *sql.Tx, client string, edits []Edit) error {
	stored, err := number(ctx, tx, "SELECT number FROM clients WHERE id = ?", client)
	if err != nil {
		return err
	}
	last, err := lastChange(ctx, tx)
	if err != nil {
		return err
	}
	before := int64(0)
	for _, e := range edits {
		if err := e.check(); err != nil {
			return err
		}
		if e.Number <= before {
			return &Refused{e.Number, fmt.Sprintf("it comes after edit %d", before)}
		}
		before = e.Number
		if e.Number <= stored {
			continue
		}
		i, err := item(ctx, tx, e.List, e.Item)
		if err != nil {
			return err
		}
		last++
		i.Seq = last
		if i.First == 0 {
			i.First = last
		}
		e.apply(&i)
		if err := put(ctx, tx, i); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO clients (id, number) VALUES (?, ?)", client, max(stored, before))
	return err
}

// lastChange returns the sequence of the last change. The item that it changed has it
// until it changes again, and nothing is taken out of the table.
func lastChange(ctx context.Context, q querier) (int64, error) {
	return number(ctx, q, "SELECT coalesce(max(seq), 0) FROM items")
}

// Last implements Lists.
func (s *Server) Last(ctx context.Context, list string) (epoch string, last int64, err error) {
	last, err = number(ctx, s.db, "SELECT coalesce(max(seq), 0) FROM items WHERE list = ?", list)
	return s.epoch, last, err
}

// page is how many items a stream takes from the database at once.
const page = 64

// Changes implements Lists. What has changed and what changes now are read in the same way,
// so that nothing can fall between them.
func (s *Server) Changes(ctx context.Context, list, epoch string, after int64) (iter.Seq2[Item, error], error) {
	if epoch != s.epoch {
		return nil, &Anew{s.epoch}
	}
	return func(yield func(Item, error) bool) {
		for {
			changed := s.changed.Next()
			some, err := items(ctx, s.db, "list = ? AND seq > ? ORDER BY seq LIMIT ?", list, after, page)
			if err != nil {
				yield(Item{}, err)
				return
			}
			for _, i := range some {
				if !yield(i, nil) {
					return
				}
				after = i.Seq
			}
			if len(some) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(Item{}, context.Cause(ctx))
				return
			}
		}
	}, nil
}
