package nodelink_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/wirecall/wirecall/cluster/internal/nodelink"
)

type addr string

func (a addr) Network() string { return "test" }
func (a addr) String() string  { return string(a) }

// A carrier carries messages one way, by a goroutine of its own.
type carrier struct {
	messages chan []byte
	to       func(message []byte)

	mu     sync.Mutex
	change func(message []byte) [][]byte // what arrives in place of a message; nil for it alone
}

func (c *carrier) send(message []byte) error {
	c.messages <- slices.Clone(message)
	return nil
}

func (c *carrier) run(done <-chan struct{}) {
	for {
		select {
		case m := <-c.messages:
			for _, m := range c.changed(m) {
				c.to(m)
			}
		case <-done:
			return
		}
	}
}

func (c *carrier) changed(m []byte) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.change == nil {
		return [][]byte{m}
	}
	return c.change(m)
}

// set sets what arrives in place of each message.
func (c *carrier) set(change func([]byte) [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change = change
}

// pair returns the two ends of a link, and what carries the messages of each.
func pair() (a, b *nodelink.Conn, fromA, fromB *carrier, stop func()) {
	done := make(chan struct{})
	fromA, fromB = &carrier{messages: make(chan []byte, 1000)}, &carrier{messages: make(chan []byte, 1000)}
	end := func(name string, from *carrier) *nodelink.Conn {
		return nodelink.New(nodelink.Options{Send: from.send, Ended: func() {}, Local: addr(name), Remote: addr("not " + name), MaxMessage: 4096, Beat: time.Second})
	}
	a, b = end("a", fromA), end("b", fromB)
	fromA.to, fromB.to = b.Receive, a.Receive
	go fromA.run(done)
	go fromB.run(done)
	return a, b, fromA, fromB, func() {
		a.Close()
		b.Close()
		close(done)
	}
}

// A Conn does what the package net asks of connections.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		a, b, _, _, stop := pair()
		return a, b, stop, nil
	})
}

// A writer waits for a reader, and the memory of an end that is not read is bounded.
func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _, _, stop := pair()
		defer stop()
		sent := make([]byte, 10*nodelink.Window)
		for i := range sent {
			sent[i] = byte(rand.Int())
		}
		wrote := make(chan error, 1)
		go func() {
			_, err := a.Write(sent)
			wrote <- err
		}()
		time.Sleep(time.Minute)
		if len(wrote) > 0 {
			t.Fatal("all was written and nothing read")
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("read %v; equal is %v", err, bytes.Equal(got, sent))
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

// A message that is lost, doubled, overtaken, cut or none breaks the link at both ends,
// also when it is the last one. Nothing is read that was not written.
func TestMessagesAltered(t *testing.T) {
	var held []byte
	for name, change := range map[string]func(m []byte) [][]byte{
		"lost":    func([]byte) [][]byte { return nil },
		"doubled": func(m []byte) [][]byte { return [][]byte{m, m} },
		"overtaken": func(m []byte) [][]byte {
			if held == nil {
				held = m
				return nil
			}
			return [][]byte{m, held}
		},
		"cut":    func(m []byte) [][]byte { return [][]byte{m[:5]} },
		"none":   func(m []byte) [][]byte { return [][]byte{nil, m} },
		"kind":   func(m []byte) [][]byte { return [][]byte{append([]byte{'?'}, m[1:]...)} },
		"credit": func(m []byte) [][]byte { return [][]byte{append([]byte{'c'}, m[1:]...)} },
		"too much": func(m []byte) [][]byte {
			return [][]byte{append(slices.Clone(m[:9]), make([]byte, nodelink.Window+1)...)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, fromA, _, stop := pair()
				defer stop()
				a.Write([]byte("whole"))
				synctest.Wait()
				held = nil
				fromA.set(change)
				a.Write([]byte("altered"))
				got, err := io.ReadAll(b)
				if err == nil || string(got) != "whole" && string(got) != "wholealtered" {
					t.Errorf("b reads %q, %v", got, err)
				}
				if got, err := io.ReadAll(a); err == nil {
					t.Errorf("a reads %q, %v", got, err)
				}
				if _, err := a.Write([]byte("x")); err == nil {
					t.Error("a writes")
				}
			})
		})
	}
}

// An end that does not show that it is there is found, at both ends, and one that only has
// nothing to send is not.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, fromA, fromB, stop := pair()
		defer stop()
		var messages atomic.Int64
		fromA.set(func(m []byte) [][]byte { messages.Add(1); return [][]byte{m} })
		time.Sleep(time.Hour)
		if messages.Load() > 3600/12 {
			t.Errorf("an idle end has sent %d messages in 3600 beats", messages.Load())
		}
		began := time.Now()
		for _, c := range []*carrier{fromA, fromB} {
			c.set(func([]byte) [][]byte { return nil })
		}
		for _, c := range []*nodelink.Conn{a, b} {
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the silent link ends with %v", err)
			}
		}
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("the silence was found after %v", took)
		}
	})
}

// That the last message was lost is found within two beats.
func TestLastLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, fromA, _, stop := pair()
		defer stop()
		time.Sleep(time.Hour)
		fromA.set(func([]byte) [][]byte { fromA.change = nil; return nil })
		began := time.Now()
		a.Write([]byte("x"))
		if _, err := b.Read(make([]byte, 1)); err == nil || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// What was written before Close is read, and then io.EOF; what is written to a closed end
// is an error.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _, _, stop := pair()
		defer stop()
		a.Write(make([]byte, 100_000))
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("close again: %v", err)
		}
		if got, err := io.ReadAll(b); len(got) != 100_000 || err != nil {
			t.Errorf("b reads %d bytes, %v", len(got), err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("b writes to a closed end: %v", err)
		}
		time.Sleep(time.Hour) // an end whose other is closed does not break
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("b reads %v", err)
		}
	})
}

// A reset ends an end with what it says, once.
func TestReset(t *testing.T) {
	for _, why := range []error{nodelink.ErrBusy, nodelink.ErrNoService, nil} {
		ended := 0
		c := nodelink.New(nodelink.Options{Send: func([]byte) error { return nil }, Ended: func() { ended++ }, MaxMessage: 100, Beat: time.Hour})
		c.Receive(nodelink.Reset(why))
		c.Receive(nodelink.Reset(why))
		if _, err := c.Read(make([]byte, 1)); err == nil || why != nil && err != why || !errors.Is(c.Err(), err) {
			t.Errorf("reset by %v: %v", why, err)
		}
		c.Close()
		if ended != 1 {
			t.Errorf("ended %d times", ended)
		}
	}
}

// A carrier that fails breaks the link.
func TestSendFails(t *testing.T) {
	gone := errors.New("gone")
	c := nodelink.New(nodelink.Options{Send: func([]byte) error { return gone }, Ended: func() {}, MaxMessage: 100, Beat: time.Hour})
	if _, err := c.Write([]byte("x")); err != gone {
		t.Errorf("write: %v", err)
	}
	if _, err := c.Read([]byte("x")); err != gone {
		t.Errorf("read: %v", err)
	}
}
