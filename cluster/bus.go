// Package cluster makes topics, and what else one process knows, work across processes, on
// NATS with JetStream.
//
//	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
//	bus, err := cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"room": {Events: 10_000}}})
//	room := topic.New[Message](bus, topic.Name("room", "42"))
//
// Each class of topics is a stream of JetStream, and each topic a subject of it. There are
// no consumers. A process that follows a topic has one subscription to what JetStream
// publishes again when it has stored it, however many of its clients wait for that topic,
// and holds its last events in memory; what these do not cover it reads from the stream.
// Each published event carries the number of the one before, which shows what was lost on
// the way; where no event follows, the process compares all such topics with their streams
// every few seconds, in one request for many.
//
// Join makes the process a node, which knows the other nodes and can be reached by them:
//
//	node, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Secret: secret, URL: "wss://n7.example.com/rpc"})
//	defer node.Close()
//	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Nodes: node.Sessions()}})
//
// A client may then come back to its session through any node. A node holds a lease, which
// the other nodes see it renew; one that is killed is gone when its lease has passed, one
// that is closed at once. Nodes need no JetStream to know each other. What they send each
// other goes over NATS, authenticated and encrypted by a secret of theirs.
package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/rpc/topic"
)

// BusOptions configures a Bus.
type BusOptions struct {
	// Classes are the classes of the topics, the part of their names before the first
	// dot, of A-Za-z0-9_-, with what is kept of each topic; Bytes is of the whole class. A
	// limit of 0 is none; without any limit the last 1,000 events are kept. Publishing to
	// another class is an error. Where Age is below two minutes, ids are remembered only so long. One
	// event of each topic is stored beyond Events, and does not count.
	Classes map[string]topic.Retention

	// Prefix begins the names of streams, and of subjects in lower case. The default is WC.
	Prefix string

	// Replicas is on how many servers each stream is stored. The default is 1.
	Replicas int

	// Memory keeps the streams in the memory of the servers, in place of files.
	Memory bool
}

// A Bus is a topic.Bus on JetStream. It lasts as long as its connection to NATS.
type Bus struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	prefix  string
	classes map[string]*class // by name

	livePrefix string // of the subjects of live messages

	quiet   time.Duration   // see the constant
	live    chan *nats.Msg  // what was stored in followed topics
	deliver func(*nats.Msg) // takes what live has
	period  atomic.Pointer[period]

	mu        sync.Mutex
	followers map[string]*follower // by the names of topics
	checking  bool                 // whether new followers are about to be checked
}

var _ topic.Bus = (*Bus)(nil)

// liveMessages is how many live messages may wait to be taken, which is quick. More are
// lost, and then read from the stream.
const liveMessages = 1024

const defaultPrefix = "WC"

