package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/session"
)

// A lifetime decides when a Conn ends and in which session its calls are made. The
// lifetime of a dialed connection is a redialer; any other connection ends with its
// only session.
//
// The methods may be called by any goroutine. Those of session.Events do not block.
type lifetime interface {
	// pick returns the session for a call under ctx, or an error if the call must not be
	// made now.
	pick(ctx context.Context) (*session.Session, error)

	// await waits for another session and returns nil if call, which failed with err in
	// s, must be made again there. Otherwise it returns the error of the call.
	await(ctx context.Context, s *session.Session, call *Call, err error) error

	// reconnect starts an attempt to connect at once; see Conn.Reconnect.
	reconnect()

	// end ends the Conn, but not its sessions.
	end(cause error)

	// sessions returns the sessions that may not have ended.
	sessions() []*session.Session

	// done returns a channel that is closed when the Conn has ended. err returns why it
	// ended, or nil.
	done() <-chan struct{}
	err() error

	// state returns Conn.State without Resumable. changed returns a channel that is
	// closed when the state changes.
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
