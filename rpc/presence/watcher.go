package presence

import "context"

// A watcher is told what changes in a view. Until it takes that, only who has changed is
// kept, so that it costs at most as much as the members that it has yielded and those who
// are here.
type watcher struct {
	view  *View
	woken chan struct{} // has a value when there may be something to take

	// All are guarded by View.mu.
	begun   bool
	first   []*held         // of those who were here at first, whom it has not been told of
	pending map[string]bool // who has changed: whether it was told that they are here; nil if nobody has
}

// A part is what a watcher takes at once.
type part struct {
	all, more bool
	here      []*held
	left      []string
}

// How much a part has at most: the number of names, and the bytes of names and values,
// unless it has one member only.
const (
	partNames = 500
	partBytes = 32 << 10
)

// watch returns a watcher, which must be stopped.
func (v *View) watch() *watcher {
	w := &watcher{view: v, woken: make(chan struct{}, 1)}
	w.wake()
	v.mu.Lock()
	defer v.mu.Unlock()
	w.first = make([]*held, 0, len(v.members))
	for _, m := range v.members {
		w.first = append(w.first, m.shown)
	}
	if v.watchers == nil {
		v.watchers = make(map[*watcher]struct{})
	}
	v.watchers[w] = struct{}{}
	return w
}

func (w *watcher) stop() {
	w.view.mu.Lock()
	defer w.view.mu.Unlock()
	delete(w.view.watchers, w)
}

func (w *watcher) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// changed notes a change, or that there is none any more. The view's mutex must be held.
func (w *watcher) changed(who string, was, is bool) {
	told, ok := w.pending[who]
	if !ok {
		told = was
	}
	if !told && !is {
		delete(w.pending, who) // came and left
		return
	}
	if w.pending == nil {
		w.pending = make(map[string]bool)
	}
	w.pending[who] = told
	w.wake()
}

// next waits until there is something to take.
func (w *watcher) next(ctx context.Context) (part, error) {
	for {
		if ctx.Err() != nil {
			return part{}, context.Cause(ctx)
		}
		p, some, err := w.take()
		if some || err != nil {
			return p, err
		}
		select {
		case <-w.woken:
		case <-ctx.Done():
		}
	}
}

// take returns what has changed, and false if that is nothing.
func (w *watcher) take() (p part, some bool, err error) {
	v := w.view
	v.mu.Lock()
	defer v.mu.Unlock()
	if !w.begun || len(w.first) > 0 {
		p.all, w.begun = !w.begun, true
		w.takeFirst(&p)
		p.more = len(w.first) > 0
		return p, true, nil
	}
	w.takePending(&p)
	some = len(p.here)+len(p.left) > 0
	if !some {
		err = v.err
	}
	return p, some, err
}

// takeFirst takes those who were here at first. Who has changed since is left to pending,
// and has not been told. The mutex must be held.
func (w *watcher) takeFirst(p *part) {
	size := 0
	for len(w.first) > 0 {
		h := w.first[0]
		if _, changed := w.pending[h.Who]; changed {
			w.pending[h.Who] = false
			if w.view.members[h.Who] == nil {
				delete(w.pending, h.Who)
			}
		} else {
			if size += h.size(); p.full(size) {
				return
			}
			p.here = append(p.here, h)
		}
		w.first[0] = nil
		w.first = w.first[1:]
	}
	w.first = nil // with the array behind it
}

// takePending takes those who have changed. The mutex must be held.
func (w *watcher) takePending(p *part) {
	size := 0
	for who := range w.pending {
		m := w.view.members[who]
		if m == nil {
			size += len(who)
		} else {
			size += m.shown.size()
		}
		if p.full(size) {
			return
		}
		delete(w.pending, who)
		if m == nil {
			p.left = append(p.left, who)
		} else {
			p.here = append(p.here, m.shown)
		}
	}
	w.pending = nil // with the space of what it has held
}

// full reports whether a part with one name more, and so many bytes in all, is too large.
func (p *part) full(size int) bool {
	n := len(p.here) + len(p.left)
	return n == partNames || size > partBytes && n > 0
}

func (h *held) size() int { return len(h.Who) + len(h.Value) }
