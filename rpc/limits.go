package rpc

import (
	"fmt"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// Limits bound what one connection may cost this side. The zero value of each field
// means its default; the defaults are safe on the open internet. In wirecall mode the
// limits that concern the peer are sent to it in the handshake, and it keeps to them.
// What exceeds a limit is refused, and a peer that continues is disconnected.
//
// A number above 2^30 counts as 2^30, and a time above 2^31-1 ms as that. A negative
// number or time is invalid, except for IdleTimeout, and so is a time below a
// millisecond.
type Limits struct {
	// MessageBytes is the size in bytes of the largest message, and of the largest POST
	// body, that is accepted: at least 64 KiB, which every peer may send. The default is
	// 1 MiB. A frame that packs several messages is at most 32 KiB, whatever this limit
	// is.
	MessageBytes int

	// Calls is how many calls of the peer run at once. A canceled call counts until its
	// handler has returned. A call over the limit is refused with CodeLimitReached and
	// does not run; in plain mode, where a peer cannot know the limit, up to 1,024 calls
	// wait for their turn first. The default is 256. Whatever the peer's limit is, this
	// side has at most 16,384 unanswered calls.
	Calls int

	// Streams is how many streams of the peer may be open to this side at once, and how
	// many streams of answers to the peer's calls may be open to the peer. The default is
	// 256.
	Streams int

	// BufferedBytes is how many received bytes may wait for the application: parameters
	// and metadata of calls that run, stream items that have not been read, and answers
	// of a batch that wait for the others; in plain mode queued notifications as well.
	// Ids count four times and metadata eight times, which is the memory that they take.
	// The default is 16 MiB, or twice MessageBytes if that is more; it cannot be less
	// than MessageBytes.
	BufferedBytes int

	// Notifications is how many notifications may wait for their handlers, which run one
	// after another, including the one that runs. NotificationBytes is how many bytes
	// their messages may have; while less than half of that is used, one more
	// notification of any size is accepted. A wirecall peer learns both limits in the
	// handshake, as at least 64 and 64 KiB, and at most 16,384 notifications. At a limit
	// its notifications wait, under their contexts, until some have been handled. A plain
	// peer that exceeds a limit is disconnected. The defaults are 4,096 and 1 MiB: what
	// twenty seconds without a network accumulate at 200 a second.
	Notifications     int
	NotificationBytes int

	// BatchMessages is how many messages a JSON-RPC batch may have, in plain mode and in
	// a POST. A longer batch is refused as a whole, and none of it runs. Of any other at
	// most Calls messages run at once. The default is 1,000.
	BatchMessages int

	// BatchReplyBytes is how many bytes the answer to one batch may have. A result that
	// does not fit is replaced by an error with CodeTooLarge. The default is 4 MiB.
	BatchReplyBytes int

	// WindowItems is how many items of a stream may be on their way to this side, or wait
	// here, when the stream begins, and WindowBytes how many bytes; while less than half
	// of those bytes are used, one item of any size is accepted. The defaults are 64
	// items and 64 KiB. A window doubles when its reader waits because of it, up to
	// sixteen times, but never to more than 16,384 items.
	WindowItems int
	WindowBytes int

	// SubscriptionItems is how many items of a stream may wait for the application in
	// plain mode, where the server cannot be held back, besides those that its loop takes
	// at the time, which are as many at most. If more arrive, the client unsubscribes, and
	// the stream ends behind its items with CodeSlowConsumer. Before the server has
	// answered the calls that subscribe, it is how many items of all their streams may
	// wait. The default is 16,384.
	SubscriptionItems int

	// SendQueueBytes is how many bytes may wait to be written. Above it calls,
	// notifications and stream items wait for room, under their own contexts. What cannot
	// wait, such as refusals and credit, may take as much again; above that the
	// connection is cut. The default is 1 MiB, or MessageBytes if that is more.
	SendQueueBytes int

	// ReplayBytes is how many sent bytes a session that can be resumed keeps until the
	// peer has acknowledged them. If the peer falls further behind, sending continues,
	// and the session cannot be resumed until the peer has caught up: see
	// State.Resumable. The default is 1 MiB.
	ReplayBytes int

	// HandshakeTimeout bounds the time from the beginning of a connection to the peer's
	// first message in wirecall mode, and the time that a dialed server takes to answer.
	// The default is 10 s.
	HandshakeTimeout time.Duration

	// IdleTimeout is how long nothing may arrive from the peer, not even answers to
	// pings, before the connection is cut. Any part of a message counts, so that a slow
	// upload is not cut. Each third of it, a peer from which nothing has arrived since the
	// last is pinged, so that a connection is silent for two thirds of it at most. The
	// default is 60 s; if it is negative, the peer is neither pinged nor cut.
	IdleTimeout time.Duration

	// WriteTimeout is how long a write may wait without progress before the connection is
	// cut. On Linux, over TCP, TLS and Unix sockets, any byte that the peer's system
	// takes is progress. Elsewhere it is a byte that the local socket takes, or, if only
	// the end of a write can be observed, 16 KiB. The default is 30 s: in the last case a
	// peer that reads less than about 550 bytes a second is cut.
	WriteTimeout time.Duration

	// LingerTimeout is how long notifications may be handled that were received before
	// the peer's goodbye, or before the end of a socket whose session cannot be resumed.
	// After it the remaining ones are dropped, and counted in the log, and the contexts
	// of handlers end. Calls are canceled at once. Server.Shutdown and ServeConn wait for
	// these notifications, Close drops them. The default is 5 s.
	LingerTimeout time.Duration
}

// withDefaults is l with every zero replaced.
func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.MessageBytes, 1<<20)
	def(&l.Calls, 256)
	def(&l.Streams, 256)
	def(&l.BufferedBytes, max(16<<20, 2*min(l.MessageBytes, maxNumber/2)))
	def(&l.Notifications, 4096)
	def(&l.NotificationBytes, 1<<20)
	def(&l.BatchMessages, 1000)
	def(&l.BatchReplyBytes, 4<<20)
	def(&l.WindowItems, 64)
	def(&l.WindowBytes, 64<<10)
	def(&l.SubscriptionItems, 16<<10)
	def(&l.SendQueueBytes, max(1<<20, l.MessageBytes))
	def(&l.ReplayBytes, 1<<20)
	for v, d := range map[*time.Duration]time.Duration{&l.HandshakeTimeout: 10 * time.Second, &l.IdleTimeout: time.Minute, &l.WriteTimeout: 30 * time.Second, &l.LingerTimeout: 5 * time.Second} {
		if *v == 0 {
			*v = d
		}
	}
	bound(&l)
	return l
}

