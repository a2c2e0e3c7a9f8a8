package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wirecall/wirecall/example/sync/lists"
	"github.com/wirecall/wirecall/rpc"
)

// An editor edits a replica of a list.
type editor struct {
	file, list, url string
	wait            time.Duration // for the server
	out             io.Writer
	replica         *lists.Replica
}

// run does what a command says, and keeps the replica in step with the server while it
// can be reached.
func (e *editor) run(ctx context.Context, command []string) (err error) {
	e.replica, err = lists.OpenReplica(ctx, e.file, e.list, func(_ lists.Edit, why *lists.Refused) { fmt.Fprintln(e.out, "refused:", why.Why) })
	if err != nil {
		return err
	}
	defer e.replica.Close()
	edit, err := e.edit(ctx, command)
	if err != nil {
		return err
	}
	if edit != (lists.Edit{}) {
		if err := e.replica.Edit(ctx, edit); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	var syncing sync.WaitGroup
	defer syncing.Wait()
	defer stop()
	inStep := make(chan error, 1)
	syncing.Go(func() { inStep <- e.sync(ctx, &syncing) })
	if command[0] == "follow" {
		return e.follow(ctx)
	}
	select {
	case err = <-inStep:
	case <-time.After(e.wait):
		fmt.Fprintf(e.out, "the server cannot be reached at %s\n", e.url)
	}
	return errors.Join(err, e.show(ctx))
}

// edit returns the edit that a command is, which may be none.
func (e *editor) edit(ctx context.Context, command []string) (lists.Edit, error) {
	name, args := command[0], command[1:]
	switch name {
	case "show", "follow":
		if len(args) == 0 {
			return lists.Edit{}, nil
		}
	case "add":
		if len(args) > 0 {
			return lists.Edit{Text: new(strings.Join(args, " "))}, nil
		}
	case "text", "done", "undone", "delete":
		if len(args) == 0 || (len(args) > 1) != (name == "text") {
			break
		}
		item, err := e.item(ctx, args[0])
		switch name {
		case "text":
			return lists.Edit{Item: item, Text: new(strings.Join(args[1:], " "))}, err
		case "delete":
			return lists.Edit{Item: item, Deleted: new(true)}, err
		}
		return lists.Edit{Item: item, Done: new(name == "done")}, err
	}
	return lists.Edit{}, errUsage
}

// item returns the id of the item that is shown with a number.
func (e *editor) item(ctx context.Context, number string) (string, error) {
	all, _, err := e.replica.Items(ctx)
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(all) {
		return "", fmt.Errorf("no item %s: the list has %d", number, len(all))
	}
	return all[n-1].ID, nil
}

// sync keeps the replica in step with the server from when it is reached until ctx ends. It
// returns once they are in step.
func (e *editor) sync(ctx context.Context, syncing *sync.WaitGroup) error {
	conn, err := rpc.Dial(ctx, e.url, &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{RetryFirst: true, MaxDelay: 5 * time.Second}})
	if err != nil {
		return err
	}
	server := lists.NewListsClient(conn)
	syncing.Go(func() {
		defer conn.Close()
		if err := e.replica.Sync(ctx, server); ctx.Err() == nil {
			fmt.Fprintln(e.out, "no longer in step with the server:", err)
		}
	})
	return e.replica.Wait(ctx, server)
}

// follow shows the list whenever it changes, until ctx ends.
func (e *editor) follow(ctx context.Context) error {
	for {
		changed := e.replica.Changed()
		if err := e.show(ctx); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// show prints the list.
func (e *editor) show(ctx context.Context) error {
	all, waiting, err := e.replica.Items(ctx)
	if err != nil {
		return err
	}
	for n, i := range all {
		mark := " "
		if i.Done {
			mark = "x"
		}
		fmt.Fprintf(e.out, "%d [%s] %q\n", n+1, mark, i.Text)
	}
	if len(all) == 0 {
		fmt.Fprintln(e.out, "the list is empty")
	}
	if waiting > 0 {
		fmt.Fprintf(e.out, "edits that the server does not have yet: %d\n", waiting)
	}
	return nil
}