// NewBus returns a bus on a connection to NATS, whose streams it makes, or updates to the
// options. A stream that is deleted while there is a bus is recreated, empty and of
// another epoch. The connection stays the caller's; the bus ends when it is closed.
func NewBus(ctx context.Context, nc *nats.Conn, opts *BusOptions) (*Bus, error) {
	b, err := newBus(nc, opts)
	if err == nil {
		err = b.open(ctx, opts)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

var validClass = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func newBus(nc *nats.Conn, opts *BusOptions) (*Bus, error) {
	if opts == nil || len(opts.Classes) == 0 {
		return nil, errors.New("cluster: BusOptions.Classes has no class")
	}
	for name := range opts.Classes {
		if !validClass.MatchString(name) {
			return nil, fmt.Errorf("cluster: BusOptions.Classes has %q: a class must be of A-Za-z0-9_-, without the dot that ends it in the names of its topics", name)
		}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	b := &Bus{nc: nc, js: js, prefix: defaultPrefix, classes: make(map[string]*class), quiet: quiet, live: make(chan *nats.Msg, liveMessages), followers: make(map[string]*follower)}
	if opts.Prefix != "" {
		b.prefix = opts.Prefix
	}
	b.deliver, b.livePrefix = b.receive, b.subject("l", "")
	b.period.Store(newPeriod())
	return b, nil
}

// open makes the streams and starts the goroutine of the bus.
func (b *Bus) open(ctx context.Context, opts *BusOptions) error {
	for name, keep := range opts.Classes {
		c, err := b.newClass(ctx, name, keep, opts)
		if err != nil {
			return fmt.Errorf("cluster: the stream of class %q: %w", name, err)
		}
		b.classes[name] = c
	}
	go b.run(b.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED))
	return nil
}

// subject returns the subject of a topic of a kind: t where it is stored, l where what has
// been stored is published.
func (b *Bus) subject(kind, topic string) string {
	return strings.ToLower(b.prefix) + "." + kind + "." + topic
}

// class returns the class of a topic.
func (b *Bus) class(topic string) (*class, error) {
	name, _, _ := strings.Cut(topic, ".")
	if c := b.classes[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("cluster: no class %q among those of the bus, for the topic %s", name, topic)
}

// Append implements topic.Bus. It waits until JetStream has stored the event, for five
// seconds if ctx has no deadline.
func (b *Bus) Append(ctx context.Context, name string, e topic.Entry) (topic.Place, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Place{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerWithin)
		defer cancel()
	}
	at, err := c.append(ctx, name, e)
	for errors.Is(err, jetstream.ErrNoStreamResponse) { // nobody has got it: no server leads the stream, or it is gone
		if _, errMake := c.recreate(ctx); errMake != nil || ctx.Err() != nil {
			break
		}
		at, err = c.append(ctx, name, e)
	}
	if err != nil {
		if _, conflict := errors.AsType[*topic.ConflictError](err); conflict {
			return at, err
		}
		return at, fmt.Errorf("cluster: publish to %s: %w", name, err)
	}
	return at, nil
}

func (c *class) append(ctx context.Context, name string, e topic.Entry) (topic.Place, error) {
	b, subject := c.bus, c.bus.subject("t", name)
	epoch, err := c.recentEpoch(ctx)
	if err != nil {
		return topic.Place{}, err
	}
	opts := []jetstream.PublishOpt{jetstream.WithExpectStream(c.config.Name)}
	if e.ID != "" {
		id := sha256.Sum256([]byte(name + "\n" + e.ID)) // ids are the stream's, and no header has any text
		opts = append(opts, jetstream.WithMsgID(base64.RawURLEncoding.EncodeToString(id[:])))
	}
	if e.Conditional {
		if e.Expect != "" && e.Expect != (topic.Place{Epoch: epoch, Number: e.Expect.Number()}).Seq() {
			return topic.Place{}, c.conflict(ctx, name)
		}
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(e.Expect.Number()))
	}
	try, end := b.attempt(ctx)
	defer end()
	ack, err := b.js.PublishMsg(try, &nats.Msg{Subject: subject, Data: e.Data}, opts...)
	switch {
	case err == nil:
		c.stored(epoch, ack.Sequence)
		return topic.Place{Epoch: epoch, Number: ack.Sequence}, nil
	case isConflict(err):
		return topic.Place{}, c.conflict(ctx, name)
	case context.Cause(try) == errBroken:
		return topic.Place{}, fmt.Errorf("%w; the event may be stored", errBroken)
	case errors.Is(err, nats.ErrMaxPayload):
		return topic.Place{}, fmt.Errorf("the event has %d bytes of JSON, and max_payload of NATS is %d: %w", len(e.Data), b.nc.MaxPayload(), err)
	default:
		return topic.Place{}, b.explain(err, subject)
	}
}

// isConflict reports whether a condition on the last event did not hold.
func isConflict(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// conflict returns the error for a condition that does not hold.
func (c *class) conflict(ctx context.Context, name string) error {
	epoch := c.currentEpoch()
	last, err := c.last(ctx, name)
	if err != nil {
		return err
	}
	e := &topic.ConflictError{}
	if last > 0 {
		e.Last = topic.Place{Epoch: epoch, Number: last}.Seq()
	}
	return e
}
