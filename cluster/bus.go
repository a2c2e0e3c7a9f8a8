// Package cluster makes topics of package topic work across processes, on NATS with
// JetStream.
//
//	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
//	bus, err := cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"room": {Events: 10_000}}})
//	room := topic.New[Message](bus, topic.Name("room", "42"))
//
// Each class of topics is a stream of JetStream, and each topic a subject of it. A process
// that follows a topic has one subscription to what JetStream publishes again when it has
// stored it, however many of its clients wait for that topic, and reads the stream
// directly: there are no consumers.
package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/rpc/topic"
)

// BusOptions configures a Bus.
type BusOptions struct {
	// Classes are the classes of the topics, the part of their names before the first
	// dot, with what is kept of each topic; Bytes is of the whole class. A limit of 0 is
	// none; without any limit the last 1,000 events are kept. Publishing to another class
	// is an error. Where Age is below two minutes, ids are remembered only so long.
	Classes map[string]topic.Retention

	// Prefix begins the names of streams, and of subjects in lower case. The default is WC.
	Prefix string

	// Replicas is on how many servers each stream is stored. The default is 1.
	Replicas int

	// Memory keeps the streams in the memory of the servers, in place of files.
	Memory bool
}

// A Bus is a topic.Bus on JetStream.
type Bus struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	prefix  string
	classes map[string]*class // by name
}

var _ topic.Bus = (*Bus)(nil)

// A class is the topics in one stream.
type class struct {
	stream jetstream.Stream
	name   string // of the stream
	epoch  string
	each   int // events that are kept of a topic; 0 for no limit
}

// onceFor is how long JetStream remembers ids, which topic.Bus says.
const onceFor = 2 * time.Minute

const (
	defaultEvents = 1000
	defaultPrefix = "WC"
)

// NewBus returns a bus on a connection to NATS, whose streams it makes, or updates to the
// options. The connection stays the caller's.
func NewBus(ctx context.Context, nc *nats.Conn, opts *BusOptions) (*Bus, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	b := &Bus{nc: nc, js: js, prefix: defaultPrefix, classes: make(map[string]*class)}
	if opts == nil || len(opts.Classes) == 0 {
		return nil, errors.New("cluster: BusOptions.Classes has no class")
	}
	if opts.Prefix != "" {
		b.prefix = opts.Prefix
	}
	for name, keep := range opts.Classes {
		c, err := b.open(ctx, name, keep, opts)
		if err != nil {
			return nil, fmt.Errorf("cluster: the stream of class %q: %w", name, err)
		}
		b.classes[name] = c
	}
	return b, nil
}

// open makes or updates the stream of a class.
func (b *Bus) open(ctx context.Context, name string, keep topic.Retention, opts *BusOptions) (*class, error) {
	if keep == (topic.Retention{}) {
		keep.Events = defaultEvents
	}
	stored, live := b.subject("t", name), b.subject("l", name)
	config := jetstream.StreamConfig{
		Name:        b.prefix + "_T_" + name,
		Subjects:    []string{stored, stored + ".>"},
		MaxAge:      keep.Age,
		MaxBytes:    int64(keep.Bytes),
		Duplicates:  onceFor,
		Replicas:    max(opts.Replicas, 1),
		AllowDirect: true,
		RePublish:   &jetstream.RePublish{Source: strings.TrimSuffix(stored, name) + ">", Destination: strings.TrimSuffix(live, name) + ">", HeadersOnly: true},
	}
	if keep.Bytes == 0 {
		config.MaxBytes = -1
	}
	config.MaxMsgsPerSubject = int64(keep.Events)
	if keep.Events == 0 {
		config.MaxMsgsPerSubject = -1
	}
	if keep.Age > 0 && keep.Age < config.Duplicates {
		config.Duplicates = keep.Age
	}
	if opts.Memory {
		config.Storage = jetstream.MemoryStorage
	}
	stream, err := b.js.CreateOrUpdateStream(ctx, config)
	if err != nil {
		return nil, err
	}
	created := stream.CachedInfo().Created
	return &class{stream: stream, name: config.Name, epoch: strconv.FormatInt(created.UnixNano(), 36), each: keep.Events}, nil
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

// Append implements topic.Bus. It waits until JetStream has stored the event.
func (b *Bus) Append(ctx context.Context, name string, e topic.Entry) (topic.Place, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Place{}, err
	}
	opts := []jetstream.PublishOpt{jetstream.WithExpectStream(c.name)}
	if e.ID != "" {
		id := sha256.Sum256([]byte(name + "\n" + e.ID)) // ids are the stream's, and no header has any text
		opts = append(opts, jetstream.WithMsgID(base64.RawURLEncoding.EncodeToString(id[:])))
	}
	if e.Conditional {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(e.Expect.Number()))
	}
	ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject("t", name), Data: e.Data}, opts...)
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return topic.Place{}, b.conflict(ctx, c, name)
	}
	if err != nil {
		return topic.Place{}, fmt.Errorf("cluster: publish to %s: %w", name, err)
	}
	return topic.Place{Epoch: c.epoch, Number: ack.Sequence}, nil
}

// conflict returns the error for a condition that does not hold.
func (b *Bus) conflict(ctx context.Context, c *class, name string) error {
	last, err := b.last(ctx, c, name)
	if err != nil {
		return err
	}
	e := &topic.ConflictError{}
	if last > 0 {
		e.Last = topic.Place{Epoch: c.epoch, Number: last}.Seq()
	}
	return e
}

// last returns the number of the last event of a topic that is stored, or 0.
func (b *Bus) last(ctx context.Context, c *class, name string) (uint64, error) {
	var m *jetstream.RawStreamMsg
	err := patiently(ctx, func() (err error) {
		m, err = c.stream.GetLastMsgForSubject(ctx, b.subject("t", name))
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cluster: the last event of %s: %w", name, err)
	}
	return m.Sequence, nil
}

// Read implements topic.Bus.
func (b *Bus) Read(ctx context.Context, name string, after uint64, limit int) (topic.Page, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Page{}, err
	}
	records, err := b.batch(ctx, c, name, after, limit)
	if err != nil {
		return topic.Page{}, fmt.Errorf("cluster: read %s: %w", name, err)
	}
	// What was removed before the records were read has been removed by now.
	p, err := b.bounds(ctx, c, name)
	if err != nil {
		return p, fmt.Errorf("cluster: read %s: %w", name, err)
	}
	p.Records = records
	return p, nil
}

// bounds returns a page of a topic without records. Numbers are those of the stream, of
// which a topic has some: where it is not known whether an event of the topic was
// removed, it is said to have been.
func (b *Bus) bounds(ctx context.Context, c *class, name string) (topic.Page, error) {
	subject := b.subject("t", name)
	var info *jetstream.StreamInfo
	err := patiently(ctx, func() (err error) {
		info, err = c.stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		return err
	})
	if err != nil {
		return topic.Page{}, err
	}
	p := topic.Page{Epoch: c.epoch, Last: info.State.LastSeq}
	if info.State.FirstSeq > 0 {
		p.Begin = info.State.FirstSeq - 1
	}
	if c.each > 0 && info.State.Subjects[subject] >= uint64(c.each) {
		first, err := b.batch(ctx, c, name, 0, 1)
		if err != nil {
			return topic.Page{}, err
		}
		if len(first) > 0 {
			p.Begin = first[0].Number - 1
		}
	}
	return p, nil
}
