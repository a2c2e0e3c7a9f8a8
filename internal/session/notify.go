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
const notifyPatience = 10 * time.Second

var errNoCredit = errors.New("the peer takes no more notifications until it has handled some")

// putNotification puts an encoded notification into the outbox. In a handler that
// serves the same peer it does not wait for credit without end, or the two could
// wait for each other: not at all in that of a notification, which the peer's
// grant may wait for, and for notifyPatience in that of a call.
func (c *Session) putNotification(ctx context.Context, buf *buffer) (flush bool, err error) {
	in, patience := CallFromContext(ctx), time.Duration(-1)
	if in != nil && in.Session.Events == c.Events {
		if patience = notifyPatience; in.ID == nil {
			patience = 0
			in.LetGo()
		}
	}
	flush, err = c.out.sendNotification(ctx, c.Ctx.Done(), buf, c.servesCall(in), patience)
	if err == errNoCredit {
		err = fault.NotSent(fault.LimitReached, err)
	}
	return flush, err
}

// sendNotification is request for a notification. It waits for credit for patience
// at most, without a bound where that is negative.
func (o *outbox) sendNotification(ctx context.Context, gone <-chan struct{}, b *buffer, nested bool, patience time.Duration) (flush bool, err error) {
	n := len(b.Bytes) - o.form.FrameRoom()
	var late *time.Timer
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.refuses(nested) == nil {
		credit := !o.limited || o.credit.Allows(n)
		switch {
		case credit && o.first.size() < o.soft:
			if o.limited {
				o.credit.Spend(n)
			}
			return o.putBuffer(b), nil
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
		if err := o.await(ctx, gone, expired); err != nil {
			return false, err
		}
	}
	return false, o.refuses(nested)
}

// limitNotifications gives the credit to begin with, which hello has told.
func (o *outbox) limitNotifications(items, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limited = true
	o.credit = flow.NewCredit(min(items, flow.MaxItems), bytes)
}

// grantNotifications applies a credit of the peer's.
func (o *outbox) grantNotifications(handled uint64, items, bytes int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.credit.Grant(handled, items, bytes); err != nil {
		return err
	}
	o.wake()
	return nil
}
