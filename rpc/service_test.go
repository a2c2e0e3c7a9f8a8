package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen .

// Subject is what the conversations in testdata call: every shape of a method,
// and every way to behave.
//
//wirecall:service name=Test
//wirecall:error wound 1002
//wirecall:error errGone name=Test.Gone
type Subject interface {
	// Add returns a+b.
	Add(ctx context.Context, a, b int) (int, error)

	// Divide has several results.
	Divide(ctx context.Context, a, b int) (quotient, remainder int, err error)

	// Nothing has neither parameters nor results.
	Nothing(ctx context.Context) error

	// Say returns what it is given.
	Say(ctx context.Context, v any) (any, error)

	// Sleep returns after so many milliseconds, or when its context ends.
	Sleep(ctx context.Context, ms int) (string, error)

	// Linger does not look at its context.
	Linger(ctx context.Context, ms int) (string, error)

	// Left returns how many milliseconds are left until its deadline.
	Left(ctx context.Context) (int64, error)

	// Meta returns the metadata that came and sends it back, under names that
	// begin with "re-".
	Meta(ctx context.Context) (map[string]string, error)

	// Fail fails in the way that how names.
	Fail(ctx context.Context, how string) error

	// Panic panics.
	Panic(ctx context.Context) error

	// Big returns n bytes.
	Big(ctx context.Context, n int) (string, error)

	// Odd returns what cannot be encoded.
	Odd(ctx context.Context) (any, error)

	// Bomb returns what panics when it is encoded.
	Bomb(ctx context.Context) (any, error)

	// Defuse takes what panics when it is decoded.
	Defuse(ctx context.Context, b *bomb) error

	// Ask calls the peer's Add.
	Ask(ctx context.Context, a, b int) (int, error)

	// AskTwice makes two calls of the peer's Sleep at once.
	AskTwice(ctx context.Context) error

	// Note writes down what it is given, after so many milliseconds.
	//
	//wirecall:notify
	Note(ctx context.Context, text string, ms int) error

	// Notes returns what has been written down since it was last asked.
	Notes(ctx context.Context) ([]string, error)

	// Count streams the numbers from 1 to n.
	Count(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Endless streams the numbers from 1.
	Endless(ctx context.Context) (iter.Seq2[int, error], error)

	// Tick streams the numbers from 1 to n, one a second.
	Tick(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Follow streams the numbers behind after, one a second. Where it has come to last
	// it asks the consumer to come again.
	//
	//wirecall:cursor after=N
	Follow(ctx context.Context, after, last int) (iter.Seq2[Mark, error], error)

	// Stubborn is Tick without a look at the context between items.
	Stubborn(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Blobs streams n strings of size bytes.
	Blobs(ctx context.Context, n, size int) (iter.Seq2[string, error], error)

	// Break streams the numbers from 1 to n and then fails as Fail does.
	Break(ctx context.Context, n int, how string) (iter.Seq2[int, error], error)

	// Both fails, and returns a stream all the same.
	Both(ctx context.Context) (iter.Seq2[int, error], error)

	// Late returns a stream after so many milliseconds, whatever its context says.
	Late(ctx context.Context, ms int) (iter.Seq2[int, error], error)

	// None returns a nil stream.
	None(ctx context.Context) (iter.Seq2[int, error], error)

	// Watch returns a value and a stream.
	Watch(ctx context.Context) (now int, changes iter.Seq2[int, error], err error)

	// Two returns two streams.
	Two(ctx context.Context) (odd, even iter.Seq2[int, error], err error)

	// Stuck streams one item that cannot be encoded.
	Stuck(ctx context.Context) (iter.Seq2[any, error], error)

	// Sum adds up what it is sent.
	Sum(ctx context.Context, nums iter.Seq2[int, error]) (int, error)

	// First returns the first of what it is sent.
	First(ctx context.Context, nums iter.Seq2[int, error]) (int, error)

	// Ignore does not look at what it is sent, for so many milliseconds.
	Ignore(ctx context.Context, nums iter.Seq2[int, error], ms int) (string, error)

	// Slow adds up what it is sent, one number a second.
	Slow(ctx context.Context, nums iter.Seq2[int, error]) (int, error)

	// Echo sends back each line as it comes, in capitals.
	Echo(ctx context.Context, lines iter.Seq2[string, error]) (iter.Seq2[string, error], error)
}

// A Mark is an item of a stream with a cursor.
type Mark struct{ N int }

// A wound is an error that Subject declares.
type wound struct {
	Depth int `json:"depth"`
}

func (w *wound) Error() string { return "a wound" }

var errGone = errors.New("gone")

// failure is an error for each way to fail that a handler has.
func failure(how string) error {
	switch how {
	case "":
		return nil
	case "plain":
		return errors.New("it broke")
	case "coded":
		return rpc.Errorf(1001, "no such thing").WithData(map[string]int{"thing": 7})
	case "typed":
		return &wound{Depth: 3}
	case "wrapped":
		return fmt.Errorf("while testing: %w", &wound{Depth: 3})
	case "gone":
		return errGone
	case "unauthenticated":
		return rpc.Errorf(rpc.CodeUnauthenticated, "who are you?")
	case "denied":
		return rpc.Errorf(rpc.CodePermissionDenied, "not you")
	case "deadline":
		return context.DeadlineExceeded
	case "pretending":
		return rpc.Errorf(rpc.CodeUnavailable, "not me").WithData(map[string]string{"ran": "no"})
	case "later":
		return &rpc.Error{Code: rpc.CodeLimitReached, Message: "later", Retry: 1500*time.Millisecond + 1}
	case "much later":
		return fmt.Errorf("the backend says: %w", &rpc.Error{Code: rpc.CodeLimitReached, Message: "much later", Retry: 1<<63 - 1})
	case "earlier":
		return &rpc.Error{Code: rpc.CodeLimitReached, Message: "earlier", Retry: -time.Second}
	case "canceled":
		return context.Canceled
	case "panic":
		panic("a secret")
	}
	return fmt.Errorf("no way to fail is called %q", how)
}

// A tester is the Subject that does what its methods promise.
type tester struct {
	mu    sync.Mutex
	notes []string
}

// services are what a server under test serves: a Subject, its Tick and Break by names
// like those that Ethereum's clients call, and a Strange.
func services() []rpc.Service {
	impl := &tester{}
	svc := SubjectService(impl)
	ethereal := rpc.Service{Name: "test", Impl: svc.Impl}
	names := map[string]string{"Test.Tick": "test_subscribe", "Test.Break": "broken_subscribe"}
	for _, m := range svc.Methods {
		if name, ok := names[m.Name]; ok {
			renamed := *m
			renamed.Name = name
			ethereal.Methods = append(ethereal.Methods, &renamed)
		}
	}
	return []rpc.Service{svc, ethereal, StrangeService(strange{impl})}
}

func (s *tester) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// pause sleeps, or returns why ctx ended.
func pause(ctx context.Context, ms int) error {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *tester) Add(_ context.Context, a, b int) (int, error) { return a + b, nil }

func (s *tester) Divide(_ context.Context, a, b int) (int, int, error) { return a / b, a % b, nil }

func (s *tester) Nothing(context.Context) error { return nil }

func (s *tester) Say(_ context.Context, v any) (any, error) { return v, nil }

func (s *tester) Sleep(ctx context.Context, ms int) (string, error) {
	if err := pause(ctx, ms); err != nil {
		s.note("Sleep: %v", err)
		return "", err
	}
	return "slept", nil
}

func (s *tester) Linger(ctx context.Context, ms int) (string, error) {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	s.note("Linger: %v", ctx.Err())
	return "lingered", nil
}

func (s *tester) Left(ctx context.Context) (int64, error) {
	t, ok := ctx.Deadline()
	if !ok {
		return -1, nil
	}
	return time.Until(t).Milliseconds(), nil
}

func (s *tester) Meta(ctx context.Context) (map[string]string, error) {
	md := rpc.Metadata(ctx)
	for k, v := range md {
		rpc.SetMetadata(ctx, "re-"+k, v)
	}
	return md, nil
}

func (s *tester) Fail(_ context.Context, how string) error { return failure(how) }

func (s *tester) Panic(context.Context) error { panic("a secret") }

func (s *tester) Big(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil }

func (s *tester) Odd(context.Context) (any, error) { return func() {}, nil }

// A bomb panics when it meets a codec.
type bomb struct{}

func (*bomb) MarshalJSON() ([]byte, error) { panic("a secret") }
func (*bomb) UnmarshalJSON([]byte) error   { panic("a secret") }

func (s *tester) Bomb(context.Context) (any, error) { return new(bomb), nil }

func (s *tester) Defuse(context.Context, *bomb) error { return nil }

func (s *tester) Ask(ctx context.Context, a, b int) (int, error) {
	return NewSubjectClient(rpc.Peer(ctx)).Add(ctx, a, b)
}

func (s *tester) AskTwice(ctx context.Context) error {
	first := make(chan error)
	peer := NewSubjectClient(rpc.Peer(ctx))
	go func() {
		_, err := peer.Sleep(ctx, 1000)
		first <- err
	}()
	if err := pause(ctx, 1); err != nil {
		return err
	}
	_, err := peer.Sleep(ctx, 1000)
	return errors.Join(err, <-first)
}

func (s *tester) Note(ctx context.Context, text string, ms int) error {
	if err := pause(ctx, ms); err != nil {
		return err
	}
	s.note("%s", text)
	return failure(map[bool]string{true: "plain"}[text == "fail"])
}

func (s *tester) Notes(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := append([]string{}, s.notes...)
	s.notes = nil
	return notes, nil
}

// numbers yields from 1 to n, after ms each, and notes how that ended.
func (s *tester) numbers(ctx context.Context, name string, n, ms int, end error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 1; n < 0 || i <= n; i++ {
			if ms > 0 {
				if err := pause(ctx, ms); err != nil {
					s.note("%s: %v", name, err)
					yield(0, err)
					return
				}
			}
			if !yield(i, nil) {
				s.note("%s: left at %d", name, i)
				return
			}
		}
		if end != nil {
			yield(0, end)
		}
	}
}

func (s *tester) Count(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.numbers(ctx, "Count", n, 0, nil), nil
}

func (s *tester) Endless(ctx context.Context) (iter.Seq2[int, error], error) {
	return s.numbers(ctx, "Endless", -1, 0, nil), nil
}

func (s *tester) Tick(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.numbers(ctx, "Tick", n, 1000, nil), nil
}

func (s *tester) Follow(ctx context.Context, after, last int) (iter.Seq2[Mark, error], error) {
	return func(yield func(Mark, error) bool) {
		for n := after + 1; n <= last; n++ {
			if err := pause(ctx, 1000); err != nil {
				yield(Mark{}, err)
				return
			}
			if !yield(Mark{n}, nil) {
				return
			}
		}
		yield(Mark{}, rpc.ComeAgain(500*time.Millisecond))
	}, nil
}

func (s *tester) Stubborn(_ context.Context, n int) (iter.Seq2[int, error], error) {
	return s.numbers(context.Background(), "Stubborn", n, 1000, nil), nil
}

func (s *tester) Blobs(_ context.Context, n, size int) (iter.Seq2[string, error], error) {
	blob := strings.Repeat("x", size)
	return func(yield func(string, error) bool) {
		for range n {
			if !yield(blob, nil) {
				return
			}
		}
	}, nil
}

func (s *tester) Break(ctx context.Context, n int, how string) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for i, err := range s.numbers(ctx, "Break", n, 0, nil) {
			if !yield(i, err) {
				return
			}
		}
		yield(0, failure(how))
	}, nil
}

