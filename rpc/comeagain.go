package rpc

import (
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/fault"
)

// ComeAgain returns an error with which a handler ends a stream that has a cursor
// (//wirecall:cursor), to have it continued in another call. The client makes that call
// after the last item that its loop received, and the loop continues. The client waits
// for 1 to 1.5 times d, at random; while no item arrives, its delays double, up to 30
// seconds. d is at most an hour. If the server shuts down, the call is made on another
// server, or waits for one.
//
// The consumer of any other stream, and the caller of a handler that returns this
// error, gets an *Error with CodeComeAgain and Retry set to d.
func ComeAgain(d time.Duration) error {
	return &Error{Code: CodeComeAgain, Message: "come again", Retry: d}
}

func isComeAgain(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeComeAgain
}

// The pauses of a consumer that is told to come again, and gets no item in between.
const (
	leastComeAgain = 100 * time.Millisecond // the second, where the server says nothing
	mostComeAgain  = 30 * time.Second       // where the server does not say more
)

// comeAgainDelay returns how long to wait after err, which n such errors in a row
// came before.
func comeAgainDelay(err error, n int) time.Duration {
	retry, _ := RetryAfter(err)
	d := min(retry, fault.MaxRetry)
	if n > 0 {
		d = max(d, leastComeAgain)
		d = backoff.Doubled(d, max(d, mostComeAgain), n)
	}
	return backoff.Between(d, d+d/2)
}
