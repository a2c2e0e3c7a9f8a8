package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/session"
)

// A lifetime decides how long a Conn lasts and in which session its calls are made.
// That of a dialed connection is a redialer; any other ends with its only session.
//
// The methods may be called from any goroutine. Those that a session calls, attached
// and those below it, do not block.
type lifetime interface {
	// pick returns the session for a call under ctx. It fails if the call is not to
	// be made now.
	pick(ctx context.Context) (*session.Session, error)

	// await returns nil if call, which failed with err in s, is to be made again, as
	// soon as there is another session. Otherwise it returns why the call fails.
	await(ctx context.Context, s *session.Session, call *Call, err error) error

	// reconnect has an attempt made at once; see Conn.Reconnect.
	reconnect()

	// end ends the Conn, but none of its sessions.
	end(cause error)

	// sessions returns those that may not have ended.
	sessions() []*session.Session

	// done is closed when the Conn has ended; err returns why, nil before.
	done() <-chan struct{}
	err() error

	// state is Conn.State but for Resumable. changed is closed when it is another.
	state() State
	changed() <-chan struct{}

	session.Events
}

// onlySession is the lifetime of a Conn that was not dialed.
type onlySession struct{ conn *Conn }

func (o onlySession) session() *session.Session { return o.conn.session.Load() }

func (o onlySession) pick(context.Context) (*session.Session, error) { return o.session(), nil }

func (o onlySession) await(_ context.Context, _ *session.Session, _ *Call, err error) error {
	return err
}

func (o onlySession) reconnect()                   {}
func (o onlySession) end(error)                    {}
func (o onlySession) sessions() []*session.Session { return []*session.Session{o.session()} }
func (o onlySession) done() <-chan struct{}        { return o.session().Ctx.Done() }
func (o onlySession) err() error                   { return o.session().Err() }
func (o onlySession) changed() <-chan struct{}     { return o.done() }

func (o onlySession) state() State {
	st := State{Phase: Connected, Session: 1}
	if s := o.session(); s.Err() != nil {
		st.Phase, st.Cause = Closed, s.Err()
	} else if s.IsDetached() {
		st.Phase = Detached
	}
	return st
}

func (o onlySession) Attached()                        {}
func (o onlySession) Detached(*session.Session, error) {}
func (o onlySession) Ended(*session.Session, error)    {}
func (o onlySession) Goaway(*session.Session, []int64) {}
