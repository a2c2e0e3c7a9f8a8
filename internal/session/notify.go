package session

import (
	"context"
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
)

// This file sends notifications. The peer grants credit for them as the consumer
// of a stream does: handle 0 of $/credit stands for all of one direction.

// notifyPatience is how long a handler of a call waits for credit. The peer's
// handlers, which have to return before it grants more, may wait for this one.
const notifyTimeout = 10 * time.Second

var errNoCredit = errors.New("the peer takes no more notifications until it has handled some")

// putNotification puts an encoded notification into the outbox. In a handler that
// serves the same peer it does not wait for credit without end, or the two could
// wait for each other: not at all in that of a notification, which the peer's
// grant may wait for, and for notifyPatience in that of a call.
func (s *Session) putNotification(ctx context.Context, buf *messageBuffer) (flush bool, err error) {
	in, patience := CallFromContext(ctx), time.Duration(-1)
	if in != nil && in.Session.Events == s.Events {
		if patience = notifyTimeout; in.ID == nil {
			patience = 0
			in.ReleaseHold()
		}
	}
	flush, err = s.queue.putNotification(ctx, s.Ctx.Done(), buf, s.servesCall(in), patience)
	if err == errNoCredit {
		err = fault.NotSent(fault.LimitReached, err)
	}
	return flush, err
}

// sendNotification is request for a notification. It waits for credit for patience
// at most, without a bound where that is negative.
func (q *sendQueue) putNotification(ctx context.Context, gone <-chan struct{}, b *messageBuffer, nested bool, patience time.Duration) (flush bool, err error) {
	n := len(b.Bytes) - q.form.FrameRoom()
	var late *time.Timer
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.closedError(nested) == nil {
		credit := !q.limited || q.credit.Allows(n)
		switch {
		case credit && q.messages.size() < q.soft:
			if q.limited {
				q.credit.Spend(n)
			}
			return q.putBuffer(b), nil
		case !credit && patience == 0:
			return false, errNoCredit
		case !credit && patience > 0 && late == nil:
			late = time.NewTimer(patience)
			defer late.Stop()
		}
		var expired <-chan time.Time
		if !credit && late != nil {
			expired = late.C
		}
		if err := q.awaitChange(ctx, gone, expired); err != nil {
			return false, err
		}
	}
	return false, q.closedError(nested)
}

// limitNotifications gives the credit to begin with, which hello has told.
func (q *sendQueue) limitNotifications(items, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limited = true
	q.credit = flow.NewCredit(min(items, flow.MaxItems), bytes)
}

// grantNotifications applies a credit of the peer's.
func (q *sendQueue) grantNotifications(handled uint64, items, bytes int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.credit.Grant(handled, items, bytes); err != nil {
		return err
	}
	q.wakeWaiters()
	return nil
}
