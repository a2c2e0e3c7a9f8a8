package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen .

// Interop has a method for each thing that a connection can carry. The tests of
// transports put all of them to use over every one.
//
//wirecall:service
//wirecall:error interopError 7001
type Interop interface {
	Echo(ctx context.Context, p Parcel) (Parcel, error)
	Swap(ctx context.Context, a, b string) (first, second string, err error)
	Fail(ctx context.Context, kind string) error

	// Caller returns what middleware has found out about who connected.
	Caller(ctx context.Context) (string, error)

	// TimeLeft returns how long the caller's deadline leaves.
	TimeLeft(ctx context.Context) (time.Duration, error)

	// Wait returns when its context ends. Begun returns when it has begun, and
	// Left why it ended.
	Wait(ctx context.Context) error
	Begun(ctx context.Context) error
	Left(ctx context.Context) (string, error)

	//wirecall:notify
	Note(ctx context.Context, text string) error
	Notes(ctx context.Context, n int) ([]string, error)

	Count(ctx context.Context, n int, end string) (iter.Seq2[int, error], error)
	Sum(ctx context.Context, nums iter.Seq2[int, error]) (int, error)
	Upper(ctx context.Context, words iter.Seq2[string, error]) (iter.Seq2[string, error], error)

	// Watch returns what is and then what changes.
	Watch(ctx context.Context, name string) (now int, changes iter.Seq2[int, error], err error)

	// Forward asks its caller in turn.
	Forward(ctx context.Context, question string) (string, error)
}

// Asked is what a client of Interop serves.
//
//wirecall:service
//wirecall:error interopError 7001
type Asked interface {
	Answer(ctx context.Context, question string) (string, error)
	Letters(ctx context.Context, word string) (iter.Seq2[string, error], error)
}

// A Parcel has what codecs differ in.
type Parcel struct {
	Bytes []byte            `json:"bytes"`
	Float float64           `json:"float"`
	Int   int64             `json:"int"`
	Map   map[string][]bool `json:"map"`
	Next  *Parcel           `json:"next,omitempty"`
}

// interopError is an application's own.
type interopError struct {
	Retries int `json:"retries"`
}

func (e interopError) Error() string { return fmt.Sprintf("gave up after %d", e.Retries) }

type interop struct {
	waiting chan struct{} // a Wait has begun
	left    chan string   // why a Wait or a Count ended
	notes   chan string
}

func newInterop() *interop {
	return &interop{make(chan struct{}, 1), make(chan string, 1), make(chan string, 100)}
}

type callerKey struct{}

func (s *interop) Echo(_ context.Context, p Parcel) (Parcel, error) { return p, nil }

func (s *interop) Swap(_ context.Context, a, b string) (string, string, error) { return b, a, nil }

func (s *interop) Caller(ctx context.Context) (string, error) {
	who, _ := ctx.Value(callerKey{}).(string)
	return who, nil
}

func (s *interop) Fail(_ context.Context, kind string) error {
	switch kind {
	case "typed":
		return fmt.Errorf("interop: %w", interopError{3})
	case "coded":
		return rpc.Errorf(rpc.CodePermissionDenied, "not you").WithData("mallory")
	case "deadline":
		return fmt.Errorf("interop: %w", context.DeadlineExceeded)
	case "panic":
		panic("a secret")
	}
	return errors.New("failed")
}

func (s *interop) TimeLeft(ctx context.Context) (time.Duration, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, errors.New("no deadline")
	}
	return time.Until(deadline), nil
}

func (s *interop) Wait(ctx context.Context) error {
	s.waiting <- struct{}{}
	<-ctx.Done()
	s.left <- context.Cause(ctx).Error()
	return ctx.Err()
}

func (s *interop) Begun(context.Context) error {
	<-s.waiting
	return nil
}

func (s *interop) Left(context.Context) (string, error) { return <-s.left, nil }

func (s *interop) Note(_ context.Context, text string) error {
	s.notes <- text
	return nil
}

func (s *interop) Notes(_ context.Context, n int) (notes []string, err error) {
	for range n {
		notes = append(notes, <-s.notes)
	}
	return notes, nil
}

