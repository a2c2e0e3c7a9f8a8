package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	batchSize   = 256             // entries that are stored at once
	storeWithin = 5 * time.Second // for an answer of JetStream

	// removedFor is how long the message that an entry has been removed is stored, for those
	// who have not received it when it was published.
	removedFor = 2 * time.Minute
)

// A writing is an entry on its way to the stream.
type writing struct {
	entry   *ownEntry
	version int
	turn    uint64
	message message
	ack     jetstream.PubAckFuture
	err     error // why it was not sent
}

// queue has an entry stored as it is now, or removed. The mutex must be held.
func (e *entries) queue(o *ownEntry) {
	if o.version++; !o.queued {
		o.queued = true
		e.dirty = append(e.dirty, o)
	}
	e.awake()
}

func (e *entries) awake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// restore has all entries of this node stored again. The mutex must be held.
func (e *entries) restore() {
	e.begun, e.complete, e.dirty = false, false, e.dirty[:0]
	for _, on := range e.own {
		for _, o := range on.devices {
			o.queued = false
			e.queue(o)
		}
	}
	e.awake()
}

// check has the writer look whether the stream still has the entries of this node.
func (e *entries) check() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.suspect = true
	e.awake()
}

// write stores what is to be stored, until the node ends. It is a goroutine.
func (e *entries) write() {
	ctx := e.node.ctx
	timer := time.NewTicker(e.node.opts.LeaseTime / 3)
	defer timer.Stop()
	defer e.end()
	for ctx.Err() == nil {
		var again <-chan time.Time
		if err := e.store(ctx); err != nil && ctx.Err() == nil {
			e.failed(err)
			again = time.After(min(time.Second, e.node.opts.LeaseTime/10))
		}
		e.awaitWork(ctx, timer.C, again)
	}
}

// awaitWork waits until there is something to store, or until again, which is nil unless
// the last attempt has failed.
func (e *entries) awaitWork(ctx context.Context, check, again <-chan time.Time) {
	wake := e.wake
	if again != nil {
		wake = nil
	}
	select {
	case <-wake:
	case <-again:
	case <-check:
		e.check()
	case <-ctx.Done():
	}
}

// failed releases those who wait, since what is not stored now will be later.
func (e *entries) failed(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.unreachable {
		e.node.opts.Logger.Warn("cluster: entries cannot be stored; trying again", "node", e.node.opts.Name, "error", err)
	}
	e.unreachable, e.suspect = true, true
	for _, o := range e.dirty {
		if o.release(nil); o.value == nil {
			e.show(o)
		}
	}
}

func (o *ownEntry) release(err error) {
	for _, done := range o.stored {
		done <- err
	}
	o.stored = nil
}

// store brings the stream up to date.
func (e *entries) store(ctx context.Context) error {
	e.mu.Lock()
	away := e.incarnation == "" || !e.node.nc.IsConnected()
	e.mu.Unlock()
	if away {
		return errAway
	}
	ctx, end := e.attempt(ctx)
	defer end()
	if err := e.verify(ctx); err != nil {
		return err
	}
	if err := e.markOnce(ctx, &e.begun, mark{}); err != nil {
		return err
	}
	for {
		all := e.batch()
		if len(all) == 0 {
			break
		}
		if err := e.storeBatch(ctx, all); err != nil {
			return err
		}
	}
	if err := e.markOnce(ctx, &e.complete, mark{Complete: true}); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.unreachable {
		e.unreachable = false
		e.node.opts.Logger.Info("cluster: entries are stored again", "node", e.node.opts.Name)
	}
	return nil
}

// verify looks whether the stream has the mark of this incarnation, if that is in doubt. It
// makes the stream if there is none. A mark with another sequence than was answered is one
// that was sent when the connection broke, and has arrived in another stream.
func (e *entries) verify(ctx context.Context) error {
	e.mu.Lock()
	suspect, begun := e.suspect, e.begun
	subject := e.markSubject(e.incarnation)
	e.mu.Unlock()
	if !suspect {
		return nil
	}
	marks, _, err := e.multiLast(ctx, subject)
	if errors.Is(err, nats.ErrNoResponders) {
		err = e.makeStream(ctx)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.suspect = false
	if begun && (len(marks) == 0 || number(marks[0].Header, "Nats-Sequence") != e.marked) {
		e.restore()
		for _, w := range e.watched {
			go w.streamLost()
		}
	}
	return nil
}

// makeStream makes the stream, unless another node has.
func (e *entries) makeStream(ctx context.Context) error {
	all := e.node.subject("entry", ">")
	_, err := e.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:              e.name,
		Subjects:          []string{all},
		Storage:           jetstream.MemoryStorage,
		Replicas:          max(e.node.opts.Replicas, 1),
		MaxMsgsPerSubject: 1,
		AllowDirect:       true,
		AllowMsgTTL:       true,
		RePublish:         &jetstream.RePublish{Source: all, Destination: e.node.subject("live", ">")},

		// Sequences grow also where a stream was lost.
		FirstSeq: uint64(time.Now().UnixMicro()),
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the stream %s: %w", e.name, err)
	}
	return nil
}

