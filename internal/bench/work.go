package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// A Value is the small call: 95 bytes as JSON, parameters and result alike.
type Value struct {
	ID   int64    `json:"id"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// A Blob is the large call, for peers that want a struct around its string.
type Blob struct {
	Text string `json:"text"`
}

// A Feed asks for a stream.
type Feed struct {
	N    int64 `json:"n"`    // items; 0 is without end, live what is published
	Size int   `json:"size"` // of each item's symbol in bytes; 0 is four
	Hold bool  `json:"hold"` // leave the stream open behind its last item
}

// An Item is what streams carry: 40 bytes or so as JSON.
type Item struct {
	Seq    int64   `json:"seq"`
	Price  float64 `json:"price"`
	Symbol string  `json:"symbol"`
}

var (
	tags    = []string{"alpha-01", "bravo-02", "gamma-03", "delta-04"}
	symbols = [...]string{"AAPL", "MSFT", "GOOG", "AMZN", "NVDA", "TSLA", "META", "ORCL"}
	prose   = strings.Repeat("A line of sixty-four characters, none of which need any escapes.", 16<<10)
	text    = prose[:16<<10]
	chunk   = []byte(prose[:32<<10])
)

var (
	errWrong     = errors.New("the answer is wrong")
	errNoUploads = errors.New("it has no uploads")
)

func newValue(id int64) Value { return Value{id, "order-entry-0042", tags} }

// checkValue holds an answer against what was sent, field by field, as peers
// have different types for it.
func checkValue(id, gotID int64, name string, gotTags []string) error {
	if gotID != id || name != "order-entry-0042" || !slices.Equal(gotTags, tags) {
		return fmt.Errorf("%w: value %d came back as {%d %q %q}", errWrong, id, gotID, name, gotTags)
	}
	return nil
}

func checkText(got string) error {
	if got != text {
		return fmt.Errorf("%w: a text of %d bytes came back as %d others", errWrong, len(text), len(got))
	}
	return nil
}

func (f Feed) item(seq int64) Item {
	it := Item{seq, 100 + float64(seq%1000)/8, symbols[seq%8]}
	if f.Size > 0 {
		it.Symbol = prose[:f.Size]
	}
	return it
}

// live is the N of a feed that follows the board.
const live = -1

// endless reports whether the feed ends with its context only.
func (f Feed) endless() bool { return f.N <= 0 || f.Hold }

// sent is how many items the producers of this process have handed over.
var sent atomic.Int64

// produce is every peer's stream on the serving side. It ends with f, with
// ctx where the stream is held, or with send's error.
func (f Feed) produce(ctx context.Context, send func(Item) error) error {
	if f.N == live {
		return f.follow(ctx, func(p *post) error { return send(p.item) })
	}
	for i := int64(0); f.N == 0 || i < f.N; i++ {
		if err := send(f.item(i)); err != nil {
			return err
		}
		sent.Add(1)
	}
	if f.Hold {
		<-ctx.Done()
	}
	return nil
}

// A tally checks the items of one stream as they come.
type tally struct {
	feed Feed
	n    int64
	sum  int64 // of the sequence numbers
	last int64
	late int64 // came after one that was sent later
}

func (t *tally) add(it Item) error {
	if it != t.feed.item(it.Seq) {
		return fmt.Errorf("%w: item %d has price %v and a symbol of %d bytes", errWrong, it.Seq, it.Price, len(it.Symbol))
	}
	if it.Seq < t.last {
		t.late++
	}
	t.n, t.sum, t.last = t.n+1, t.sum+it.Seq, max(t.last, it.Seq)
	return nil
}

// done says whether each item came once.
func (t *tally) done() error {
	if n := t.feed.N; t.n != n || t.sum != n*(n-1)/2 {
		return fmt.Errorf("%w: %d items of %d, their numbers sum up to %d", errWrong, t.n, n, t.sum)
	}
	return nil
}

// A Kind is how a work is measured.
type Kind string

const (
	Calls  Kind = "calls"  // as fast as they come back
	Stream Kind = "stream" // items, as fast as they come
	Beside Kind = "beside" // calls, one at a time, beside a stream
	Load   Kind = "load"   // calls at a fixed rate
	Upload Kind = "upload" // calls, one at a time, beside an upload
	Idle   Kind = "idle"   // nothing, on many connections
	FanOut Kind = "fanout" // events that go to everyone
)

// A Work is what every peer does once a round. Which fields count depends on
// its kind.
type Work struct {
	Name, Title string
	Label       string // on charts and in the heads of tables: two short lines
	Kind        Kind
	Text        bool // calls with 16 KiB instead of the small value
	Conns       int
	InFlight    int  // calls, on each connection
	Streams     int  // on each connection
	Events      int  // published at once
	Size        int  // of an item's symbol
	Slow        bool // the stream's consumer takes an item per 100 ms
	Rate        int  // calls a second
	X           int  // the place on a growth chart's axis
}

var works = []Work{
	{Name: "small-1", Kind: Calls, Conns: 1, InFlight: 1, Label: "small calls,\n1 in flight", Title: "small call, 1 in flight"},
	{Name: "small-64", Kind: Calls, Conns: 1, InFlight: 64, Label: "small calls,\n64 in flight", Title: "small call, 64 in flight on one connection"},
	{Name: "small-1024", Kind: Calls, Conns: 1, InFlight: 1024, Label: "small calls,\n1,024 in flight", Title: "small call, 1,024 in flight on one connection"},
	{Name: "small-100x16", Kind: Calls, Conns: 100, InFlight: 16, Label: "small calls,\n16 on each of 100", Title: "small call, 16 in flight on each of 100 connections"},
	{Name: "16k-1", Kind: Calls, Text: true, Conns: 1, InFlight: 1, Label: "16 KiB calls,\n1 in flight", Title: "16 KiB call, 1 in flight"},
	{Name: "16k-64", Kind: Calls, Text: true, Conns: 1, InFlight: 64, Label: "16 KiB calls,\n64 in flight", Title: "16 KiB call, 64 in flight on one connection"},
	{Name: "16k-100x16", Kind: Calls, Text: true, Conns: 100, InFlight: 16, Label: "16 KiB calls,\n16 on each of 100", Title: "16 KiB call, 16 in flight on each of 100 connections"},
	{Name: "stream-1", Kind: Stream, Streams: 1, Label: "items of\none stream", Title: "one server stream"},
	{Name: "stream-100", Kind: Stream, Streams: 100, Label: "items of\n100 streams", Title: "100 server streams at once on one connection"},
	{Name: "stream-4k", Kind: Stream, Streams: 1, Size: 4 << 10, Label: "items of 4 KiB,\none stream", Title: "one server stream of items of 4 KiB"},
	{Name: "beside-fast", Kind: Beside, Label: "beside a stream\nat full speed", Title: "small call beside a stream at full speed on the same connection"},
	{Name: "beside-slow", Kind: Beside, Slow: true, Label: "beside a stream\nthat is read slowly", Title: "small call beside a stream whose consumer takes an item per 100 ms"},
}

// streams reports whether the work needs a peer that has streams.
func (w Work) streams() bool {
	return w.Kind != Calls && w.Kind != Load && (w.Kind != Idle || w.Streams > 0)
}

// uploads are the works of -upload.
var uploads = []Work{
	{Name: "upload", Kind: Upload, Title: "64 MiB up in chunks of 32 KiB, small calls beside it on the same connection"},
}

// idles are the works of -idle.
func idles(conns int) []Work {
	return []Work{
		{Name: fmt.Sprintf("idle-%d", conns), Kind: Idle, Conns: conns, Title: fmt.Sprintf("%s connections that say nothing", whole(conns))},
		{Name: fmt.Sprintf("idle-stream-%d", conns), Kind: Idle, Conns: conns, Streams: 1,
			Title: fmt.Sprintf("%s connections, each with an open stream that says nothing", whole(conns))},
	}
}
