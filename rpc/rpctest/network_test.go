package rpctest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc/rpctest"
)

// dial returns both ends of a new connection.
func dial(t *testing.T, n *rpctest.Network) (client, server net.Conn) {
	t.Helper()
	ln := n.Listen()
	defer ln.Close()
	client, err := n.Dial(t.Context(), "tcp", "any")
	if err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// always is a plan for every connection.
func always(p rpctest.Plan) func(int) rpctest.Plan {
	return func(int) rpctest.Plan { return p }
}

// first is a plan for the first connection alone.
func first(p rpctest.Plan) func(int) rpctest.Plan {
	return func(n int) rpctest.Plan {
		if n > 0 {
			return rpctest.Plan{}
		}
		return p
	}
}

// up is a plan with events on the way up.
func up(events ...rpctest.Event) func(int) rpctest.Plan {
	return always(rpctest.Plan{Up: rpctest.Path{Events: events}})
}

// write writes text, which must succeed.
func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if n, err := io.WriteString(c, text); n != len(text) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", text, n, err)
	}
}

// ends holds that all that can still be read is text, and then err; nil is the
// end.
func ends(t *testing.T, c net.Conn, text string, err error) {
	t.Helper()
	got, gotErr := io.ReadAll(c)
	if string(got) != text || !errors.Is(gotErr, err) {
		t.Errorf("read %q, %v; want %q, %v", got, gotErr, text, err)
	}
}

// A cut at any byte: what comes before arrives, and nothing else, in however many
// writes; both ends hear of it.
func TestCutAtEveryByte(t *testing.T) {
	const text = "conversation"
	for at := range len(text) + 1 {
		for size := 1; size <= len(text); size += 3 {
			synctest.Test(t, func(t *testing.T) {
				cut := rpctest.Path{Events: []rpctest.Event{{At: at}}}
				for _, plan := range []rpctest.Plan{{Up: cut}, {Down: cut}} {
					n := &rpctest.Network{Plan: always(plan)}
					from, to := dial(t, n)
					if len(plan.Down.Events) > 0 {
						from, to = to, from
					}
					var err error
					for i := 0; i < len(text) && err == nil; i += size {
						_, err = io.WriteString(from, text[i:min(i+size, len(text))])
					}
					if _, err := from.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("a write after the cut at %d: %v", at, err)
					}
					ends(t, to, text[:at], syscall.ECONNRESET)
					ends(t, from, "", syscall.ECONNRESET)
					if s := n.Stats(); s.Conns != 1 || s.Cuts != 1 || s.Up+s.Down != at {
						t.Errorf("cut at %d: %+v", at, s)
					}
				}
			})
		}
	}
}

// A cut at 0 waits for nobody to write.
func TestCutAtOnce(t *testing.T) {
	cut := rpctest.Path{Events: []rpctest.Event{{At: 0}}}
	for _, plan := range []rpctest.Plan{{Up: cut}, {Down: cut}} {
		client, server := dial(t, &rpctest.Network{Plan: always(plan)})
		ends(t, client, "", syscall.ECONNRESET)
		ends(t, server, "", syscall.ECONNRESET)
	}
}

func TestHangup(t *testing.T) {
	n := &rpctest.Network{Plan: up(rpctest.Event{At: 3, Do: rpctest.Hangup})}
	client, server := dial(t, n)
	write(t, server, "back")
	write(t, client, "there")
	ends(t, server, "the", nil)
	ends(t, client, "back", nil)
	for _, c := range []net.Conn{client, server} {
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
	}
	if s := n.Stats(); s.Hangups != 1 || n.Cut() != 0 {
		t.Errorf("%+v", s)
	}
}