// The largest number and time of an option. More counts as this, so that nothing
// computed from it overflows.
const (
	maxNumber = 1 << 30
	maxTime   = wire.MaxTimeout * time.Millisecond
)

// checkNumbers returns an error for an invalid number in a struct of options called
// name: a negative one, except in the field called signed, or a time below a
// millisecond, whose unit is probably missing.
func checkNumbers(name string, options any, signed string) error {
	if err := checkSigns(name, options, signed); err != nil {
		return err
	}
	for f, v := range reflect.ValueOf(options).Fields() {
		if f.Type == reflect.TypeFor[time.Duration]() && v.Int() > 0 && v.Int() < int64(time.Millisecond) {
			return fmt.Errorf("%s.%s is %v: want a millisecond at least; is its unit missing?", name, f.Name, v.Interface())
		}
	}
	return nil
}

// checkSigns returns an error for a negative number in a struct of options called name,
// except in the field called signed.
func checkSigns(name string, options any, signed string) error {
	for f, v := range reflect.ValueOf(options).Fields() {
		if v.CanInt() && v.Int() < 0 && f.Name != signed {
			return fmt.Errorf("%s.%s is %v: want more, or 0 for the default", name, f.Name, v.Interface())
		}
	}
	return nil
}

// bound lowers the numbers in a struct of options, to which options points, to the
// largest that is allowed.
func bound(options any) {
	for f, v := range reflect.ValueOf(options).Elem().Fields() {
		switch {
		case !v.CanInt():
		case f.Type == reflect.TypeFor[time.Duration]():
			v.SetInt(min(v.Int(), int64(maxTime)))
		default:
			v.SetInt(min(v.Int(), maxNumber))
		}
	}
}

