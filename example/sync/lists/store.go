package lists

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // the driver
)

// A store is the items of a server or of a replica, in an SQLite database.
type store struct{ db *sql.DB }

const itemsTable = `CREATE TABLE IF NOT EXISTS items (
	list TEXT, id TEXT, text TEXT, done INTEGER, deleted INTEGER, first INTEGER, seq INTEGER,
	PRIMARY KEY (list, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS changes ON items (list, seq);
`

// open opens a database, or makes it if there is none, with its tables. An empty name is
// one in memory.
func open(file, tables string) (store, error) {
	name := ":memory:"
	if file != "" {
		name = "file:" + file + "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)"
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return store{}, err
	}
	db.SetMaxOpenConns(1) // a database in memory is its connection's; SQLite has one writer at a time
	if _, err := db.Exec(itemsTable + tables); err != nil {
		return store{}, errors.Join(fmt.Errorf("open %s: %w", file, err), db.Close())
	}
	return store{db}, nil
}

func (s store) Close() error { return s.db.Close() }

// update runs f in a transaction, which is undone if f fails.
func (s store) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// items returns the items for which a condition holds, with what follows it in the query.
func items(ctx context.Context, q querier, where string, args ...any) (all []Item, err error) {
	rows, err := q.QueryContext(ctx, "SELECT list, id, text, done, deleted, first, seq FROM items WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i Item
		if err := rows.Scan(&i.List, &i.ID, &i.Text, &i.Done, &i.Deleted, &i.First, &i.Seq); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, rows.Err()
}

// item returns an item, or the zero Item if there is none.
func item(ctx context.Context, q querier, list, id string) (Item, error) {
	found, err := items(ctx, q, "list = ? AND id = ?", list, id)
	if len(found) == 0 {
		return Item{}, err
	}
	return found[0], nil
}

// put stores an item in place of the one before.
func put(ctx context.Context, tx *sql.Tx, i Item) error {
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO items (list, id, text, done, deleted, first, seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
		i.List, i.ID, i.Text, i.Done, i.Deleted, i.First, i.Seq)
	return err
}

// number returns the only column of the only row of a query, or 0 if there is none.
func number(ctx context.Context, q querier, query string, args ...any) (n int64, err error) {
	err = q.QueryRowContext(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}