// A direction that is half closed loses what is written, however much, until the
// connection is cut; the other goes on.
func TestHalfClose(t *testing.T) {
	n := &rpctest.Network{Plan: up(rpctest.Event{At: 3, Do: rpctest.HalfClose}), Buffer: 10}
	client, server := dial(t, n)
	write(t, client, strings.Repeat("there", 10))
	ends(t, server, "the", nil)
	write(t, server, "back")
	if s := n.Stats(); s.HalfCloses != 1 || s.Up != 3 || s.Down != 4 {
		t.Errorf("%+v", s)
	}
	if cut, s := n.Cut(), n.Stats(); cut != 1 || s.Cuts != 1 {
		t.Errorf("%d cut: %+v", cut, s)
	}
	ends(t, client, "back", syscall.ECONNRESET)
	if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// Events at one byte happen in their order, each after the stall before it, and
// nobody needs to read or write for that.
func TestEventsAtOneByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Plan: up(
			rpctest.Event{At: 7, Do: rpctest.Cut},
			rpctest.Event{At: 4, Do: rpctest.Stall, For: time.Minute},
			rpctest.Event{At: 4, Do: rpctest.HalfClose},
			rpctest.Event{At: 4, Do: rpctest.Stall, For: time.Minute},
			rpctest.Event{At: 4, Do: rpctest.Cut},
		)}
		client, server := dial(t, n)
		write(t, client, "there and more")
		start := time.Now()
		ends(t, server, "ther", nil)
		if d := time.Since(start); d != time.Minute {
			t.Errorf("half closed after %v", d)
		}
		ends(t, client, "", syscall.ECONNRESET)
		if d := time.Since(start); d != 2*time.Minute {
			t.Errorf("cut after %v", d)
		}
	})
}

// What stalls holds up its own direction, and its writer only when the buffer is
// full.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Plan: up(rpctest.Event{At: 2, Do: rpctest.Stall, For: time.Hour}), Buffer: 10}
		client, server := dial(t, n)
		start := time.Now()
		write(t, client, "0123456789")
		write(t, server, "back")
		if _, err := io.ReadFull(client, make([]byte, 4)); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		b := make([]byte, 20)
		if n, err := server.Read(b); n != 2 || err != nil {
			t.Error(n, err)
		}
		write(t, client, "ab") // there is room again
		client.SetWriteDeadline(time.Now().Add(time.Minute))
		if n, err := io.WriteString(client, "cd"); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(n, err)
		}
		client.Close()
		ends(t, server, "23456789ab", nil)
		if d := time.Since(start); d != time.Hour {
			t.Errorf("it took %v", d)
		}
	})
}

// A stall for ever ends with a cut, and with nothing else.
func TestStallForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Plan: up(rpctest.Event{At: 2, Do: rpctest.Stall}, rpctest.Event{At: 2, Do: rpctest.Cut}), Buffer: 10}
		client, server := dial(t, n)
		write(t, client, "there")
		client.Close()
		server.Read(make([]byte, 2))
		server.SetReadDeadline(time.Now().Add(1000 * time.Hour))
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		server.SetReadDeadline(time.Time{})
		write(t, server, "it does not know that the client has gone")
		if n := n.Cut(); n != 1 {
			t.Errorf("%d were open", n)
		}
		ends(t, server, "", syscall.ECONNRESET)
	})
}

// Latency delays each write and the end, and does not add up.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Plan: always(rpctest.Plan{Up: rpctest.Path{Latency: time.Second}})}
		client, server := dial(t, n)
		start, b := time.Now(), make([]byte, 10)
		for i, text := range []string{"a", "bc", ""} {
			if i > 0 {
				time.Sleep(100 * time.Millisecond)
			}
			if write(t, client, text); text == "" {
				client.Close()
			}
		}
		for i, text := range []string{"a", "bc", ""} {
			n, err := server.Read(b)
			if string(b[:n]) != text || (text == "") != (err == io.EOF) {
				t.Errorf("%q, %v; want %q", b[:n], err, text)
			}
			if d, want := time.Since(start), time.Second+time.Duration(i)*100*time.Millisecond; d != want {
				t.Errorf("%q after %v, want %v", text, d, want)
			}
		}
	})
}