// Validate returns an error that names the first invalid field of l, or nil if there is
// none.
func (l Limits) Validate() error {
	switch err := checkNumbers("Limits", l, "IdleTimeout"); {
	case err != nil:
		return err
	case l.MessageBytes != 0 && l.MessageBytes < session.MinMessage:
		return fmt.Errorf("Limits.MessageBytes is %d: want %d at least, which every peer may send", l.MessageBytes, session.MinMessage)
	case l.MessageBytes != 0 && l.BufferedBytes != 0 && l.BufferedBytes < l.MessageBytes:
		return fmt.Errorf("Limits.BufferedBytes is %d: want Limits.MessageBytes, %d, at least, or the largest messages could not be taken", l.BufferedBytes, l.MessageBytes)
	}
	return nil
}

// Validate returns an error that names the first invalid field of r, or nil if there is
// none.
func (r Reconnect) Validate() error {
	switch err := checkSigns("Reconnect", r, ""); {
	case err != nil:
		return err
	case r.MaxDelay > 0 && r.MaxDelay < time.Microsecond:
		return fmt.Errorf("Reconnect.MaxDelay is %v: want a microsecond at least; is its unit missing?", r.MaxDelay)
	case r.MaxDelay != 0 && r.MinDelay > r.MaxDelay:
		return fmt.Errorf("Reconnect.MinDelay is %v: want Reconnect.MaxDelay, %v, at most", r.MinDelay, r.MaxDelay)
	case r.Disabled && r.RetryFirst:
		return contradiction("Reconnect.RetryFirst", "Reconnect.Disabled")
	}
	return nil
}

// Validate returns an error that names the first invalid field of o, or nil if there is
// none or o is nil. NewConn returns that error.
func (o *ConnOptions) Validate() error {
	switch {
	case o == nil:
		return nil
	case o.Framing != Lines && o.Framing != ContentLength:
		return fmt.Errorf("Framing is %d: want Lines or ContentLength", o.Framing)
	case o.Plain && o.Token != nil:
		return contradiction("Plain", "Token")
	}
	return firstError(o.Limits.Validate(),
		checkNotNil("CallInterceptors", o.CallInterceptors, func(f Interceptor) bool { return f == nil }),
		checkNotNil("ServeInterceptors", o.ServeInterceptors, func(f Interceptor) bool { return f == nil }),
		checkNotNil("StreamInterceptors", o.StreamInterceptors, func(f StreamInterceptor) bool { return f == nil }),
		checkNotNil("Observers", o.Observers, func(o *Observer) bool { return o == nil }),
		checkServices("Services", o.Services))
}

// checkServices returns an error for a method that two services of an option have, or a
// subscription.
func checkServices(option string, services []Service) error {
	seen := make(map[string]bool)
	for _, s := range services {
		for _, m := range s.Methods {
			for _, name := range m.callNames() {
				if seen[name] {
					return fmt.Errorf("%s: %w", option, registeredTwice(name))
				}
				seen[name] = true
			}
		}
	}
	return nil
}

// callNames returns the name of a method, and, behind it, what subscribes to its stream in
// plain mode if that is another.
func (m *Method) callNames() []string {
	names := []string{m.Name}
	if m.Plain != nil && m.Plain.Subscription != nil {
		if name := strings.TrimSpace(m.Plain.Subscription.Subscribe + " " + m.Plain.Subscription.Kind); name != m.Name {
			names = append(names, name)
		}
	}
	return names
}

func registeredTwice(method string) error {
	return fmt.Errorf("method %q is registered twice", method)
}

