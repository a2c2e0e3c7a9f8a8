package session

import (
	"context"
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
)

// This file sends notifications. The peer grants credit for them as a consumer does for
// a stream: handle 0 of $/credit stands for all notifications in one direction.

// notifyTimeout bounds how long the handler of a call waits for credit, since the
// handlers of the peer, whose return grants it, may wait for that call.
const notifyTimeout = 10 * time.Second

var errNoCredit = errors.New("the peer takes no more notifications until it has handled some")

// putNotification puts an encoded notification into the send queue. In a handler that
// serves the same peer the wait for credit is bounded, since both sides could wait for
// each other: the handler of a notification does not wait at all, that of a call for
// notifyTimeout.
func (r *Request) putNotification(ctx context.Context) error {
	s := r.Session
	in, patience := CallFromContext(ctx), time.Duration(-1)
	if in != nil && in.Session.Events == s.Events {
		if patience = notifyTimeout; in.ID == nil {
			patience = 0
			in.ReleaseHold()
		}
	}
	err := s.queue.putNotification(ctx, r.Message, in.serves(s), patience)
	if err == errNoCredit {
		err = fault.NotSent(fault.LimitReached, err)
	}
	return err
}

// putNotification is putRequest for a notification. It waits for credit for at most
// patience, or without a bound if patience is negative.
func (q *sendQueue) putNotification(ctx context.Context, b *messageBuffer, nested bool, patience time.Duration) error {
	n := len(b.Bytes) - q.form.FrameRoom()
	var late *time.Timer
	for {
		if err := q.awaitRoom(ctx, nested); err != nil {
			return err
		}
		if !q.limited || q.credit.Allows(n) {
			break
		}
		if patience == 0 {
			q.mu.Unlock()
			return errNoCredit
		}
		var expired <-chan time.Time
		if patience > 0 {
			if late == nil {
				late = time.NewTimer(patience)
				defer late.Stop()
			}
			expired = late.C
		}
		err := q.awaitChange(ctx, expired)
		q.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if q.limited {
		q.credit.Spend(n)
	}
	q.putBuffer(b)
	q.flushUnlock()
	return nil
}

// grantNotifications applies a credit message for notifications.
func (q *sendQueue) grantNotifications(handled uint64, items, bytes int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.credit.Grant(handled, items, bytes); err != nil {
		return err
	}
	q.wakeWaiters()
	return nil
}

// applyHello sets how many streams the peer accepts, and its initial credit for
// notifications, as its hello states them.
func (q *sendQueue) applyHello(streams, items, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.peerStreams = streams
	q.limited = true
	q.credit = flow.NewCredit(min(items, flow.MaxItems), bytes)
}