// A drip is so many bytes per tick, in writes of any size.
func TestDrip(t *testing.T) {
	for _, size := range []int{1, 2, 5, 20} {
		synctest.Test(t, func(t *testing.T) {
			n := &rpctest.Network{Plan: always(rpctest.Plan{Up: rpctest.Path{Drip: 3, Tick: time.Second}})}
			client, server := dial(t, n)
			for range 20 / size {
				write(t, client, strings.Repeat("x", size))
			}
			start := time.Now()
			for got := 0; got < 20; {
				n, err := server.Read(make([]byte, 20))
				if err != nil {
					t.Fatal(err)
				}
				got += n
				if d := time.Since(start); got > 3*(1+int(d/time.Second)) {
					t.Fatalf("writes of %d: %d bytes after %v", size, got, d)
				}
			}
			if d := time.Since(start); d != 6*time.Second {
				t.Errorf("writes of %d: 20 bytes took %v", size, d)
			}
		})
	}
}

// What a tick leaves over is not added to the next.
func TestDripAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Plan: always(rpctest.Plan{Up: rpctest.Path{Drip: 3, Tick: time.Second}})}
		client, server := dial(t, n)
		b := make([]byte, 20)
		for _, text := range []string{"ab", "cdefghi"} {
			write(t, client, text)
			if n, err := server.Read(b); n != min(len(text), 3) || err != nil {
				t.Errorf("%d bytes of %q at once, %v", n, text, err)
			}
			time.Sleep(time.Minute)
		}
	})
}

// The buffer holds what is not read, wherever it is.
func TestBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := dial(t, &rpctest.Network{Buffer: 10})
		client.SetWriteDeadline(time.Now().Add(time.Hour))
		if n, err := io.WriteString(client, "0123456789ab"); n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(n, err)
		}
		client.Close()
		ends(t, server, "0123456789", nil)
	})
}

// Close delivers what was written, and then the end; the other end learns that
// nobody reads.
func TestClose(t *testing.T) {
	client, server := dial(t, &rpctest.Network{})
	write(t, client, "last")
	client.Close()
	ends(t, server, "last", nil)
	if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
	for _, err := range []error{
		client.Close(),
		client.SetDeadline(time.Time{}),
		func() error { _, err := client.Read(nil); return err }(),
		func() error { _, err := client.Write(nil); return err }(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestCloseWrite(t *testing.T) {
	client, server := dial(t, &rpctest.Network{})
	write(t, client, "question")
	client.(interface{ CloseWrite() error }).CloseWrite()
	ends(t, server, "question", nil)
	write(t, server, "answer")
	server.Close()
	ends(t, client, "answer", nil)
}

// A server may be restarted. While it is away nobody connects, and whom it has not
// accepted is reset.
func TestListener(t *testing.T) {
	n := &rpctest.Network{}
	if _, err := n.Dial(t.Context(), "tcp", "any"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error("without a listener:", err)
	}
	ln := n.Listen()
	waiting, err := n.Dial(t.Context(), "tcp", "any")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	ends(t, waiting, "", syscall.ECONNRESET)
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error("a closed listener accepts:", err)
	}
	dial(t, n)
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrNoProgress)
	if _, err := n.Dial(gone, "tcp", "any"); !errors.Is(err, io.ErrNoProgress) {
		t.Error("with a context that has ended:", err)
	}
}

func TestRefuse(t *testing.T) {
	n := &rpctest.Network{Plan: func(n int) rpctest.Plan { return rpctest.Plan{Refuse: n < 2} }}
	n.Listen()
	for i := range 3 {
		_, err := n.Dial(t.Context(), "tcp", "any")
		if refused := errors.Is(err, syscall.ECONNREFUSED); refused != (i < 2) {
			t.Errorf("dial %d: %v", i, err)
		}
	}
	if s := n.Stats(); s.Refused != 2 || s.Conns != 1 {
		t.Errorf("%+v", s)
	}
}

// The same seed makes the same plans, and another seed others; a probability that
// changes leaves the rest as it is.
func TestSeed(t *testing.T) {
	f := rpctest.Faults{Seed: 1, Cut: 1, Stall: 0.5, Drip: 0.5, Refuse: 0.5, StallFor: time.Minute, Latency: time.Second}
	other, more := f, f
	other.Seed = 2
	more.Hangup = 1
	for n := range 20 {
		plan := f.Plan(n)
		if !reflect.DeepEqual(plan, f.Plan(n)) {
			t.Errorf("plan %d differs from itself", n)
		}
		for name, p := range map[string]rpctest.Plan{"the next": f.Plan(n + 1), "the other seed's": other.Plan(n)} {
			if reflect.DeepEqual(plan, p) {
				t.Errorf("plan %d is %s as well", n, name)
			}
		}
		with := more.Plan(n)
		for _, p := range []*rpctest.Path{&with.Up, &with.Down} {
			p.Events = slices.DeleteFunc(p.Events, func(e rpctest.Event) bool { return e.Do == rpctest.Hangup })
		}
		if !reflect.DeepEqual(plan, with) {
			t.Errorf("plan %d without hangups: %+v; with them: %+v", n, plan, with)
		}
	}
}

// Whatever happens to a connection, what arrives is a beginning of what was
// written; and everything happens.
func TestFaults(t *testing.T) {
	text := make([]byte, 20_000)
	for i := range text {
		text[i] = byte(i * i >> 4)
	}
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Buffer: 1000, Plan: rpctest.Faults{
			Seed: 1, Cut: 0.2, Hangup: 0.2, HalfClose: 0.1, Stall: 0.3, Drip: 0.2, Refuse: 0.1,
			Within: 30_000, StallFor: time.Minute, Latency: time.Second,
		}.Plan}
		for range 100 {
			attempt(t, n, text)
		}
		stats := reflect.ValueOf(n.Stats())
		for i := range stats.NumField() {
			if stats.Field(i).IsZero() {
				t.Errorf("no %s: %+v", stats.Type().Field(i).Name, stats)
			}
		}
	})
}