// markOnce stores the mark of this incarnation, unless that is done, and notes that it is. One
// that says that all entries are there is stored only behind the mark with which this
// stream has begun: it may arrive late, in another stream.
func (e *entries) markOnce(ctx context.Context, done *bool, m mark) error {
	e.mu.Lock()
	stored, of, marked := *done || m.Complete && (!e.begun || len(e.dirty) > 0), e.incarnation, e.marked
	e.mu.Unlock()
	if stored {
		return nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var opts []jetstream.PublishOpt
	if m.Complete {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(marked))
	}
	ack, err := e.js.Publish(ctx, e.markSubject(of), data, opts...)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.incarnation == of {
		*done, e.marked = true, ack.Sequence
	}
	return nil
}

// batch returns the next entries that are to be stored, on their way.
func (e *entries) batch() (all []*writing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.SortFunc(e.dirty, func(a, b *ownEntry) int { return cmp.Compare(a.turn, b.turn) })
	n := min(len(e.dirty), batchSize)
	for _, o := range e.dirty[:n] {
		o.queued = false
		if o.value == nil && !o.sent {
			e.forget(o) // no other node has received it
			e.show(o)
			continue
		}
		o.sent = true
		on := e.own[o.in]
		e.count++
		w := &writing{entry: o, version: o.version, turn: o.turn, message: message{Count: e.count, Before: on.last, Value: o.value}}
		on.last = e.count
		if w.message.Order = o.order; o.order == 0 {
			e.last++
			w.message.Floor = e.last
		}
		all = append(all, w)
	}
	if e.dirty = e.dirty[n:]; len(e.dirty) == 0 {
		e.dirty = nil
	}
	return all
}

// storeBatch stores entries, and returns an error if one of them was not.
func (e *entries) storeBatch(ctx context.Context, all []*writing) error {
	e.mu.Lock()
	of := e.incarnation
	e.mu.Unlock()
	for _, w := range all {
		w.ack, w.err = e.publish(of, w)
	}
	return e.settle(ctx, all)
}

// settle waits until it is known what came of entries on their way, and returns an error if
// one of them was not stored.
func (e *entries) settle(ctx context.Context, all []*writing) (failed error) {
	first := uint64(math.MaxUint64) // turn of what was not stored
	for _, w := range all {
		sequence, err := w.wait(ctx)
		e.wrote(w, sequence, err)
		if err != nil && !neverStored(err) {
			failed = err
			if w.message.Floor > 0 {
				first = min(first, w.turn)
			}
		}
	}
	if failed != nil {
		e.storeBehind(first)
	}
	return failed
}

// storeBehind has what was put after something that was not stored be stored again, so that
// it comes behind it.
func (e *entries) storeBehind(first uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, on := range e.own {
		for _, o := range on.devices {
			if o.turn > first && o.value != nil && o.order > 0 {
				o.order = 0
				e.queue(o)
			}
		}
	}
}

// neverStored reports whether an error will be the same for another attempt.
func neverStored(err error) bool { return errors.Is(err, nats.ErrMaxPayload) }

func (e *entries) publish(incarnation string, w *writing) (jetstream.PubAckFuture, error) {
	data, err := json.Marshal(w.message)
	if err != nil {
		return nil, err
	}
	var opts []jetstream.PublishOpt
	if w.message.Value == nil {
		opts = append(opts, jetstream.WithMsgTTL(removedFor))
	}
	return e.js.PublishMsgAsync(&nats.Msg{Subject: e.subject(w.entry.in, incarnation, w.entry.device), Data: data}, opts...)
}

// wait returns the sequence under which an entry was stored.
func (w *writing) wait(ctx context.Context) (uint64, error) {
	if w.err != nil {
		return 0, w.err
	}
	select {
	case ack := <-w.ack.Ok():
		return ack.Sequence, nil
	case err := <-w.ack.Err():
		return 0, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// wrote notes what came of a writing. What was not stored, or is another meanwhile, is to
// be stored again.
func (e *entries) wrote(w *writing, sequence uint64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	o := w.entry
	switch {
	case err != nil && neverStored(err):
		o.release(err)
		return
	case err != nil:
		e.queue(o)
		return
	case o.version != w.version:
		return
	case o.value == nil:
		e.forget(o)
		e.showRemoved(o, sequence)
	case o.order == 0:
		o.order = max(sequence, w.message.Floor)
		e.last = max(e.last, o.order)
		e.show(o)
	}
	o.release(nil)
}

// showRemoved shows that an entry has been removed, behind what was published live before.
// The mutex must be held.
func (e *entries) showRemoved(o *ownEntry, sequence uint64) {
	if e.watched[o.in] == nil {
		return
	}
	m := nats.NewMsg(e.subject(o.in, e.incarnation, o.device))
	m.Header.Set("Nats-Sequence", strconv.FormatUint(sequence, 10))
	m.Data = []byte("{}")
	select {
	case e.live <- m:
	default:
		e.show(o)
	}
}

// end releases those who wait, ends what watches, and removes the entries of this node.
func (e *entries) end() {
	e.mu.Lock()
	e.closed = context.Cause(e.node.ctx)
	for _, on := range e.own {
		for _, o := range on.devices {
			o.release(e.closed)
		}
	}
	for _, w := range e.watched {
		w.view.Fail(e.closed)
	}
	incarnation, begun := e.incarnation, e.begun
	e.mu.Unlock()
	if begun && e.node.nc.IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		e.purge(ctx, incarnation)
	}
}