func (s *interop) Count(_ context.Context, n int, end string) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				s.left <- "Count's reader has left"
				return
			}
		}
		if end != "" {
			yield(0, errors.New(end))
		}
	}, nil
}

func (s *interop) Sum(_ context.Context, nums iter.Seq2[int, error]) (sum int, err error) {
	for n, err := range nums {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (s *interop) Upper(_ context.Context, words iter.Seq2[string, error]) (iter.Seq2[string, error], error) {
	return func(yield func(string, error) bool) {
		for w, err := range words {
			if !yield(strings.ToUpper(w), err) {
				return
			}
		}
	}, nil
}

func (s *interop) Watch(_ context.Context, name string) (int, iter.Seq2[int, error], error) {
	return len(name), items(len(name)+1, len(name)+2), nil
}

func (s *interop) Forward(ctx context.Context, question string) (string, error) {
	peer := NewAskedClient(rpc.Peer(ctx))
	answer, err := peer.Answer(ctx, question)
	if err != nil {
		return "", err
	}
	letters, err := peer.Letters(ctx, answer)
	if err != nil {
		return "", err
	}
	all, err := collect(letters)
	return strings.Join(all, "-"), err
}

// asked answers what Forward asks.
type asked struct{}

func (asked) Answer(_ context.Context, question string) (string, error) {
	if question == "" {
		return "", interopError{1}
	}
	return "yes", nil
}

func (asked) Letters(_ context.Context, word string) (iter.Seq2[string, error], error) {
	return items(strings.Split(word, "")...), nil
}

func items[T any](list ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range list {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// newInteropServer is a server of Interop, which ends with the test.
func newInteropServer(tb testing.TB, opts *rpc.ServerOptions) *rpc.Server {
	srv := rpc.NewServer(opts)
	srv.Register(InteropService(newInterop()))
	tb.Cleanup(func() { srv.Close() })
	return srv
}

// serving are the services with which a client answers Forward.
func serving() []rpc.Service { return []rpc.Service{AskedService(asked{})} }

// everything calls all of Interop, its reverse included.
func everything(t *testing.T, caller rpc.Caller) {
	t.Helper()
	client := NewInteropClient(caller)
	unaryCalls(t, client)
	failures(t, client)
	notifications(t, client)
	cancellation(t, client)
	streams(t, client)
	reverseCalls(t, client)
	streamsAtOnce(t, client)
}

func unaryCalls(t *testing.T, client *InteropClient) {
	t.Helper()
	p := Parcel{Bytes: []byte("\x00\n\xff"), Float: 0.1, Int: -1 << 62, Map: map[string][]bool{"\u2028\n": {true, false}}, Next: &Parcel{Int: 1}}
	got, err := client.Echo(t.Context(), p)
	if err != nil || string(got.Bytes) != string(p.Bytes) || got.Float != p.Float || got.Int != p.Int || !maps.EqualFunc(got.Map, p.Map, slices.Equal) || got.Next.Int != 1 {
		t.Errorf("Echo: %+v, %v", got, err)
	}
	large := Parcel{Bytes: make([]byte, 200<<10)}
	if got, err := client.Echo(t.Context(), large); err != nil || len(got.Bytes) != len(large.Bytes) {
		t.Errorf("Echo of %d bytes: %d, %v", len(large.Bytes), len(got.Bytes), err)
	}
	if first, second, err := client.Swap(t.Context(), "a", "b"); first != "b" || second != "a" || err != nil {
		t.Error("Swap:", first, second, err)
	}
}

func failures(t *testing.T, client *InteropClient) {
	t.Helper()
	err := client.Fail(t.Context(), "typed")
	if typed, ok := errors.AsType[interopError](err); !ok || typed.Retries != 3 || err.Error() != "interop: gave up after 3" {
		t.Errorf("typed: %#v", err)
	}
	err = client.Fail(t.Context(), "coded")
	var data string
	if e, ok := errors.AsType[*rpc.Error](err); !ok || e.Code != rpc.CodePermissionDenied || e.Decode(&data) != nil || data != "mallory" {
		t.Errorf("coded: %#v", err)
	}
	if err := client.Fail(t.Context(), "deadline"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %#v", err)
	}
	if err := client.Fail(t.Context(), "panic"); rpc.CodeOf(err) != rpc.CodeInternal || err.Error() != "internal error" {
		t.Errorf("panic: %#v", err)
	}
	if err := client.Fail(t.Context(), ""); rpc.CodeOf(err) != rpc.CodeUnknown || err.Error() != "failed" {
		t.Errorf("plain: %#v", err)
	}
}

func notifications(t *testing.T, client *InteropClient) {
	t.Helper()
	var want []string
	for i := range 50 {
		text := fmt.Sprint(i)
		want = append(want, text)
		if err := client.Note(t.Context(), text); err != nil {
			t.Error("Note:", err)
		}
	}
	if got, err := client.Notes(t.Context(), len(want)); err != nil || !slices.Equal(got, want) {
		t.Error("Notes:", got, err)
	}
}

// cancellation ends a call whose handler runs, and looks at a deadline.
func cancellation(t *testing.T, client *InteropClient) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- client.Wait(ctx) }()
	if err := client.Begun(t.Context()); err != nil {
		t.Error("Begun:", err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error("Wait:", err)
	}
	if why, err := client.Left(t.Context()); why != context.Canceled.Error() || err != nil {
		t.Error("Left:", why, err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if left, err := client.TimeLeft(ctx); err != nil || left > time.Hour+time.Second || left < 59*time.Minute {
		t.Error("TimeLeft:", left, err)
	}
}

func streams(t *testing.T, client *InteropClient) {
	t.Helper()
	const n = 1000 // more than the window
	nums, err := client.Count(t.Context(), n, "enough")
	if err != nil {
		t.Fatal("Count:", err)
	}
	if got, err := collect(nums); len(got) != n || got[n-1] != n-1 || err == nil || err.Error() != "enough" {
		t.Error("Count:", len(got), err)
	}
	if sum, err := client.Sum(t.Context(), items(slices.Repeat([]int{1}, n)...)); sum != n || err != nil {
		t.Error("Sum:", sum, err)
	}
	words, err := client.Upper(t.Context(), items("both", "ways"))
	if err != nil {
		t.Fatal("Upper:", err)
	}
	if got, err := collect(words); !slices.Equal(got, []string{"BOTH", "WAYS"}) || err != nil {
		t.Error("Upper:", got, err)
	}
	now, changes, err := client.Watch(t.Context(), "x")
	if err != nil || now != 1 {
		t.Fatal("Watch:", now, err)
	}
	if got, err := collect(changes); !slices.Equal(got, []int{2, 3}) || err != nil {
		t.Error("Watch:", got, err)
	}
	endless, err := client.Count(t.Context(), 1<<30, "")
	if err != nil {
		t.Fatal("Count:", err)
	}
	for i := range endless {
		if i == 100 {
			break
		}
	}
	if left, err := client.Left(t.Context()); left != "Count's reader has left" {
		t.Error("Count left early:", left, err)
	}
}

func reverseCalls(t *testing.T, client *InteropClient) {
	t.Helper()
	if answer, err := client.Forward(t.Context(), "really?"); answer != "y-e-s" || err != nil {
		t.Error("Forward:", answer, err)
	}
	_, err := client.Forward(t.Context(), "")
	if typed, ok := errors.AsType[interopError](err); !ok || typed.Retries != 1 {
		t.Errorf("Forward of an error: %#v", err)
	}
}

// streamsAtOnce runs streams both ways side by side with calls.
func streamsAtOnce(t *testing.T, client *InteropClient) {
	t.Helper()
	const n = 500
	done := make(chan error)
	for i := range 8 {
		go func() {
			switch i % 3 {
			case 0:
				nums, _ := client.Count(t.Context(), n, "")
				got, err := collect(nums)
				done <- errors.Join(err, wantLen(len(got), n))
			case 1:
				sum, err := client.Sum(t.Context(), items(slices.Repeat([]int{1}, n)...))
				done <- errors.Join(err, wantLen(sum, n))
			case 2:
				_, _, err := client.Swap(t.Context(), "a", "b")
				done <- err
			}
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error("at once:", err)
		}
	}
}

func wantLen(got, want int) error {
	if got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	return nil
}
