//go:build js

package inpage

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall/js"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/browser/lab"
	"github.com/wirecall/wirecall/rpc"
)

// url returns the URL of a path of the server that the page is from.
func url(path string) string { return js.Global().Get("location").Get("origin").String() + path }

// dial connects to the lab.
func dial(t *testing.T, opts rpc.DialOptions) (*rpc.Conn, lab.Lab) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := rpc.Dial(ctx, url("/rpc"), &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, lab.NewLabClient(conn)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// upTo yields the numbers from 0 to n, exclusive.
func upTo(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 0; i < n && yield(i, nil); i++ {
		}
	}
}

// collect reads a stream to its end.
func collect[T any](t *testing.T, stream iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for item, err := range stream {
		check(t, err)
		all = append(all, item)
	}
	return all
}

// codecs are those that a page can use: frames of text and binary ones.
var codecs = map[string]codec.Codec{"JSON": codec.JSON, "CBOR": cbor.Codec}

func TestCalls(t *testing.T) {
	for name, cd := range codecs {
		t.Run(name, func(t *testing.T) {
			_, client := dial(t, rpc.DialOptions{Codec: cd})
			for _, text := range []string{"", "naïve 😀 \x00", strings.Repeat("é", 300_000)} {
				if got, err := client.Echo(t.Context(), text); err != nil || got != text {
					t.Errorf("%d bytes have come back as %d, %v", len(text), len(got), err)
				}
			}
			_, err := client.Half(t.Context(), 7)
			if odd, ok := errors.AsType[*lab.Odd](err); !ok || odd.N != 7 {
				t.Error("half of 7:", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			if err := client.Sleep(ctx); !errors.Is(err, context.Canceled) {
				t.Error("a canceled call:", err)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	for name, cd := range codecs {
		t.Run(name, func(t *testing.T) {
			_, client := dial(t, rpc.DialOptions{Codec: cd})
			numbers, err := client.Count(t.Context(), 0, 5000)
			check(t, err)
			if got := collect(t, numbers); len(got) != 5000 || !slices.IsSorted(got) {
				t.Errorf("%d numbers of 5000", len(got))
			}
			if n, err := client.Check(t.Context(), upTo(20_000)); n != 20_000 || err != nil {
				t.Errorf("%d numbers arrived, %v", n, err)
			}
			doubles, err := client.Double(t.Context(), upTo(300))
			check(t, err)
			for n, err := range doubles {
				check(t, err)
				if n == 200 {
					break
				}
			}
			if _, err := client.Echo(t.Context(), "after"); err != nil {
				t.Error(err)
			}
		})
	}
}

// An upload that is larger than all buffers waits for the socket and arrives.
func TestLargeUpload(t *testing.T) {
	_, client := dial(t, rpc.DialOptions{})
	done := make(chan error, 20)
	for range cap(done) {
		go func() {
			text := strings.Repeat("x", 1<<19)
			got, err := client.Echo(t.Context(), text)
			if err == nil && got != text {
				err = errors.New("another text came back")
			}
			done <- err
		}()
	}
	for range cap(done) {
		check(t, <-done)
	}
}

// A peer that does not read is left after the write timeout, with what has not been sent
// in the browser's buffer.
func TestDeafServer(t *testing.T) {
	conn, err := rpc.Dial(t.Context(), url("/deaf"), &rpc.DialOptions{
		Limits:    rpc.Limits{WriteTimeout: 500 * time.Millisecond},
		Reconnect: rpc.Reconnect{Disabled: true},
	})
	check(t, err)
	client := lab.NewLabClient(conn)
	for range 30 { // more than the sockets between take
		go client.Echo(t.Context(), strings.Repeat("x", 1<<19))
	}
	<-conn.Done()
	if err := conn.Err(); !strings.Contains(err.Error(), "the peer does not read") {
		t.Error("the connection ended with", err)
	}
}

type page struct{}

func (page) Reverse(_ context.Context, text string) (string, error) {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes), nil
}

func TestServerCallsPage(t *testing.T) {
	_, client := dial(t, rpc.DialOptions{Services: []rpc.Service{lab.PageService(page{})}})
	if got, err := client.CallBack(t.Context(), "héllo"); got != "olléh" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A session survives cuts, with an upload and a stream in flight.
func TestCuts(t *testing.T) {
	_, client := dial(t, rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MinDelay: time.Millisecond}})
	var cuts atomic.Int64
	cut := func(i int) {
		if i%500 != 250 {
			return
		}
		n, err := client.Cut(t.Context())
		if err != nil {
			t.Error(err)
		}
		cuts.Add(int64(n)) // none for a request in the frame of the one before
	}
	uploaded := make(chan error, 1)
	go func() {
		n, err := client.Check(t.Context(), func(yield func(int, error) bool) {
			for i := range 2000 {
				cut(i)
				if !yield(i, nil) {
					return
				}
			}
		})
		if err == nil && n != 2000 {
			err = errors.New("not all numbers arrived")
		}
		uploaded <- err
	}()
	numbers, err := client.Count(t.Context(), 0, 2000)
	check(t, err)
	want := 0
	for n, err := range numbers {
		check(t, err)
		if n != want {
			t.Fatalf("got %d, want %d", n, want)
		}
		cut(n)
		want++
	}
	check(t, <-uploaded)
	if want != 2000 || cuts.Load() < 4 {
		t.Errorf("%d numbers of 2000 over %d cuts", want, cuts.Load())
	}
}

// The page learns the code and the reason of a close frame, and comes not back.
func TestServerEndsForGood(t *testing.T) {
	conn, client := dial(t, rpc.DialOptions{Resume: true})
	check(t, client.Dismiss(t.Context(), "we are closed"))
	<-conn.Done()
	closed, ok := errors.AsType[*rpc.CloseError](conn.Err())
	if !ok || closed.Code != 1000 || closed.Reason != "we are closed" {
		t.Error("the connection ended with", conn.Err())
	}
}

// The server learns that a page has left, and that the session is not to be kept.
func TestPageSaysGoodbye(t *testing.T) {
	_, watcher := dial(t, rpc.DialOptions{})
	ends, err := watcher.Ends(t.Context())
	check(t, err)
	conn, _ := dial(t, rpc.DialOptions{Resume: true})
	check(t, conn.CloseWithReason("the tests go on"))
	for why, err := range ends { // others may still end
		check(t, err)
		if strings.Contains(why, "the tests go on") && strings.Contains(why, "1000") {
			return
		}
	}
	t.Error("the server has not seen the end of the session")
}

func TestDialFails(t *testing.T) {
	_, err := rpc.Dial(t.Context(), url("/nothing"), nil)
	if !errors.Is(err, rpc.CodeUnavailable) {
		t.Error("a path without a server:", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("the user has left")
	cancel(left)
	if _, err := rpc.Dial(ctx, url("/rpc"), nil); !errors.Is(err, left) {
		t.Error("a canceled dial:", err)
	}
	for field, opts := range map[string]rpc.DialOptions{
		"Header":     {Header: http.Header{"X": {"y"}}},
		"HeaderFunc": {HeaderFunc: func(context.Context) (http.Header, error) { return nil, nil }},
		"HTTPClient": {HTTPClient: http.DefaultClient},
	} {
		if _, err := rpc.Dial(t.Context(), url("/rpc"), &opts); err == nil || !strings.Contains(err.Error(), "DialOptions."+field+" is set") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
