package telemetry

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A Hub is the server between devices and dashboards: an Intake and a Fleet.
type Hub struct {
	mu      sync.Mutex
	devices map[string]*device
	version uint64        // counts changes
	changed chan struct{} // closed at the next one
}

// A device is what the hub has of one.
type device struct {
	Status
	version uint64  // of the hub at this device's last change
	report  *report // nil while offline
}

// A report is one run of Report. It may change its device for as long as it is
// the device's latest.
type report struct {
	device *device
	remote Device // to be called
}

// NewHub returns a Hub that knows of no device.
func NewHub() *Hub {
	return &Hub{devices: make(map[string]*device), changed: make(chan struct{})}
}

// Report is the device's presence: it ends with the readings, which end with the
// connection, however that comes about.
func (h *Hub) Report(ctx context.Context, name string, interval time.Duration, readings iter.Seq2[Reading, error]) (n int, err error) {
	r := h.begin(name, interval, NewDeviceClient(rpc.Peer(ctx)))
	defer h.change(r, func(d *device) { d.Online, d.report = false, nil })
	for reading, err := range readings {
		if err != nil {
			return n, err
		}
		if !h.change(r, func(d *device) { d.Last, d.Readings = reading, d.Readings+1 }) {
			return n, &Replaced{}
		}
		n++
	}
	return n, nil
}

// begin brings a device online.
func (h *Hub) begin(name string, interval time.Duration, remote Device) *report {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[name]
	if d == nil {
		d = &device{Status: Status{Device: name}}
		h.devices[name] = d
	}
	r := &report{device: d, remote: remote}
	d.report, d.Online, d.Interval = r, true, interval
	h.publish(d)
	return r
}

// change changes what is known of a device, unless the report has been replaced.
func (h *Hub) change(r *report, f func(*device)) (latest bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.device.report != r {
		return false
	}
	f(r.device)
	h.publish(r.device)
	return true
}

// publish wakes the dashboards. The mutex is held.
func (h *Hub) publish(d *device) {
	h.version++
	d.version = h.version
	close(h.changed)
	h.changed = make(chan struct{})
}

// Watch needs no queue for a dashboard, only the version that it has seen: what
// has changed since is what has a higher one.
func (h *Hub) Watch(ctx context.Context) (now []Status, changes iter.Seq2[Status, error], err error) {
	now, seen, changed := h.since(0)
	slices.SortFunc(now, func(a, b Status) int { return strings.Compare(a.Device, b.Device) })
	return now, func(yield func(Status, error) bool) {
		for {
			select {
			case <-changed:
			case <-ctx.Done():
				yield(Status{}, context.Cause(ctx))
				return
			}
			var news []Status
			news, seen, changed = h.since(seen)
			for _, s := range news {
				if !yield(s, nil) {
					return
				}
			}
		}
	}, nil
}

// since returns the devices that have changed after a version, those that did
// so first at the front; the version that there is now, and what tells of the
// next.
func (h *Hub) since(version uint64) (news []Status, now uint64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ds []*device
	for _, d := range h.devices {
		if d.version > version {
			ds = append(ds, d)
		}
	}
	slices.SortFunc(ds, func(a, b *device) int { return cmp.Compare(a.version, b.version) })
	for _, d := range ds {
		news = append(news, d.Status)
	}
	return news, h.version, h.changed
}

// answerTime is how long a device may take to answer.
const answerTime = 10 * time.Second

// SetInterval passes the call on to the device.
func (h *Hub) SetInterval(ctx context.Context, name string, interval time.Duration) (was time.Duration, err error) {
	r, err := h.online(name)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	was, err = r.remote.SetInterval(ctx, interval)
	if errors.Is(err, rpc.CodeUnavailable) {
		return 0, &OfflineDevice{name}
	}
	if err == nil {
		h.change(r, func(d *device) { d.Interval = interval })
	}
	return was, err
}

// online returns the report of a device that is online.
func (h *Hub) online(name string) (*report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch d := h.devices[name]; {
	case d == nil:
		return nil, &UnknownDevice{name}
	case d.report == nil:
		return nil, &OfflineDevice{name}
	default:
		return d.report, nil
	}
}