func (s *tester) Both(ctx context.Context) (iter.Seq2[int, error], error) {
	return s.numbers(ctx, "Both", 3, 0, nil), failure("plain")
}

func (s *tester) Late(_ context.Context, ms int) (iter.Seq2[int, error], error) {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return s.numbers(context.Background(), "Late", 3, 0, nil), nil
}

func (s *tester) None(context.Context) (iter.Seq2[int, error], error) { return nil, nil }

func (s *tester) Watch(ctx context.Context) (int, iter.Seq2[int, error], error) {
	return 42, s.numbers(ctx, "Watch", -1, 1000, nil), nil
}

func (s *tester) Two(ctx context.Context) (odd, even iter.Seq2[int, error], err error) {
	return s.numbers(ctx, "Two.odd", 2, 1000, nil), s.numbers(ctx, "Two.even", 2, 1500, nil), nil
}

func (s *tester) Stuck(context.Context) (iter.Seq2[any, error], error) {
	return func(yield func(any, error) bool) {
		s.note("Stuck: %v", yield(func() {}, nil))
	}, nil
}

func (s *tester) Sum(_ context.Context, nums iter.Seq2[int, error]) (sum int, err error) {
	for n, err := range nums {
		if err != nil {
			s.note("Sum: %v", err)
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (s *tester) First(_ context.Context, nums iter.Seq2[int, error]) (int, error) {
	for n, err := range nums {
		return n, err
	}
	return 0, nil
}

func (s *tester) Ignore(ctx context.Context, _ iter.Seq2[int, error], ms int) (string, error) {
	return "ignored", pause(ctx, ms)
}

func (s *tester) Slow(ctx context.Context, nums iter.Seq2[int, error]) (sum int, err error) {
	for n, err := range nums {
		if err != nil {
			s.note("Slow: %v after %d", err, sum)
			return 0, err
		}
		if err := pause(ctx, 1000); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (s *tester) Echo(_ context.Context, lines iter.Seq2[string, error]) (iter.Seq2[string, error], error) {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if !yield(strings.ToUpper(line), err) {
				s.note("Echo: left")
				return
			}
		}
	}, nil
}