// attempt sends text both ways over a new connection, with deadlines for what is
// lost.
func attempt(t *testing.T, n *rpctest.Network, text []byte) {
	ln := n.Listen()
	defer ln.Close()
	client, err := n.Dial(t.Context(), "tcp", "any")
	if err != nil {
		return
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range []net.Conn{client, server} {
		wg.Go(func() {
			c.SetReadDeadline(time.Now().Add(24 * time.Hour))
			got, _ := io.ReadAll(c)
			if !bytes.HasPrefix(text, got) {
				t.Errorf("%d bytes were read which are not those written", len(got))
			}
		})
		wg.Go(func() {
			c.SetWriteDeadline(time.Now().Add(24 * time.Hour))
			c.Write(text)
			c.(interface{ CloseWrite() error }).CloseWrite()
		})
	}
}

// Two that write at once wait for room, each with all of its bytes in a row.
func TestWritesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := dial(t, &rpctest.Network{Buffer: 7})
		var wg sync.WaitGroup
		for _, text := range []string{"a", "b"} {
			wg.Go(func() { write(t, client, strings.Repeat(text, 20)) })
		}
		go func() {
			wg.Wait()
			client.Close()
		}()
		synctest.Wait()
		got, err := io.ReadAll(server)
		a, b := strings.Repeat("a", 20), strings.Repeat("b", 20)
		if s := string(got); err != nil || s != a+b && s != b+a {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A deadline wakes who is waiting, and can be moved.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := dial(t, &rpctest.Network{})
		start := time.Now()
		client.SetReadDeadline(start.Add(time.Hour))
		time.AfterFunc(time.Minute, func() { client.SetReadDeadline(start.Add(2 * time.Minute)) })
		_, err := client.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != 2*time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		client.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { client.Close() })
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func ExampleNetwork() {
	network := &rpctest.Network{Plan: func(n int) rpctest.Plan {
		return rpctest.Plan{Down: rpctest.Path{Events: []rpctest.Event{{At: 5, Do: rpctest.Cut}}}}
	}}
	ln := network.Listen()
	go func() {
		server, _ := ln.Accept()
		io.WriteString(server, "hello, world")
	}()

	client, _ := network.Dial(context.Background(), "tcp", "any")
	text, err := io.ReadAll(client)
	fmt.Printf("%s: %v\n", text, errors.Is(err, syscall.ECONNRESET))
	fmt.Println(network.Stats().Cuts, "cut")
	// Output:
	// hello: true
	// 1 cut
}
