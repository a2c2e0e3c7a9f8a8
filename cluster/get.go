package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A directGet is a request for messages of a stream, which any server that has it answers.
type directGet struct {
	Seq       uint64     `json:"seq,omitempty"` // the first
	StartTime *time.Time `json:"start_time,omitempty"`
	Subject   string     `json:"next_by_subj,omitempty"`
	LastOf    []string   `json:"multi_last,omitempty"` // the last message of each of these subjects, if it is not before Seq
	Batch     int        `json:"batch,omitempty"`
	MaxBytes  int        `json:"max_bytes"`
}

// maxBatch is how many bytes are read at once, or one message.
const maxBatch = 1 << 20

// answerWithin is how long a server may take for an answer, or each message of a batch.
const answerWithin = 5 * time.Second

// errTooManyMessages is the error of a request for the last messages of more than 1,024
// subjects.
var errTooManyMessages = errors.New("the server has too many messages for one answer")

// errUnavailable is the error of a server that is not ready.
var errUnavailable = errors.New("the server is not available")

// patiently calls f until it can reach the stream, or ctx ends. A stream that is gone is
// recreated.
func (c *class) patiently(ctx context.Context, subject string, f func(context.Context) error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		try, end := c.bus.attempt(ctx)
		err := f(try)
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrStreamNotFound) {
			if made, errMake := c.recreate(try); made {
				err = cmp.Or(errMake, errUnavailable)
			}
		}
		broken := context.Cause(try) == errBroken
		end()
		if err == nil {
			return nil
		}
		denied := c.bus.denied(subject)
		switch {
		case denied != nil:
			return denied
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !broken && !unreachable(err) || c.bus.nc.IsClosed():
			return err
		}
		select {
		case <-time.After(pause):
		case <-c.bus.connected():
		case <-ctx.Done():
		}
	}
}

// unreachable reports whether an error may pass when NATS, or the server that leads a
// stream, is there again.
func unreachable(err error) bool {
	for _, passing := range []error{errUnavailable, jetstream.ErrStreamNotFound, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == errCodeNotAvailable || api.ErrorCode == errCodeOffline)
}

// Errors of JetStream that pass, which its client has no names for.
const (
	errCodeNotAvailable jetstream.ErrorCode = 10008 // no server leads
	errCodeOffline      jetstream.ErrorCode = 10118
)

// denied returns the error with which the server has refused one of the subjects to the
// connection, if that is what happened last.
func (b *Bus) denied(subjects ...string) error {
	err := b.nc.LastError()
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	for _, s := range subjects {
		if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(strconv.Quote(s))) {
			return err
		}
	}
	return nil
}

// explain returns the error of a request: of one that is not answered, that it was refused,
// if it was.
func (b *Bus) explain(err error, subjects ...string) error {
	if denied := b.denied(subjects...); denied != nil && errors.Is(err, context.DeadlineExceeded) {
		return denied
	}
	return err
}

// get returns the messages that are asked for, and how many there are behind the last with
// its subject. It waits while NATS cannot be reached.
func (c *class) get(ctx context.Context, g directGet) (records []topic.Record, behind uint64, err error) {
	answers, err := c.getAll(ctx, g)
	if err != nil {
		return nil, 0, err
	}
	for _, m := range answers.messages {
		var r topic.Record
		if r, behind, err = recordOf(m); err != nil {
			return nil, 0, err
		}
		records = append(records, r)
	}
	return records, behind, nil
}

// Answers are what a server has answered a directGet.
type answers struct {
	messages []*nats.Msg
	end      nats.Header // of what ends them; empty if there is no message
}

func (c *class) getAll(ctx context.Context, g directGet) (got answers, err error) {
	g.MaxBytes = maxBatch
	data, err := json.Marshal(g)
	if err != nil {
		return got, err
	}
	subject := "$JS.API.DIRECT.GET." + c.config.Name
	err = c.patiently(ctx, subject, func(ctx context.Context) error {
		got, err = request(ctx, c.bus.nc, subject, data)
		return err
	})
	return got, err
}

// request makes a request with many answers.
func request(ctx context.Context, nc *nats.Conn, subject string, request []byte) (got answers, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	inbox, arrived := nc.NewRespInbox(), make(chan *nats.Msg)
	sub, err := nc.Subscribe(inbox, func(m *nats.Msg) { // SubscribeSync allocates half a megabyte
		select {
		case arrived <- m:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return got, err
	}
	defer sub.Unsubscribe()
	if err := nc.PublishRequest(subject, inbox, request); err != nil {
		return got, err
	}
	for {
		m, err := nextAnswer(ctx, arrived)
		if err != nil {
			return answers{}, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			got.messages = append(got.messages, m)
		case "204", "404": // the end; there is none
			got.end = m.Header
			return got, nil
		case "413":
			return answers{}, errTooManyMessages
		case "503":
			return answers{}, nats.ErrNoResponders
		default:
			return answers{}, fmt.Errorf("the server answers %s %s", status, m.Header.Get("Description"))
		}
	}
}

func nextAnswer(ctx context.Context, arrived <-chan *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	select {
	case m := <-arrived:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// recordOf returns a stored message, and how many there are behind it if that is known.
func recordOf(m *nats.Msg) (r topic.Record, behind uint64, err error) {
	r.Data = m.Data
	if r.Number, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
		return r, 0, err
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")); err != nil {
		return r, 0, err
	}
	if pending := m.Header.Get("Nats-Num-Pending"); pending != "" {
		behind, err = strconv.ParseUint(pending, 10, 64)
	}
	return r, behind, err
}
