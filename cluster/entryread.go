package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// A stored is a message of an entry in the stream.
type stored struct {
	in          entryName
	incarnation string
	device      string
	sequence    uint64
	message
}

// order returns the order of the entry.
func (s *stored) order() uint64 { return cmp.Or(s.Order, max(s.sequence, s.Floor)) }

// A snapshot is what the stream has under a name.
type snapshot struct {
	entries  []stored        // of each device the last
	complete map[string]bool // whether all entries of an incarnation are there, for those with a mark
	upTo     uint64          // it has at least what was stored until this sequence
}

// list returns the entries under a name of all nodes that are in the cluster, in their
// order. It fails at once while NATS cannot be reached.
func (e *entries) list(ctx context.Context, kind, name string) ([]entry, error) {
	in := entryName{kind, name}
	s, err := e.read(ctx, in)
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, r := range s.entries {
		if node, own := e.nodeOf(r.incarnation); node != "" && !own && r.Value != nil {
			all = append(all, entry{node, r.device, r.Value, r.order()})
		}
	}
	all = append(all, e.ownUnder(in)...)
	sortEntries(all)
	return all, nil
}

func sortEntries(all []entry) {
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
}

// ownUnder returns the entries of this node under a name.
func (e *entries) ownUnder(in entryName) (all []entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if on := e.own[in]; on != nil {
		for _, o := range on.devices {
			if o.value != nil {
				all = append(all, entry{e.node.opts.Name, o.device, o.value, o.shownOrder()})
			}
		}
	}
	return all
}

// read reads what the stream has under a name, with the marks of nodes, which are read
// before anything else or at the same time.
func (e *entries) read(ctx context.Context, in entryName) (s snapshot, err error) {
	marks := e.markSubject("*")
	all, upTo, err := e.multiLast(ctx, marks, e.filter(in, ""))
	if errors.Is(err, errTooManyMessages) {
		if all, upTo, err = e.multiLast(ctx, marks); err != nil {
			return s, err
		}
		var parts []*nats.Msg
		parts, err = e.readParts(ctx, in, "")
		all = append(all, parts...)
	}
	if err != nil {
		return s, err
	}
	s.upTo, s.complete = upTo, make(map[string]bool)
	for _, m := range all {
		if r := e.parse(m); r.device != "" {
			s.entries = append(s.entries, r)
		} else {
			var k mark
			json.Unmarshal(m.Data, &k)
			s.complete[r.incarnation] = k.Complete
		}
	}
	return s, nil
}

// filter returns the subject of all entries under a name whose devices begin with a
// prefix of at most two characters.
func (e *entries) filter(in entryName, prefix string) string {
	tokens := []string{in.tokens(), "*", "*", "*", "*"}
	for i := range prefix {
		tokens[2+i] = prefix[i : i+1]
	}
	return e.node.subject("entry", tokens...)
}

// deviceAlphabet has the characters of devices.
const deviceAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// readParts reads the entries whose devices begin with a prefix and are too many for one
// answer.
func (e *entries) readParts(ctx context.Context, in entryName, prefix string) (all []*nats.Msg, err error) {
	for i := range deviceAlphabet {
		longer := prefix + deviceAlphabet[i:i+1]
		part, _, err := e.multiLast(ctx, e.filter(in, longer))
		if errors.Is(err, errTooManyMessages) && len(longer) < 2 {
			part, err = e.readParts(ctx, in, longer)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// multiLast returns the last message of each subject that matches, and a sequence until
// which all that was stored is considered. It does not wait for NATS.
func (e *entries) multiLast(ctx context.Context, subjects ...string) (all []*nats.Msg, upTo uint64, err error) {
	ctx, end := e.attempt(ctx)
	defer end()
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	get := directGet{LastOf: subjects, MaxBytes: maxBatch}
	for {
		data, err := json.Marshal(get)
		if err != nil {
			return nil, 0, err
		}
		got, err := request(ctx, e.node.nc, "$JS.API.DIRECT.GET."+e.name, data)
		switch {
		case err != nil && ctx.Err() != nil:
			err = context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded): // of the wait for an answer
			err = errAway
		}
		if err != nil {
			return nil, 0, err
		}
		all = append(all, got.messages...)
		if upTo == 0 {
			upTo = number(got.end, "Nats-UpTo-Sequence")
		}
		if number(got.end, "Nats-Num-Pending") == 0 {
			return all, upTo, nil
		}
		get.Seq = number(got.end, "Nats-Last-Sequence") + 1
	}
}

func number(h nats.Header, key string) uint64 {
	n, _ := strconv.ParseUint(h.Get(key), 10, 64)
	return n
}

// parse returns what a message of the stream, or one that was published again, is about.
// A mark has no device.
func (e *entries) parse(m *nats.Msg) (s stored) {
	subject := cmp.Or(m.Header.Get("Nats-Subject"), m.Subject)
	tokens := strings.Split(subject, ".")
	tokens = tokens[min(len(tokens), strings.Count(e.node.opts.Prefix, ".")+2):] // behind prefix and kind
	s.sequence = number(m.Header, "Nats-Sequence")
	if len(tokens) < 4 {
		return s
	}
	s.incarnation = tokens[2]
	if len(tokens) != 6 || json.Unmarshal(m.Data, &s.message) != nil {
		return s
	}
	s.in.kind = tokens[0]
	if s.in.name, _ = url.PathUnescape(tokens[1]); s.in.name != "" {
		s.device = tokens[3] + tokens[4] + tokens[5]
	}
	return s
}

// lastUnder returns the sequence of the last message under a name, or 0.
func (e *entries) lastUnder(ctx context.Context, in entryName) (uint64, error) {
	data, err := json.Marshal(map[string]string{"last_by_subj": e.node.subject("entry", in.tokens(), ">")})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	m, err := e.node.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+e.name, data)
	if err != nil {
		return 0, err
	}
	return number(m.Header, "Nats-Sequence"), nil
}