// Validate returns an error that names the first invalid field of o, or two fields that
// contradict each other, or nil if there is nothing to report or o is nil. Dial returns
// that error, and also one for fields that have no meaning for the URL's scheme.
func (o *DialOptions) Validate() error {
	switch {
	case o == nil:
		return nil
	case o.NetDial != nil && o.HTTPClient != nil:
		return contradiction("DialOptions.NetDial", "DialOptions.HTTPClient")
	case o.Resume && o.Reconnect.Disabled:
		return contradiction("DialOptions.Resume", "Reconnect.Disabled")
	case o.Plain && o.Resume:
		return contradiction("DialOptions.Plain", "DialOptions.Resume")
	case o.Plain && o.Codec != nil && o.Codec.Format() != wire.JSON:
		return contradiction("DialOptions.Plain", "DialOptions.Codec")
	}
	return firstError(checkHeader(o.Header), o.Reconnect.Validate(), o.conn().Validate())
}

// contradiction returns the error of two fields that cannot be set together.
func contradiction(one, other string) error {
	return fmt.Errorf("%s and %s contradict each other: leave one of them unset", one, other)
}

// validateFor returns an error that names the first field of o that has no meaning for
// the scheme, or nil if there is none.
func (o *DialOptions) validateFor(scheme string) error {
	switch scheme {
	case "ws", "wss", "http", "https":
		if o.Framing != Lines {
			return fmt.Errorf("DialOptions.Framing is set, and a WebSocket (%s://) delimits messages itself: leave it unset", scheme)
		}
		return o.validateHandshake()
	case "tcp", "unix":
	default:
		return fmt.Errorf("the scheme must be ws, wss, http, https, tcp or unix, not %q", scheme)
	}
	switch {
	case o.Codec != nil && o.Codec.Format() != wire.JSON:
		return fmt.Errorf("DialOptions.Codec is %s, and lines over %s:// carry only JSON: leave it nil", o.Codec.Name(), scheme)
	case o.Header != nil:
		return withoutHandshake("DialOptions.Header", scheme)
	case o.HeaderFunc != nil:
		return withoutHandshake("DialOptions.HeaderFunc", scheme)
	case o.HTTPClient != nil:
		return withoutHandshake("DialOptions.HTTPClient", scheme)
	case o.Redirect != nil:
		return withoutHandshake("DialOptions.Redirect", scheme)
	}
	return nil
}

func withoutHandshake(field, scheme string) error {
	return fmt.Errorf("%s is set, and %s:// has no HTTP handshake: leave it unset", field, scheme)
}

// checkHeader returns an error for headers that a handshake sets itself, or that would
// make it malformed.
func checkHeader(h http.Header) error {
	for name, values := range h {
		switch canonical := http.CanonicalHeaderKey(name); {
		case canonical == "Connection", canonical == "Upgrade", strings.HasPrefix(canonical, "Sec-Websocket-"):
			return fmt.Errorf("DialOptions.Header has %s, which the WebSocket handshake itself sets", name)
		case canonical == "Host" && (name != "Host" || len(values) != 1):
			return fmt.Errorf("DialOptions.Header has %s with %d values: want Host with one", name, len(values))
		}
	}
	return nil
}

// Validate returns an error that names the first invalid field of o, or nil if there is
// none or o is nil. NewServer panics with that error.
func (o *ServerOptions) Validate() error {
	if o == nil {
		return nil
	}
	for i, cd := range o.Codecs {
		if cd == nil {
			return fmt.Errorf("ServerOptions.Codecs[%d] is nil", i)
		}
	}
	for i, pattern := range originPatterns(o.Origins) {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("ServerOptions.Origins[%d] is %q: %w", i, o.Origins[i], err)
		}
		if _, host, ok := strings.Cut(pattern, "://"); strings.Contains(host, "/") || !ok && strings.Contains(pattern, "/") {
			return fmt.Errorf("ServerOptions.Origins[%d] is %q: an origin has no path", i, o.Origins[i])
		}
	}
	return firstError(checkSubprotocols(o.Subprotocols), checkNumbers("ServerOptions", *o, ""), o.Sessions.Validate(), o.conn().Validate())
}

// checkNotNil returns an error for a list with a nil element.
func checkNotNil[T any](name string, list []T, isNil func(T) bool) error {
	if i := slices.IndexFunc(list, isNil); i >= 0 {
		return fmt.Errorf("%s[%d] is nil", name, i)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
