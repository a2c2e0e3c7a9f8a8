package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/transcript"
	"github.com/wirecall/wirecall/rpc"
)

// A program is our side of a conversation: a server, or a client that does
// what the file says.
type program struct {
	*conversation
	srv    *rpc.Server
	web    *http.Client // dials it, where that is not over lines
	served sync.WaitGroup
	dialed chan net.Conn // what our side gets when it dials

	ctx     context.Context
	cancel  context.CancelFunc
	client  *rpc.Conn
	subject *SubjectClient
	doing   map[string]*operation

	mu      sync.Mutex
	reports []string
	end     error
	addr    string // that the client has dialed last
}

// An operation is a call that the program makes, and its stream.
type operation struct {
	ctx    context.Context
	cancel context.CancelFunc
	want   chan int // how many items to read; 0 leaves the loop
}

func newProgram(t *testing.T, c *conversation) *program {
	p := &program{conversation: c, dialed: make(chan net.Conn), doing: make(map[string]*operation)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if c.byClient() {
		return p
	}
	if c.nodes != nil {
		c.sessions.Nodes = c.nodes
	}
	opts := &rpc.ServerOptions{Limits: c.limits, Sessions: c.sessions, Codecs: []codec.Codec{cbor.Codec}}
	if c.asks {
		opts.Authenticate = tokens
	}
	if opts.Describe = c.describes; c.describes {
		p.srv = rpc.NewServer(opts)
		p.srv.Register(described("Echo", "text"))
	} else {
		p.srv = rpc.NewServer(opts)
		p.srv.Register(services()...)
	}
	if c.over != "" {
		p.web = serveInMemory(t, p.srv)
	}
	return p
}

func (p *program) stop() {
	p.cancel()
	if p.client != nil {
		p.client.Close()
	}
	if p.sessions != nil && p.srv != nil {
		p.srv.Close()
	}
	p.served.Wait()
}

// cause is why the connection has ended.
func (p *program) cause() error {
	if p.client != nil {
		return p.client.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end
}

// host returns the host that the client has dialed last.
func (p *program) host() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSuffix(p.addr, ":80")
}

// report adds what the transcript expects of our program after ~<.
func (p *program) report(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, fmt.Sprintf(format, args...))
}

// reported removes the first report and returns it.
func (p *program) reported() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.reports) == 0 {
		return "", false
	}
	s := p.reports[0]
	p.reports = p.reports[1:]
	return s, true
}

// do executes a line of the file: see testdata/README.md.
func (p *program) do(line string) error {
	words := strings.Fields(line)
	switch {
	case line == "dial":
		go p.dial()
	case line == "close" && p.srv != nil:
		go p.srv.Close()
	case line == "close":
		go p.client.Close()
	case line == "reconnect":
		p.client.Reconnect()
	case line == "state":
		st := p.client.State()
		p.report("%v, session %d", st.Phase, st.Session)
	case words[0] == "shutdown":
		go p.shutdown(words[1:])
	case len(words) > 2 && words[1] == "=":
		return p.begin(words[0], words[2:])
	case len(words) > 1 && p.doing[words[0]] != nil:
		return p.doing[words[0]].command(words[1:])
	default:
		return fmt.Errorf("our program does not know how to %q", line)
	}
	return nil
}

func (p *program) dial() {
	conn, err := p.connect()
	if err != nil {
		p.report("%s", verdict(err))
		return
	}
	p.client, p.subject = conn, NewSubjectClient(conn)
	p.report("dialed")
}

