package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
)

// join is in a room under a name, until the input or ctx ends or the room is
// lost.
func join(ctx context.Context, url, name string, after int64, t *terminal) error {
	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{Resume: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	v := &visitor{name: name, room: chat.NewRoomClient(conn), terminal: t, typing: make(map[string]bool)}
	return v.visit(ctx, after)
}

// typingInterval is how often a client that keeps typing reports it to the room.
const typingInterval = 3 * time.Second

// A visitor is somebody at a terminal in a room.
type visitor struct {
	name string
	room chat.Room
	*terminal
	told time.Time // when the room was last told that we are typing

	mu     sync.Mutex
	typing map[string]bool // who is said to be typing
}

var errRoomClosed = errors.New("the room has closed")

// visit shows what happens and posts what is typed, side by side. The first of
// them to end ends the others.
func (v *visitor) visit(ctx context.Context, after int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	now, changes, err := v.room.Watch(ctx, v.name)
	if err != nil {
		return err
	}
	messages, err := v.room.Messages(ctx, after)
	if err != nil {
		return err
	}
	v.show("* here: %s", strings.Join(now.Online, ", "))

	var parts sync.WaitGroup
	for _, part := range []func() error{
		func() error { return v.listen(messages) },
		func() error { return v.look(changes) },
		func() error { return v.talk(ctx) },
	} {
		parts.Go(func() { cancel(part()) })
	}
	parts.Wait()
	if err := context.Cause(ctx); !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// listen shows messages.
func (v *visitor) listen(messages iter.Seq2[chat.Message, error]) error {
	for m, err := range messages {
		if err != nil {
			return err
		}
		v.mu.Lock()
		delete(v.typing, m.Author)
		v.mu.Unlock()
		v.show("%s %s: %s", m.Time.Local().Format("15:04"), m.Author, m.Text)
	}
	return errRoomClosed
}

// look shows who comes, goes and types.
func (v *visitor) look(changes iter.Seq2[chat.Delta, error]) error {
	for d, err := range changes {
		if err != nil {
			return err
		}
		for _, name := range d.Joined {
			v.show("* %s is here", name)
		}
		for _, name := range d.Left {
			v.show("* %s has left", name)
		}
		for _, name := range d.Typing {
			if v.begins(name) {
				v.show("* %s is typing", name)
			}
		}
	}
	return errRoomClosed
}

// begins reports whether a name is not yet said to be typing, and says so from
// then on. A message of that name's ends it.
func (v *visitor) begins(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	begins := !v.typing[name] && name != v.name
	v.typing[name] = true
	return begins
}

// talk posts lines. If the room refuses one, its error is printed and the line dropped.
func (v *visitor) talk(ctx context.Context) error {
	defer v.byKey()()
	for line, err := range v.lines(ctx, func() { v.tell(ctx) }) {
		if err != nil {
			return err
		}
		if line == "" {
			continue
		}
		v.told = time.Time{}
		_, err := v.room.Post(ctx, v.name, line)
		tooLong, refused := errors.AsType[*chat.TooLong](err)
		switch {
		case refused:
			v.show("* not posted: %v", tooLong)
		case err != nil:
			return fmt.Errorf("post: %w", err)
		}
	}
	return io.EOF
}

// tell tells the room that we are typing. That it may get lost does no harm.
func (v *visitor) tell(ctx context.Context) {
	if time.Since(v.told) > typingInterval {
		v.told = time.Now()
		v.room.Typing(ctx, v.name)
	}
}
