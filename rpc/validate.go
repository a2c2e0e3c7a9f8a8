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
// none or o is nil.
func (o *SessionOptions) Validate() error {
	if o == nil {
		return nil
	}
	return checkNumbers("SessionOptions", *o, "")
}

// Validate returns an error that names the first invalid field of o, or nil if there is
// none or o is nil. NewConn returns that error.
func (o *ConnOptions) Validate() error {
	if o == nil {
		return nil
	}
	return firstError(o.Limits.Validate(),
		checkNotNil("CallInterceptors", o.CallInterceptors, func(f Interceptor) bool { return f == nil }),
		checkNotNil("ServeInterceptors", o.ServeInterceptors, func(f Interceptor) bool { return f == nil }),
		checkNotNil("StreamInterceptors", o.StreamInterceptors, func(f StreamInterceptor) bool { return f == nil }),
		checkNotNil("Observers", o.Observers, func(o *Observer) bool { return o == nil }),
		checkServices(o.Services))
}

// checkServices returns an error for a method that two services have.
func checkServices(services []Service) error {
	seen := make(map[string]bool)
	for _, s := range services {
		for _, m := range s.Methods {
			if seen[m.Name] {
				return fmt.Errorf("Services: %w", registeredTwice(m.Name))
			}
			seen[m.Name] = true
		}
	}
	return nil
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
		return nil
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
