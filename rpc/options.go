package rpc

import (
	"fmt"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/wirecall/wirecall/internal/wire"
)

// What an option can say at most. More counts as this, so that nothing computed
// from it overflows.
const (
	mostNumber = 1 << 30
	mostTime   = wire.MaxTimeout * time.Millisecond
)

// checkNumbers refuses numbers in a struct of options, called name, that nobody
// can mean: those below zero, except for the field called signed, and times below
// a millisecond, whose unit is missing.
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

// checkSigns refuses numbers below zero in a struct of options, called name, except
// for the field called signed.
func checkSigns(name string, options any, signed string) error {
	for f, v := range reflect.ValueOf(options).Fields() {
		if v.CanInt() && v.Int() < 0 && f.Name != signed {
			return fmt.Errorf("%s.%s is %v: want more, or 0 for the default", name, f.Name, v.Interface())
		}
	}
	return nil
}

// bound lowers numbers in a struct of options, by a pointer to it, to what they can
// say at most.
func bound(options any) {
	for f, v := range reflect.ValueOf(options).Elem().Fields() {
		switch {
		case !v.CanInt():
		case f.Type == reflect.TypeFor[time.Duration]():
			v.SetInt(min(v.Int(), int64(mostTime)))
		default:
			v.SetInt(min(v.Int(), mostNumber))
		}
	}
}

// check returns what is wrong with l, as it was given.
func (l Limits) check() error {
	switch err := checkNumbers("Limits", l, "Idle"); {
	case err != nil:
		return err
	case l.Message != 0 && l.Message < floorMessage:
		return fmt.Errorf("Limits.Message is %d: want %d at least, which every peer may send", l.Message, floorMessage)
	case l.Message != 0 && l.Buffered != 0 && l.Buffered < l.Message:
		return fmt.Errorf("Limits.Buffered is %d: want Limits.Message, %d, at least, or the largest messages could not be taken", l.Buffered, l.Message)
	}
	return nil
}

// check returns what is wrong with r, as it was given.
func (r Reconnect) check() error {
	switch err := checkSigns("Reconnect", r, ""); {
	case err != nil:
		return err
	case r.MaxDelay > 0 && r.MaxDelay < time.Microsecond:
		return fmt.Errorf("Reconnect.MaxDelay is %v: want a microsecond at least; is its unit missing?", r.MaxDelay)
	case r.MaxDelay != 0 && r.MinDelay > r.MaxDelay:
		return fmt.Errorf("Reconnect.MinDelay is %v: want Reconnect.MaxDelay, %v, at most", r.MinDelay, r.MaxDelay)
	}
	return nil
}

// check returns what is wrong with o, which may be nil.
func (o *SessionOptions) check() error {
	if o == nil {
		return nil
	}
	return checkNumbers("Sessions", *o, "")
}

// check returns what is wrong with o.
func (o *DialOptions) check() error {
	return firstError(checkHeader(o.Header), o.Limits.check(), o.Reconnect.check(),
		checkInterceptors("CallInterceptors", o.CallInterceptors), checkInterceptors("ServeInterceptors", o.ServeInterceptors))
}

// checkHeader refuses headers that a handshake would overwrite, or be broken by.
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

// check returns what is wrong with o.
func (o *ServerOptions) check() error {
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
	return firstError(checkSubprotocols(o.Subprotocols), o.Limits.check(), o.Sessions.check(), checkNumbers("ServerOptions", *o, ""),
		checkInterceptors("CallInterceptors", o.CallInterceptors), checkInterceptors("ServeInterceptors", o.ServeInterceptors))
}

func checkInterceptors(name string, is []Interceptor) error {
	for i, f := range is {
		if f == nil {
			return fmt.Errorf("%s[%d] is nil", name, i)
		}
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
