package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
)

// What package internal/passthrough and the module cluster need of this package, which
// is none of its API.
func init() {
	contract.Unregistered = func(server any, f func(name string) any) {
		s := server.(*Server)
		s.init()
		s.config.methods.serveOthers(func(name string) *Method {
			m, _ := f(name).(*Method)
			return m
		})
	}
	contract.PassedOn = func(err error) error { return passedOn{err} }
	contract.NotRun = func(code int, message string) error {
		return &Error{Code: Code(code), Message: message, ran: fault.No}
	}
	contract.AfterEnd = func(conn any, f func()) (stop func() bool) {
		return context.AfterFunc(conn.(*Conn).lifetime.context(), f)
	}
}

// A passedOn is the error of a call that its handler has passed on, as it was received.
type passedOn struct{ error }

func (p passedOn) Unwrap() error { return p.error }

// serveOthers sets the function that returns methods for names that are not registered.
func (r *registry) serveOthers(f func(name string) *Method) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.other = f
}
