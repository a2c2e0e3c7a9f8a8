package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A class is the topics in one stream.
type class struct {
	bus    *Bus
	keep   topic.Retention
	config jetstream.StreamConfig
	stream jetstream.Stream // names the stream, also when it was recreated

	mu    sync.Mutex
	epoch string    // as the stream last said
	noted time.Time // when it did
	seen  uint64    // the last number that was stored in the epoch, as far as is known
}

// onceFor is how long JetStream remembers ids, which topic.Bus says.
const onceFor = 2 * time.Minute

const defaultEvents = 1000

// countedKey is in the metadata of a stream whose limit by count was raised. Its value is
// the number up to which a lower one may have removed events.
const countedKey = "wirecall-counted"

// epochKey is in the metadata of a stream that has lost its last events. Its value is
// another for each time.
const epochKey = "wirecall-epoch"

// newClass makes or updates the stream of a class.
func (b *Bus) newClass(ctx context.Context, name string, keep topic.Retention, opts *BusOptions) (*class, error) {
	if keep == (topic.Retention{}) {
		keep.Events = defaultEvents
	}
	c := &class{bus: b, keep: keep, config: b.config(name, keep, opts)}
	if err := c.make(ctx); err != nil {
		return nil, err
	}
	return c, c.mayFollow(ctx, name)
}

// config returns the configuration of the stream of a class. It stores one event of each
// topic more than is kept: the place of that one says that nothing is missing behind it.
func (b *Bus) config(name string, keep topic.Retention, opts *BusOptions) jetstream.StreamConfig {
	stored, live := b.subject("t", name), b.subject("l", name)
	config := jetstream.StreamConfig{
		Name:              b.prefix + "_T_" + name,
		Subjects:          []string{stored, stored + ".>"},
		MaxMsgsPerSubject: int64(keep.Events) + 1,
		MaxAge:            keep.Age,
		MaxBytes:          int64(keep.Bytes),
		Duplicates:        onceFor,
		Replicas:          max(opts.Replicas, 1),
		AllowDirect:       true,
		RePublish:         &jetstream.RePublish{Source: strings.TrimSuffix(stored, name) + ">", Destination: strings.TrimSuffix(live, name) + ">"},
	}
	if keep.Events == 0 {
		config.MaxMsgsPerSubject = -1
	}
	if keep.Bytes == 0 {
		config.MaxBytes = -1
	}
	if keep.Age > 0 {
		config.Duplicates = min(config.Duplicates, keep.Age)
	}
	if opts.Memory {
		config.Storage = jetstream.MemoryStorage
	}
	return config
}

// make makes the stream, or updates it.
func (c *class) make(ctx context.Context) error {
	config := c.config
	before, err := c.bus.js.Stream(ctx, config.Name)
	if err == nil {
		info := before.CachedInfo()
		if !slices.Equal(info.Config.Subjects, config.Subjects) {
			return fmt.Errorf("there is a stream %s already, with the subjects %q", config.Name, info.Config.Subjects)
		}
		config.Metadata = counted(info, config.MaxMsgsPerSubject)
	} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return c.bus.explain(err, "$JS.API.STREAM.INFO."+config.Name)
	}
	stream, err := c.bus.js.CreateOrUpdateStream(ctx, config)
	if err != nil {
		return c.bus.explain(err, "$JS.API.STREAM.CREATE."+config.Name, "$JS.API.STREAM.UPDATE."+config.Name)
	}
	if c.stream == nil {
		c.stream = stream
	}
	c.note(stream.CachedInfo())
	return nil
}

// counted returns the metadata of a stream, with the number up to which events may have
// been removed by a limit that is lower than the next one.
func counted(info *jetstream.StreamInfo, next int64) map[string]string {
	metadata := make(map[string]string)
	for key, value := range info.Config.Metadata {
		if !strings.HasPrefix(key, "_nats.") { // those are the server's
			metadata[key] = value
		}
	}
	if limit := info.Config.MaxMsgsPerSubject; limit > 0 && (next < 0 || limit < next) {
		metadata[countedKey] = strconv.FormatUint(info.State.LastSeq, 10)
	}
	return metadata
}

// mayFollow returns an error if the connection has no permission to subscribe to what is
// published live, of which each follower would learn nothing.
func (c *class) mayFollow(ctx context.Context, name string) error {
	live := c.bus.subject("l", name) + ".>"
	sub, err := c.bus.nc.Subscribe(live, func(*nats.Msg) {})
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := c.bus.nc.FlushWithContext(ctx); err != nil {
		return err
	}
	return c.bus.denied(live)
}

// epochOf returns the epoch of a stream: when it was made, and which of the times after it
// has lost events.
func epochOf(info *jetstream.StreamInfo) string {
	epoch := strconv.FormatInt(info.Created.UnixNano(), 36)
	if again := info.Config.Metadata[epochKey]; again != "" {
		epoch += "-" + again
	}
	return epoch
}

// note takes the state of the stream, and returns its epoch.
func (c *class) note(info *jetstream.StreamInfo) string {
	epoch := epochOf(info)
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		c.epoch, c.seen = epoch, 0
	}
	c.noted, c.seen = time.Now(), max(c.seen, info.State.LastSeq)
	return epoch
}

// stored takes the number of an event that is stored in an epoch.
func (c *class) stored(epoch string, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch == c.epoch {
		c.seen = max(c.seen, number)
	}
}

// currentEpoch returns the epoch that the stream had last.
func (c *class) currentEpoch() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// recentEpoch returns the epoch that the stream had a few seconds ago at most.
func (c *class) recentEpoch(ctx context.Context) (string, error) {
	c.mu.Lock()
	epoch, noted := c.epoch, c.noted
	c.mu.Unlock()
	if time.Since(noted) < c.bus.quiet/2 {
		return epoch, nil
	}
	_, epoch, err := c.info(ctx)
	return epoch, err
}

// suspect has the epoch asked for anew.
func (c *class) suspect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = time.Time{}
}

// info returns the state of the stream.
func (c *class) info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (info *jetstream.StreamInfo, epoch string, err error) {
	err = c.patiently(ctx, "$JS.API.STREAM.INFO."+c.config.Name, func(ctx context.Context) (err error) {
		c.mu.Lock()
		was, seen := c.epoch, c.seen
		c.mu.Unlock()
		if info, err = c.stream.Info(ctx, opts...); err != nil {
			return err
		}
		if epochOf(info) == was && info.State.LastSeq < seen && info.Config.Replicas <= 1 {
			return c.renew(ctx, info)
		}
		epoch = c.note(info)
		return nil
	})
	return info, epoch, err
}

// renew begins another epoch of a stream that has lost its last events, as after a power
// failure: others would get their numbers. Its error is for another attempt if it has.
func (c *class) renew(ctx context.Context, info *jetstream.StreamInfo) error {
	config := c.config
	config.Metadata = counted(info, config.MaxMsgsPerSubject)
	config.Metadata[epochKey] = rand.Text()[:8]
	if _, err := c.bus.js.UpdateStream(ctx, config); err != nil {
		return err
	}
	return errUnavailable
}

// recreate makes the stream again if it is gone, and reports whether it has. It has another
// epoch then.
func (c *class) recreate(ctx context.Context) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, time.Second) // a stream without a leader does not answer
	defer cancel()
	_, err := c.stream.Info(asking)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	return true, c.make(ctx)
}