func (p *program) shutdown(words []string) {
	ctx := p.ctx
	if len(words) == 2 {
		d, _ := time.ParseDuration(words[1])
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if err := p.srv.Shutdown(ctx); err != nil {
		p.report("shut down: %v", err)
		return
	}
	p.report("shut down")
}

// begin makes a call.
func (p *program) begin(name string, words []string) error {
	d := &operation{want: make(chan int)}
	d.ctx, d.cancel = context.WithCancel(p.ctx)
	var answer map[string]string
	for len(words) > 2 {
		option, value := words[len(words)-2], words[len(words)-1]
		if option == "within" {
			t, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			d.ctx, d.cancel = context.WithTimeout(d.ctx, t)
		} else if option == "meta" {
			k, v, _ := strings.Cut(value, "=")
			answer = make(map[string]string)
			d.ctx = rpc.WithMetadata(rpc.ResponseMetadata(d.ctx, answer), map[string]string{k: v})
		} else {
			break
		}
		words = words[:len(words)-2]
	}
	p.doing[name] = d
	report := func(format string, args ...any) { p.report(name+": "+format, args...) }
	call := calls[words[0]]
	if call == nil {
		return fmt.Errorf("there is no call %q", words[0])
	}
	go func() {
		v, seq, err := call(d.ctx, p.subject, append(words[1:], "", ""))
		switch {
		case err != nil:
			report("%s", verdict(err))
		case seq != nil:
			report("%v", v)
			d.read(seq, report)
		default:
			report("%v", v)
		}
		for k, v := range answer {
			report("meta %s=%s", k, v)
		}
	}()
	return nil
}

func (d *operation) command(words []string) error {
	n := 1
	switch words[0] {
	case "cancel":
		d.cancel()
		return nil
	case "leave":
		n = 0
	case "all":
		n = -1
	case "next":
		if len(words) > 1 {
			n, _ = strconv.Atoi(words[1])
		}
	default:
		return fmt.Errorf("what is %q?", words)
	}
	d.want <- n
	return nil
}

// read reads from a stream as many items as the commands ask for.
func (d *operation) read(seq iter.Seq2[any, error], report func(string, ...any)) {
	want := d.more()
	var items []string
	for v, err := range seq {
		switch {
		case want == 0:
			report("left")
			return
		case err != nil:
			report("%s", strings.Join(append(items, verdict(err)), " "))
			return
		}
		items = append(items, fmt.Sprint(v))
		if want--; want == 0 {
			report("%s", strings.Join(items, " "))
			items = nil
			if want = d.more(); want == 0 {
				report("left")
				return
			}
		}
	}
	report("%s", strings.Join(append(items, "end"), " "))
}

// more waits for a command. Where none comes any more the loop is left.
func (d *operation) more() int {
	select {
	case n := <-d.want:
		return n
	case <-d.ctx.Done():
	}
	select {
	case n := <-d.want: // a command may come although the context has ended
		return n
	case <-time.After(24 * time.Hour):
		return 0
	}
}

// verdict describes an error.
func verdict(err error) string {
	words := []string{"error"}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if e, ok := errors.AsType[*rpc.Error](err); ok {
		add("%d", e.Code)
	}
	add("%v", err)
	if w, ok := errors.AsType[*wound](err); ok {
		add("(a wound %d deep)", w.Depth)
	}
	for _, target := range []error{context.Canceled, context.DeadlineExceeded, errGone} {
		if errors.Is(err, target) && err != target {
			add("(%v)", target)
		}
	}
	if rpc.NotRun(err) {
		add("(not run)")
	}
	if d, ok := rpc.RetryAfter(err); ok {
		add("(after %v)", d)
	}
	return strings.Join(words, " ")
}

type call func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error)

// calls are what our program knows how to call.
var calls = map[string]call{
	"add": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		v, err := s.Add(ctx, number(args[0]), number(args[1]))
		return v, nil, err
	},
	"divide": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		q, r, err := s.Divide(ctx, number(args[0]), number(args[1]))
		return fmt.Sprintf("%d rest %d", q, r), nil, err
	},
	"nothing": func(ctx context.Context, s *SubjectClient, _ []string) (any, iter.Seq2[any, error], error) {
		return "nothing", nil, s.Nothing(ctx)
	},
	"meta": func(ctx context.Context, s *SubjectClient, _ []string) (any, iter.Seq2[any, error], error) {
		v, err := s.Meta(ctx)
		return v, nil, err
	},
	"fail": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		return "no failure", nil, s.Fail(ctx, args[0])
	},
	"say": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		v, err := s.Say(ctx, transcript.Expand(args[0]))
		return fmt.Sprint(len(fmt.Sprint(v)), " bytes"), nil, err
	},
	"note": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		return "sent", nil, s.Note(ctx, args[0], number(args[1]))
	},
	"count": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Count(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"watch": func(ctx context.Context, s *SubjectClient, _ []string) (any, iter.Seq2[any, error], error) {
		now, seq, err := s.Watch(ctx)
		return now, untyped(seq), err
	},
	"follow": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Follow(ctx, 0, number(args[0]))
		return "open", untyped(seq), err
	},
	"blobs": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Blobs(ctx, number(args[0]), number(args[1]))
		return "open", sizes(seq), err
	},
	"sum": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		v, err := s.Sum(ctx, upTo(number(args[0]), failure(args[1])))
		return v, nil, err
	},
	"sumnil": func(ctx context.Context, s *SubjectClient, _ []string) (any, iter.Seq2[any, error], error) {
		v, err := s.Sum(ctx, nil)
		return v, nil, err
	},
	"echo": func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Echo(ctx, func(yield func(string, error) bool) {
			for w := range strings.SplitSeq(args[0], ",") {
				if !yield(w, nil) {
					return
				}
			}
		})
		return "open", untyped(seq), err
	},
}

func number(arg string) int {
	n, _ := strconv.Atoi(arg)
	return n
}

// upTo yields the numbers from 1 to n, then err.
func upTo(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i+1, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func untyped[T any](seq iter.Seq2[T, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for v, err := range seq {
			if !yield(v, err) {
				return
			}
		}
	}
}

func sizes(seq iter.Seq2[string, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for v, err := range seq {
			if !yield(len(v), err) {
				return
			}
		}
	}
}
